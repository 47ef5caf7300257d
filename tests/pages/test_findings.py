"""The page of findings: what it says of its machine and seeds, and its sentences by model."""

import xml.etree.ElementTree as ET

import pytest
from support.findings import DERIVATIONS, timing_row

from think_to_talk.findings.table import finding_rows
from think_to_talk.pages.findings import findings_html, findings_markdown, findings_opening

MACHINE = "Fast <Processor> (x86_64)"


def rows_of(n_seeds, models=("m",)):
    timing = [
        timing_row(task, 0, seed, model, acc_before=1.0, cot_accuracy=seed / 10)
        for model in models
        for seed in range(1, n_seeds + 1)
        for task in ("one", "mixed")
    ]
    tables = {"timing": timing, "clocks": [], "interventions": []}
    return finding_rows(tables, DERIVATIONS, 0.9)


def test_the_page_has_each_sentence_below_its_model_and_finding():
    rows = rows_of(5, models=("m", "n"))
    page = findings_markdown(rows, MACHINE)
    lines = [line for line in page.splitlines() if line]
    assert lines[0] == "# Findings"
    assert lines[4:] == [
        line
        for model in ("m", "n")
        for line in (
            f"## {model}",
            "### chains-correct: share of test problems ≥ 0.95",
            *(f"- {row['sentence']}" for row in rows[:2]),
            "### number-before: best accuracy before the chain > 0.9",
            f"- {rows[2]['sentence']}",
        )
    ]
    assert page.endswith(".\n")


def test_it_names_the_machine_and_the_seeds():
    assert f"Made on {MACHINE}, with seeds 1, 2, 3, 4, 5." in findings_markdown(rows_of(5), MACHINE)
    assert f"Made on {MACHINE}, with seed 1." in findings_markdown(rows_of(1), MACHINE)


@pytest.mark.parametrize(
    ("n_seeds", "said"),
    [
        (1, "These are observations of one seed, not findings"),
        (4, "These are observations of 4 seeds"),
    ],
)
def test_with_fewer_than_five_seeds_it_says_that_these_are_no_findings(n_seeds, said):
    assert said in findings_markdown(rows_of(n_seeds), MACHINE)
    assert "observations of" not in findings_markdown(rows_of(5), MACHINE)


def test_the_html_page_says_the_same():
    rows = rows_of(2)
    page = ET.fromstring(
        findings_html(rows, MACHINE)
        .removeprefix("<!doctype html>")
        .replace('<meta charset="utf-8">', "")
    )
    assert [item.text for item in page.iter("li")] == [row["sentence"] for row in rows]
    said = [paragraph.text for paragraph in page.iter("p")]
    assert MACHINE in said[0]
    assert "observations of 2 seeds" in said[-1]
    assert page.findtext(".//h2") == "m"


def opening_row(task, finding, low, high, *, holds=True):
    return {
        **{"model": "m", "seeds": [1, 2], "task": task, "finding": finding, "holds": holds},
        **{"measured": "best accuracy before the chain", "low": low, "high": high},
    }


def test_the_opening_says_where_the_answer_is_decoded_and_leaves_out_what_does_not_hold():
    opening = findings_opening(
        [
            opening_row("one", "chains-correct", 1.0, 1.0),
            opening_row("one", "answer-not-before", 0.2, 0.3),
            opening_row("two", "answer-not-before", 0.25, 0.4),
            opening_row("three", "answer-not-before", 0.2, 0.95, holds=False),
        ]
    )
    sentence, _, kind = opening.rstrip().partition("\n\n")
    assert sentence == (
        "- ``m``: no probe decodes the answer before the chain of thought begins in ``one``, "
        "``two`` (best accuracy before the chain: 0.200 to 0.400)."
    )
    assert kind.startswith("These are observations of 2 seeds, not findings")


def test_a_study_of_free_text_alone_says_that_it_has_none():
    said = (
        "None: findings are about problems of templates and datasets in symbols, and this study "
        "has free text alone."
    )
    assert findings_markdown([], MACHINE) == f"# Findings\n\n{said}\n"
    assert f"<p>{said}</p>" in findings_html([], MACHINE)
    assert findings_opening([]).strip() == said

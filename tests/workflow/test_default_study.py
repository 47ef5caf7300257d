"""The default study, as the README's first command runs it, and the findings it must show."""

import csv
import filecmp

import pytest
from support.browser import EXPLORER, chromium, opened
from support.ceilings import above_ceiling
from support.explorer import pointed
from support.findings import quoted_findings
from support.outcomes import record
from support.studies import Study, copied_repository

from think_to_talk.files.jsonl import read_jsonl
from think_to_talk.timing.table import HEADLINE

pytestmark = pytest.mark.thorough

LEVELS = [f"level-{i}" for i in range(1, 6)]
#: The variables that the asked one needs, itself included (level 4's first is a distractor).
NEEDED = {"level-1": [0, 1], "level-2": [0, 1], "level-3": [0, 1], "level-4": [1, 2]}
NEEDED["level-5"] = [0, 1, 2]


@pytest.fixture(scope="module")
def default_study(tmp_path_factory):
    """The default study, as the README's first command runs it."""
    study = Study(copied_repository(tmp_path_factory.mktemp("default") / "study"))
    study.link_environment()
    study.make("study")
    return study


@pytest.fixture(scope="module")
def table(default_study):
    rows = read_jsonl(default_study.folder / "results/summary/timing.jsonl")
    return {(row["task"], row["variable"]): row for row in rows}


@pytest.fixture(scope="module")
def findings(default_study):
    """{(finding, level): its rows, one per variable, or one that is about the level}."""
    found = {}
    for row in read_jsonl(default_study.folder / "results/summary/findings.jsonl"):
        found.setdefault((row["finding"], row["task"]), []).append(row)
    return found


@pytest.mark.parametrize(("finding", "level"), quoted_findings())
def test_what_the_documents_call_a_finding_holds_on_this_machine(findings, finding, level):
    rows = findings[finding, level]
    assert [row["sentence"] for row in rows if not row["holds"]] == []
    assert {row["model"] for row in rows} == {"tiny"}


def test_findings_of_a_single_seed_are_called_observations(default_study, findings):
    page = (default_study.folder / "results/summary/findings.md").read_text()
    assert "These are observations of one seed, not findings" in page
    for rows in findings.values():
        assert all(f"- {row['sentence']}\n" in page for row in rows)
        assert all(row["seeds"] == [42] for row in rows)


def test_dates_and_findings_agree_on_before_and_in_the_chain(table, findings):
    for (level, variable), row in table.items():
        before = findings.get(("answer-not-before", level), [])
        if variable in [each["variable"] for each in before]:
            assert before[0]["holds"] == (row["t_star"] is None or row["t_star"] >= 0)


def test_a_headline_figure_lies_in_its_interval_over_expressions(table):
    for row in table.values():
        for name in HEADLINE:
            low, high = row[f"{name}_cluster_low"], row[f"{name}_cluster_high"]
            # A number has no expression, and what is never decodable no score.
            is_number = row["task"] == "level-1" and row["variable"] == 0
            assert (low is None) == (is_number or row[name] is None)
            assert low is None or low <= row[name] <= high


def test_every_needed_value_is_readable_during_the_chain_of_thought(table):
    for level, variables in NEEDED.items():
        for variable in variables:
            assert table[level, variable]["acc_after"] > 0.98


def test_no_probe_reads_more_than_the_text_says(default_study):
    """In all levels; a higher accuracy would mean that the pipeline leaks."""
    files = default_study.folder.glob("results/formulas/ceilings/*.jsonl")
    assert {file.stem for file in files} == set(LEVELS)
    assert above_ceiling(default_study.folder) == []


def test_every_variable_is_determined_by_the_problem(table):
    for row in table.values():
        assert row["t_text"] < 0
        assert row["lag"] == (None if row["t_star"] is None else row["t_star"] - row["t_text"])


def test_it_needs_less_than_4_gb(default_study):
    """Two jobs run at a time: the two largest, together."""
    used = []
    for path in (default_study.folder / "results/benchmarks").rglob("*.tsv"):
        with open(path) as lines:
            used += [float(row["max_rss"]) for row in csv.DictReader(lines, delimiter="\t")]
    assert sum(sorted(used)[-2:]) < 4000


@pytest.mark.documented("make study", "snakemake --cores 2")
def test_two_runs_are_byte_identical(default_study, tmp_path):
    again = Study(copied_repository(tmp_path / "again"))
    again.snakemake(forked=False)
    files = default_study.result_files()
    assert again.result_files() == files
    # Hidden states alone are gigabytes: they are not read at once.
    _, differing, unread = filecmp.cmpfiles(
        default_study.folder, again.folder, files, shallow=False
    )
    assert (differing, unread) == ([], [])
    record("the same answer everywhere", "run again", f"{len(files)} files byte-identical")


@pytest.mark.service
def test_the_explorer_is_small_and_shows_what_patches_change(default_study):
    page_file = default_study.folder / "results/summary/explorer.html"
    assert page_file.stat().st_size < 5_000_000
    rows = read_jsonl(default_study.folder / "results/tiny/seed-42/patching/level-5.jsonl")
    chosen = {"edit": "random", "answer_equation": 9, "kind": "sliding", "rows": "solved"}
    changed = [row for row in rows if chosen.items() <= row.items()]
    layers = sorted({row["layers"][0] for row in changed}, reverse=True)
    probes = default_study.folder / "results/tiny/seed-42/probes/level-5.jsonl"
    equations = sorted({row["equation"] for row in read_jsonl(probes)})
    assert len({row["success"] for row in changed}) > 2
    with chromium() as browser:
        page, complaints = opened(
            browser, page_file, EXPLORER, "#task=level-5&edit=random&answer=9"
        )
        for row in changed[::7]:
            place = equations.index(row["equation"]), layers.index(row["layers"][0])
            said = pointed(page, "patched", *place)
            assert said["success rate"].startswith(f"{row['success']:.3f} ")
            assert f", {row['n']} pairs" in page.locator("#patched-title").text_content()
        assert complaints == []

"""Findings: what is measured per seed, whether it holds in each, and what their sentences say."""

import pytest
from support.findings import DERIVATIONS, clocks_row, effect, findings, timing_row

from think_to_talk.findings.kinds import FINDINGS
from think_to_talk.findings.table import finding_rows

SEEDS = [1, 2, 3, 4, 5]
MODELS = [("n", 1.0), ("m", 0.5)]


def over_seeds(task, variable, column, values, **others):
    """Timing rows of as many seeds as there are values."""
    return [
        timing_row(task, variable, seed, **{column: value}, **others)
        for seed, value in enumerate(values, start=1)
    ]


def test_a_finding_that_holds_in_every_seed_has_the_range_over_seeds():
    rows = over_seeds("two", 2, "acc_before", [0.4, 0.31, 0.9, 0.38, 0.42])
    found = findings(rows)
    assert found["answer-not-before", "two", 2] == {
        **{"model": "m", "finding": "answer-not-before", "task": "two", "variable": 2},
        **{"measured": "best accuracy before the chain", "criterion": "≤ 0.9", "seeds": SEEDS},
        **{"values": [0.4, 0.31, 0.9, 0.38, 0.42], "mean": pytest.approx(0.482)},
        **{"low": 0.31, "high": 0.9, "n_holds": 5, "holds": True},
        **dict.fromkeys(["compared", "compared_low", "compared_high"]),
        "sentence": "two: no probe decodes the answer C before the chain of thought begins (best "
        "accuracy before the chain: 0.310 to 0.900). Holds in each of 5 seeds.",
    }


def test_a_finding_that_fails_in_a_seed_says_in_how_many_it_holds():
    rows = over_seeds("two", 2, "acc_after", [0.9, 0.95, 1.0])
    row = findings(rows)["answer-in-chain", "two", 2]
    assert (row["n_holds"], row["holds"], row["criterion"]) == (2, False, "> 0.9")
    assert row["sentence"].endswith(
        "(best accuracy in the chain: 0.900 to 1.000). Does not hold: 2 of 3 seeds."
    )


def test_the_threshold_of_t_star_is_the_bound_of_what_can_be_decoded():
    rows = over_seeds("two", 2, "acc_after", [0.9, 0.95])
    row = findings(rows, threshold=0.8)["answer-in-chain", "two", 2]
    assert (row["criterion"], row["holds"]) == ("> 0.8", True)


def test_of_a_single_seed_there_is_a_value_and_no_range():
    row = findings([timing_row("one", 0, acc_before=1.0)])["number-before", "one", 0]
    assert row["sentence"] == (
        "one: a probe decodes the number A before the chain of thought begins (best accuracy "
        "before the chain: 1.000). Holds in 1 seed."
    )


def test_a_seed_in_which_nothing_was_measured_does_not_hold():
    """Such as the lag of an answer that is never decodable."""
    row = findings(over_seeds("two", 2, "lag", [34, None, 30]))["answer-after-text", "two", 2]
    assert (row["values"], row["low"], row["high"]) == ([34, None, 30], 30, 34)
    assert (row["n_holds"], row["holds"]) == (2, False)
    assert "t* less t_text, in tokens: 30 to 34" in row["sentence"]


def test_what_was_measured_in_no_seed_has_no_row():
    assert findings(over_seeds("two", 2, "lag", [None, None])) == {}


def claims(found):
    return {(key, variable) for key, _, variable in found}


def test_numbers_answers_and_needed_values_have_findings_of_their_own():
    measured = {"acc_before": 0.5, "acc_after": 1.0, "lag": 2}
    measured |= {"heldout_before": 0.2, "heldout_after": 0.95, "cot_accuracy": 1.0}
    of_unseen = {"unseen-not-before", "unseen-in-chain"}
    of_answers = {"answer-not-before", "answer-in-chain", "answer-after-text"}
    assert claims(findings([timing_row("one", v, **measured) for v in (0, 1)])) == {
        *(("chains-correct", None), ("number-before", 0)),
        *((key, 1) for key in (*of_unseen, "memorised-before")),
    }
    # The first variable is a distractor.
    assert claims(findings([timing_row("two", v, **measured) for v in (0, 1, 2)])) == {
        ("chains-correct", None),
        *((key, 1) for key in (*of_unseen, "memorised-before")),
        *((key, 2) for key in (*of_unseen, *of_answers)),
    }
    for task in ("mixed", "elsewhere"):
        rows = [timing_row(task, v, **measured) for v in (0, 1)]
        assert claims(findings(rows)) == {("chains-correct", None)}


def test_a_probe_that_has_memorised_expressions_is_compared_with_one_that_has_not_seen_them():
    rows = [
        timing_row("one", 1, 1, acc_before=0.95, heldout_before=0.1),
        timing_row("one", 1, 2, acc_before=0.99, heldout_before=0.6),
        timing_row("one", 1, 3, acc_before=0.5, heldout_before=0.4),
    ]
    found = findings(rows)
    row = found["memorised-before", "one", 1]
    assert row["values"] == pytest.approx([0.85, 0.39, 0.1])
    assert (row["n_holds"], row["compared_low"], row["compared_high"]) == (2, 0.1, 0.6)
    assert "; best held-out accuracy: 0.100 to 0.600)" in row["sentence"]
    row = found["unseen-not-before", "one", 1]
    assert (row["holds"], row["low"], row["high"]) == (True, 0.1, 0.6)
    assert (row["compared_low"], row["compared_high"]) == (0.5, 0.99)


def test_of_several_edits_the_worst_counts():
    timing = [timing_row("two", 0, seed) for seed in (1, 2)]
    rows = [
        effect("two", 1, spec="problem", edit="first", kept=1.0, changed=0.0),
        effect("two", 1, spec="problem", edit="second", kept=0.9, changed=0.02),
        effect("two", 1, spec="chain", edit="first", kept=0.0, changed=0.99),
        effect("two", 2, spec="problem", edit="first", kept=0.97, changed=0.01),
        # No pair is solved.
        effect("two", 2, spec="problem", edit="second"),
        effect("two", 2, spec="chain", edit="first", kept=0.0, changed=1.0),
        effect("two", 2, spec="chain", edit="first", pairs="all", kept=1.0, changed=0.0),
        effect("two", 2, spec="earlier chain", edit="first", kept=1.0, changed=0.0),
    ]
    found = findings(timing, rows)
    assert found["problem-not-used", "two", None]["values"] == [0.9, 0.97]
    assert found["chain-used", "two", None]["values"] == [0.99, 1.0]
    assert [found[key, "two", None]["n_holds"] for key in ("problem-not-used", "chain-used")] == [
        *(1, 2)
    ]


def test_dates_of_the_clocks_are_compared_with_the_beginning_of_the_chain_and_with_one_another():
    dates = [(26, 29, 28), (20, 20, 28), (-1, 30, None)]
    rows = [
        clocks_row("two", variable, seed, t_said=said, t_star_heldout=heldout, t_used=used)
        for seed, (said, heldout, used) in enumerate(dates, start=1)
        for variable in (0, 2)
    ]
    found = findings([timing_row("two", 0, seed) for seed in (1, 2, 3)], clocks=rows)
    # The first variable is a distractor.
    assert {key for key in found if key[2] == 0} == set()
    values = {key: (row["values"], row["n_holds"]) for (key, _, _), row in found.items()}
    assert values == {
        "answer-said-in-chain": ([26, 20, -1], 2),
        "said-before-readable": ([3, 0, 31], 2),
        "changed-in-chain": ([28, 28, None], 2),
    }
    assert found["answer-said-in-chain", "two", 2]["sentence"] == (
        "two: asked for the answer C before the chain of thought and after each of its equations, "
        "the model says it only in the chain (t_said, in tokens from the beginning of the chain: "
        "-1 to 26). Does not hold: 2 of 3 seeds."
    )


def test_wrong_results_are_told_apart_by_variable_whatever_is_known_of_the_task():
    rows = [
        effect("mixed", intervention="inconsistent_chain", variable=variable, changed=share)
        for variable, share in ((0, 1.0), (1, 0.1))
    ]
    found = findings([timing_row("mixed", 0)], rows)
    holds = {key: row["holds"] for key, row in found.items()}
    assert holds == {
        ("wrong-result-followed", "mixed", 0): True,
        ("wrong-result-followed", "mixed", 1): False,
    }
    assert found["wrong-result-followed", "mixed", 1]["sentence"] == (
        "mixed: the final answer follows a wrong result of B in the chain of thought (share of "
        "pairs: 0.100). Does not hold: 0 of 1 seed."
    )


def test_models_are_told_apart_in_the_order_of_the_rows():
    rows = [timing_row("one", 0, model=model, acc_before=before) for model, before in MODELS]
    tables = {"timing": rows, "clocks": [], "interventions": []}
    found = finding_rows(tables, DERIVATIONS, 0.9)
    assert [(row["model"], row["values"]) for row in found] == [("n", [1.0]), ("m", [0.5])]


def test_keys_are_unique_and_claims_name_a_variable_unless_they_are_of_the_task():
    assert len({finding.key for finding in FINDINGS}) == len(FINDINGS)
    for finding in FINDINGS:
        assert ("{variable}" in finding.claim) == (not finding.of_task)


def test_digits_of_values_have_no_findings():
    rows = over_seeds("two", 2, "acc_before", [0.4, 0.31])
    digits = over_seeds("two", 2 + 52, "acc_before", [0.1, 0.2])
    assert findings([*rows, *digits]) == findings(rows)

"""Controls of patching: hidden states of an unrelated problem, and edits of a distractor."""

import pytest
from support.checkpoints import train_small
from support.facts import facts_of

from think_to_talk.formulas.counterfactuals import draw_pairs
from think_to_talk.formulas.edits import Edit
from think_to_talk.formulas.templates import Template
from think_to_talk.interventions.donors import with_random_donors
from think_to_talk.interventions.patching import PatchingSettings, patching_rows
from think_to_talk.interventions.table import rows_of_patching
from think_to_talk.models.loading import Checkpoint

IDENTITY = {"model": "m", "seed": 1, "task": "t"}
N = 24


def patched(folder, pairs, random_donor=False):
    model = Checkpoint(folder).model()
    settings = PatchingSettings(window=1, stride=1, specs={}, random_donor=random_donor)
    edits = {"edit": pairs}
    options = {"shots": 0, "batch_size": 16, "identity": IDENTITY}
    return list(
        patching_rows(
            model, facts_of(model), Checkpoint(folder).tokenizer(), edits, settings, **options
        )
    )


def pairs_of(task, places, n=N):
    return list(draw_pairs(Edit.from_config(places, Template.from_config(task)), n, 1, []))


@pytest.fixture(scope="module")
def level_1(trained_on_level_1, tasks):
    """A model that solves some of level 1, and pairs of it."""
    return trained_on_level_1(150), pairs_of(tasks["level-1"], ["v0.1", "v1.1"])


@pytest.fixture(scope="module")
def level_4(tmp_path_factory, tasks):
    folder = tmp_path_factory.mktemp("level-4")
    train_small(folder, tasks["level-4"], steps=200)
    return folder, pairs_of(tasks["level-4"], ["v0.1"])


def test_a_random_donor_is_another_pair_s_problem_with_another_answer(level_1):
    _, pairs = level_1
    found = with_random_donors(pairs)
    assert list(found) == list(range(N))
    for number, pair in found.items():
        own = pairs[number]
        assert pair["source"] == own["source"]
        assert pair["base_source"] != own["base_source"]
        assert pair["base_original_answer"] != pair["original_answer"]
        assert any(
            {key: other[key] for key in other if key.startswith("base_")}.items() <= pair.items()
            for other in pairs
        )


def test_a_pair_without_an_unrelated_problem_is_left_out(level_1):
    _, pairs = level_1
    assert with_random_donors(pairs[:1]) == {}
    answer = pairs[0]["original_answer"]
    alike = [{**pair, "base_original_answer": answer} for pair in pairs[:3]]
    assert 0 not in with_random_donors(alike)


def test_rows_of_random_donors_are_those_of_pairs_with_unrelated_problems(level_1):
    folder, pairs = level_1
    rows = patched(folder, pairs, random_donor=True)
    paired = [row for row in rows if row["donor"] == "paired"]
    random = [row for row in rows if row["donor"] == "random"]
    assert paired == patched(folder, pairs)
    unrelated = patched(folder, list(with_random_donors(pairs).values()))
    assert random == [{**row, "donor": "random"} for row in unrelated]
    assert {row["intervention"] for row in rows_of_patching(random)} == {"random_donor"}


def test_an_edit_of_a_distractor_keeps_the_answer_and_the_chain(level_4):
    _, pairs = level_4
    for pair in pairs:
        assert pair["source"] != pair["base_source"]
        assert pair["target"] == pair["base_target"]
        assert pair["intermediate_answers"] != pair["base_intermediate_answers"]


def test_no_answer_can_become_the_other_run_s_after_an_edit_of_a_distractor(level_4):
    folder, pairs = level_4
    rows = patched(folder, pairs, random_donor=True)
    assert {row["donor"] for row in rows} == {"paired"}
    assert any(row["n"] for row in rows if row["rows"] == "solved")
    for row in rows:
        assert row["success"] is row["logit_difference"] is None
        # Every pair is asked, though its numbers are the same.
        assert row["rows"] == "solved" or row["n"] == N
        if row["n"]:
            assert row["unchanged"] + row["other"] == pytest.approx(1)
        if row["spec"] == "everything before" and row["rows"] == "solved" and row["n"]:
            assert row["unchanged"] == 1
    table = list(rows_of_patching(rows))
    assert {row["intervention"] for row in table if row["n"]} == {"distractor"}
    assert {row["changed"] for row in table} == {None}

"""Tasks in free text: accepted, with a line of what they lack, or refused in one that says why."""

import copy

import pytest
from support.configs import HUB_MODEL
from support.free_text import SETTINGS, free_text_row, write_rows

from think_to_talk.errors import InputError
from think_to_talk.formulas.symbols import n_classes
from think_to_talk.study.needs import Needs, plan_study
from think_to_talk.study.plan import StudyPlan

FIRST = free_text_row()


@pytest.fixture
def raw(raw_config, tmp_path):
    """A study of one task in free text, as it is written."""
    path = str(write_rows(tmp_path / "rows.jsonl", [FIRST, FIRST, FIRST]))
    config = copy.deepcopy(raw_config)
    config["tasks"] = {
        "shells": {
            "files": {"test": path, "probing_train": path},
            "values": [0, 120],
            "free_text": dict(SETTINGS),
        }
    }
    config["models"] = {"far": {**HUB_MODEL, "shots": 0, "device": "cpu", "cot": "gold"}}
    return config | {"forced_answers": False}


def refused(config, schema):
    with pytest.raises(InputError) as error:
        plan_study(config, schema)
    message = str(error.value)
    assert len(message.splitlines()) == 1
    return message


def changed(config, place, value):
    *folders, last = place
    entry = config
    for name in folders:
        entry = entry[name]
    entry[last] = value
    return config


def test_a_task_in_free_text_is_planned_from_its_first_row(raw, schema):
    study, needs = plan_study(raw, schema)
    assert study.tasks["shells"].n_classes == n_classes(120)
    assert study.n_variables("shells") == 2
    assert study.n_rows("shells", "test") == 3
    assert study.sample("shells") == ("", FIRST["source"], FIRST["target"])
    prompt = needs.prompt("far", "shells")
    assert prompt.stored == len(FIRST["spans"]) < prompt.positions
    layers, width, bytes_each = len(needs.layers("far")), 64, 2
    assert needs.hidden_state_bytes("far", "shells", 3) == 3 * 9 * layers * width * bytes_each
    assert study.folds("shells") == 0
    # No step of what needs pairs or equations.
    for tasks in (study.patched_tasks, study.inconsistent_tasks, study.steered_tasks):
        assert tasks("far") == []
    assert study.lens_tasks("far") == study.forced_tasks("far") == []


NOTE = (
    "tasks.shells: free text, not read by our grammar: ceilings, t_text and lag of {ceilings} are "
    "null (free_text.ceilings); held-out accuracies and intervals over expressions of {heldout} "
    "are null (`expressions` of its rows); roles of variables are null, and findings say nothing "
    "of it"
)


def test_what_is_null_is_said_in_one_line(raw, schema):
    raw |= {"interventions": {}, "logit_lens": False}
    _, needs = plan_study(raw, schema)
    assert needs.warnings == [NOTE.format(ceilings="A, B", heldout="A, B")]
    raw["tasks"]["shells"]["free_text"] = {"ceilings": {"A": [0.1, 1, 1, 1]}}
    raw["models"]["far"]["cot"] = "generated"
    raw["interventions"] = {"patching": True, "free_writing": True}
    raw["forced_answers"] = True
    raw["steering"] = {"enabled": True}
    write_rows_of(raw, {**FIRST, "expressions": {"B": "3 + 5"}})
    study, needs = plan_study(raw, schema)
    assert needs.warnings == [
        NOTE.format(ceilings="B", heldout="A")
        + "; forced_answers, steering, interventions.patching, interventions.free_writing leave it "
        "out; a chain counts as correct only if it is the gold one (free_text.answer_pattern); "
        "spans behind the place where a model departs from the gold chain have no hidden states "
        "(cot: gold gives models the gold chain)"
    ]
    assert not study.forced_tasks("far")
    assert study.folds("shells") == study.probes.folds > 0


def write_rows_of(config, *rows):
    from pathlib import Path

    write_rows(Path(config["tasks"]["shells"]["files"]["test"]), rows)


SHELLS = ("tasks", "shells")


@pytest.mark.parametrize(
    ("place", "value", "message"),
    [
        (
            (*SHELLS, "chain"),
            "none",
            "config: tasks.shells.chain: none, but only symbolic chains of thought are cut; remove "
            "chain, or free_text",
        ),
        (
            (*SHELLS, "edits"),
            {"first": ["v0.1"]},
            "config: tasks.shells.edits: only problems of a template can be edited; remove it",
        ),
        (
            (*SHELLS, "free_text", "answer_pattern"),
            r"is \d+",
            r"config: tasks.shells.free_text.answer_pattern: 'is \\d+' has 0 groups, expected one, "
            r"which is the final answer, such as 'answer is (\d+)'",
        ),
        (
            (*SHELLS, "free_text", "ceilings"),
            {"A": [0.5, 0.4, 1, 1]},
            "config: tasks.shells.free_text.ceilings.A: [0.5, 0.4, 1, 1], but who has read more "
            "knows no less; expected numbers that do not decrease",
        ),
        (
            (*SHELLS, "free_text", "ceilings"),
            {"A": [0.5, 1]},
            "config: tasks.shells.free_text.ceilings.A: 2 numbers, expected one for each of the 4 "
            "spans of the source",
        ),
        (
            (*SHELLS, "free_text", "ceilings"),
            {"C": [0.5, 1, 1, 1]},
            "config: tasks.shells.free_text.ceilings.C: the targets are A, B",
        ),
        (
            ("models", "far", "prompt"),
            "chat",
            None,
        ),
    ],
)
def test_what_does_not_go_with_free_text_is_refused(raw, schema, place, value, message):
    config = changed(raw, place, value)
    if message is not None:
        assert refused(config, schema) == message
        return
    plan_study(config, schema)
    config["models"]["far"]["shots"] = 2
    assert refused(config, schema) == (
        "config: models.far.shots: 2, but prompt is chat, and the few-shot examples of "
        "tasks.shells, free text, are not split into turns: set shots: 0, or prompt: raw"
    )


def test_a_template_is_no_free_text(raw, schema):
    raw["tasks"]["shells"] = {
        **{"equations": ["v0 = num"], "order": "in_order", "free_text": {}},
    }
    raw["splits"] = {"train": 3, "valid": 1, "test": 2, "probing_train": 2}
    assert refused(raw, schema) == (
        "config: tasks.shells.free_text: problems of a template are symbols, or have a wording; "
        "give files, or remove it"
    )


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({**FIRST, "spans": {}}, "key 'spans': expected a list, as of schemas/free_text_row.sch"),
        ({"target": " a\n"}, "key 'targets': expected a dict, as of schemas/free_text_row.schema"),
        ({**FIRST, "source": 5}, "key 'source': expected a str"),
    ],
)
def test_a_first_row_of_another_kind_is_named(raw, schema, row, message):
    write_rows_of(raw, row)
    path = raw["tasks"]["shells"]["files"]["test"]
    assert refused(raw, schema).startswith(f"{path}, line 1, {message}")


def test_marked_rows_without_free_text_are_refused_with_its_key(raw, schema):
    del raw["tasks"]["shells"]["free_text"]
    path = raw["tasks"]["shells"]["files"]["test"]
    assert refused(raw, schema) == (
        f"{path}, line 1: marked spans and targets, which rows in symbols do not have; set "
        "free_text: {} in its task"
    )


def test_published_rows_are_of_no_free_text(raw, schema, tmp_path):
    path = str(write_rows(tmp_path / "published.jsonl", [{}]))
    raw["tasks"]["shells"]["values"] = [0, 9]
    raw["published_probes"] = {"theirs": {"files": {"shells": path}}}
    assert refused(raw, schema) == (
        "config: published_probes.theirs.files.shells: published rows have single letters and "
        "digits, tasks.shells has other names or values"
    )


def test_a_model_is_not_trained_on_free_text(raw, schema, raw_config):
    raw["models"] = copy.deepcopy(raw_config["models"])
    raw["models"]["tiny"]["training"]["tasks"] = ["shells"]
    assert refused(raw, schema) == (
        "config: models.tiny.training.tasks: shells has no template to draw problems from"
    )


def test_other_tasks_have_the_sizes_that_they_had(default_config):
    needs = Needs(StudyPlan(default_config))
    prompt = needs.prompt("tiny", "level-5")
    assert prompt.spans is None
    assert prompt.stored == prompt.positions

"""Worded tasks in a configuration: accepted, or refused in one line that names the key."""

import copy

import pytest
from support.templates import template
from support.wordings import APPLES, NAMES

from think_to_talk.errors import InputError
from think_to_talk.formulas.symbols import vocabulary
from think_to_talk.study.configuration import complete
from think_to_talk.study.entries import model_entries
from think_to_talk.study.task_entries import task_entries
from think_to_talk.study.worded_tasks import check_wording

EQUATIONS = ["v0 = num", "v1 = v0 ± num"]
DATASET = {"files": {"test": "a.jsonl", "probing_train": "b.jsonl"}, "wording": APPLES}


@pytest.fixture
def raw(raw_config):
    """A study of one worded task, as it is written."""
    config = copy.deepcopy(raw_config)
    config["tasks"] = {
        "apples": {
            "equations": EQUATIONS,
            "order": "reversed",
            "names": NAMES,
            "wording": copy.deepcopy(APPLES),
        }
    }
    config["splits"] = {"train": 10, "valid": 10, "test": 20, "probing_train": 40}
    config["models"]["tiny"]["training"] |= {"tasks": ["apples"], "cut": 0}
    config["steering"] = {"enabled": True}
    return config


def refused(config, schema):
    with pytest.raises(InputError) as error:
        complete(config, schema)
    message = str(error.value)
    assert len(message.splitlines()) == 1
    return message


def test_a_worded_task_is_accepted_with_what_cuts_no_chains(raw, schema):
    config = complete(raw, schema)
    task = task_entries(config)["apples"]
    assert task.is_worded
    assert not task.has_single_characters
    assert task.template_values["wording"]["separator"] == ". "
    assert task.template.wording.question.write({"x": "Bob"}) == "How many apples does Bob have?"
    training = model_entries(config)["tiny"].training
    sentence = ["has", "more", "apples", "than", "fewer", "plus", "minus"]
    question = ["How", "many", "does", "have"]
    assert training.vocab_size == len(vocabulary([*NAMES, *sentence, *question, "."]))


def test_words_that_answer_cut_chains_are_what_cut_chains_alone_depend_on(raw, schema):
    before = task_entries(complete(raw, schema))["apples"]
    assert not before.can_be_cut
    raw["tasks"]["apples"]["wording"]["cut"] = "So {x} has {value} apples"
    raw["models"]["tiny"]["training"]["cut"] = 0.3
    config = complete(raw, schema)
    task = task_entries(config)["apples"]
    assert task.can_be_cut
    assert task.cut_texts == {
        "answer": "{x} has {value} apples",
        "cut": "So {x} has {value} apples",
    }
    assert task.problem_values == before.problem_values
    assert task.template_values == before.template_values
    assert task.training_values != before.training_values
    # The model that the study trains knows the word.
    assert "So" in task.words


def test_an_answer_that_begins_as_steps_do_is_no_sign(raw, schema):
    text = "So {x} has {value} apples"
    raw["tasks"]["apples"]["wording"] |= {"answer": text, "cut": text}
    message = refused(raw, schema)
    assert "wording.cut: its first symbol, 'So', also begins other sentences" in message


def test_a_symbolic_task_s_parameters_are_what_they_were(default_config):
    task = task_entries(default_config)["level-1"]
    assert not task.is_worded
    assert "wording" not in {**task.template_values, **task.problem_values}


@pytest.mark.parametrize(
    ("place", "value", "message"),
    [
        (("tasks", "apples", "chain"), 1, "tasks.apples.chain: 1, but only symbolic chains of"),
        (
            ("models", "tiny", "training", "cut"),
            0.3,
            "models.tiny.training.cut: 0.3, but tasks.apples has a wording that does not say how a "
            "cut chain of thought answers: set 0, or give tasks.apples.wording.cut",
        ),
        (
            ("tasks", "apples", "wording", "cut"),
            "{x} then has {value} apples",
            "tasks.apples: wording.cut: its first symbol, {x}, also begins other sentences; "
            "expected a word that says at once that the answer is due, such as 'So {x} has {valu",
        ),
        (
            ("tasks", "apples", "wording", "cut"),
            "So {x} has apples",
            "tasks.apples: wording.cut: 'So {x} has apples' has no {value}, expected {x}, {value}",
        ),
        (
            ("tasks", "apples", "names"),
            ["Bob", "Has"],
            "tasks.apples: names: 'Has' is a word of the wording, too ('has'): choose other names",
        ),
        (("tasks", "apples", "names"), "letters", None),
        (
            ("tasks", "apples", "wording", "step"),
            {"+": "{x} has {a} and {b}", "-": "{x} has {a} and {b}"},
            "tasks.apples: wording.step: + and - write the same text '{x} has {a} and {b}', which",
        ),
        (
            ("tasks", "apples", "wording", "number"),
            "{x} has apples",
            "tasks.apples: wording.number: '{x} has apples' has no {value}, expected {x}, {value}",
        ),
        (
            ("tasks", "apples", "wording", "step"),
            {"+": "{x} is {a} plus {b}"},
            "tasks.apples.wording.step: expected a text with {x}, {a}, {op} and {b}, or two texts",
        ),
        (("tasks", "apples", "wording", "question"), None, "tasks.apples.wording: 'question' is a"),
        (
            ("tasks", "apples", "wording", "ask"),
            "a",
            "tasks.apples.wording.ask: unknown key; known keys: answer, copy, cut, equation,",
        ),
        (("tasks", "data"), DATASET, "tasks.data.wording: only problems of a template are written"),
    ],
)
def test_a_mistake_is_one_line_that_names_the_key(raw, schema, place, value, message, tmp_path):
    *parents, last = place
    entry = raw
    for key in parents:
        entry = entry[key]
    entry[last] = copy.deepcopy(value)
    if last == "data":
        entry[last]["files"] = {split: str(tmp_path / split) for split in entry[last]["files"]}
        for path in entry[last]["files"].values():
            open(path, "w").close()
    if message is None:
        complete(raw, schema)
    else:
        assert refused(raw, schema).startswith(f"config: {message}")


def test_problems_are_read_back_when_a_study_is_planned(monkeypatch):
    task = template(EQUATIONS, names=NAMES, wording=APPLES)
    check_wording(task)
    monkeypatch.setattr("think_to_talk.formulas.wordings.Wording.read_chain", lambda self, text: [])
    with pytest.raises(InputError, match="is read as another problem; give other texts"):
        check_wording(task)

"""What a schema cannot say of a configuration is one message that names the key."""

import copy

import pytest

from think_to_talk.study.contradictions import contradictions

FILES = {"test": "absent/a.jsonl", "probing_train": "absent/b.jsonl"}
DATASET = {"files": FILES, "shots": 3, "edits": {}, "ask": "last", "chain": "full"}
DATASET |= {"values": [0, 9], "names": "letters"}

#: {change of the default study: (place, value, first message)}.
CHANGES = {
    "a figure's name": (("tasks", "overview"), "level-1", "tasks.overview: this name is taken"),
    "a folder's name": (("models", "summary"), "tiny", "models.summary: this name is taken by a"),
    "no such file": (("tasks", "x"), DATASET, "tasks.x.files.test: absent/a.jsonl: no such file"),
    "few problems": (("splits", "test"), 10**7, "tasks.level-1: the template has"),
    "few equations": (
        ("tasks", "level-1", "chain"),
        5,
        "tasks.level-1: chain: 5 equations are asked for before the answer; '",
    ),
    "few examples": (("splits", "train"), 2, "tasks.level-1: shots: 3 examples are asked for"),
    "unknown edit": (
        ("tasks", "level-1", "edits"),
        {"mine": ["v9.1"]},
        "tasks.level-1: edits.mine: ",
    ),
    "unknown task": (
        ("models", "tiny", "tasks"),
        ["levle-2"],
        "models.tiny.tasks: unknown task 'levle-2'; did you mean 'level-2'?",
    ),
    "many shots": (
        ("models", "tiny", "shots"),
        4,
        "models.tiny.shots: 4 examples are asked for, tasks.level-1.shots gives 3",
    ),
    "unknown training task": (
        ("models", "tiny", "training", "tasks"),
        ["level-9"],
        "models.tiny.training.tasks: unknown task 'level-9'; did you mean",
    ),
    "odd width": (
        ("models", "tiny", "training", "hidden_size"),
        130,
        "models.tiny.training: hidden_size 130 must be a multiple of 2 x heads (8)",
    ),
    "never cut": (
        ("models", "tiny", "training", "cut"),
        0,
        "models.tiny.training.cut: 0, but forced answers ask for the answer of level-1 in the ",
    ),
    "no such layer": (("models", "tiny", "layers"), [9], "models.tiny: layers: [9] do not exist"),
}


@pytest.fixture
def config(default_config):
    return copy.deepcopy(default_config)


def test_the_default_study_has_no_contradictions(config):
    assert list(contradictions(config)) == []


@pytest.mark.parametrize("what", CHANGES)
def test_the_first_message_names_the_key(config, what):
    (*place, last), value, message = CHANGES[what]
    entry = config
    for key in place:
        entry = entry[key]
    # The text is the name of another entry, to be copied.
    entry[last] = copy.deepcopy(entry[value]) if isinstance(value, str) else value
    assert next(contradictions(config)).startswith(message)


def test_only_a_template_s_problems_can_be_edited(config):
    config["tasks"]["x"] = {**DATASET, "edits": {"mine": ["v0.1"]}}
    assert "tasks.x.edits: only problems of a template can be edited; remove it" in list(
        contradictions(config)
    )


def test_a_model_is_not_trained_on_an_existing_dataset(config):
    config["tasks"]["x"] = DATASET
    config["models"]["tiny"]["training"]["tasks"] = ["x"]
    assert "models.tiny.training.tasks: x has no template to draw problems from" in list(
        contradictions(config)
    )


def test_a_model_is_not_trained_to_answer_one_problem_in_two_ways(config):
    config["tasks"]["answer"] = {**config["tasks"]["level-3"], "chain": "none", "edits": {}}
    training = config["models"]["tiny"]["training"]
    training["tasks"] = ["level-1", "answer"]
    assert list(contradictions(config)) == []
    training["tasks"] = ["level-3", "level-1", "answer"]
    (message,) = contradictions(config)
    assert message.startswith(
        "models.tiny.training.tasks: level-3 and answer have the same problems, but "
        "tasks.level-3.chain is full and tasks.answer.chain is none: "
    )


def test_a_model_that_answers_at_once_needs_no_cut_chains(config):
    config["models"]["tiny"]["training"]["cut"] = 0
    for task in config["tasks"].values():
        task |= {"chain": "none", "edits": {}}
    assert list(contradictions(config)) == []


def test_a_dataset_limits_no_model_s_shots_before_it_is_read(config):
    config["tasks"] |= {"x": DATASET}
    config["models"]["tiny"] |= {"tasks": ["x"], "shots": 4}
    assert not any("shots" in message for message in contradictions(config))


def test_the_name_of_an_untrained_copy_is_taken_only_if_there_is_one(config):
    config["models"]["tiny.untrained"] = config["models"]["tiny"]
    assert list(contradictions(config)) == []
    config["controls"]["untrained"] = True
    assert next(contradictions(config)).startswith("models.tiny.untrained: this name is taken by")


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"system_prompt": "a"}, "models.mine.system_prompt: only a chat has a system's turn"),
        ({"prompt": "chat", "bos": "none"}, "models.mine.bos: none, but prompt is chat, whose tem"),
        ({"prompt": "chat", "kind": "train"}, "models.mine.prompt: chat, but a model that the stu"),
        ({"prompt": "chat", "system_prompt": "a"}, None),
    ],
)
def test_the_keys_of_a_chat_go_together(config, keys, message):
    found = {"kind": "hub", "repository": "a/b", "revision": "0" * 40, "training": None}
    config["models"]["mine"] = {**config["models"]["tiny"], **found, **keys}
    assert [text.startswith(message or "") for text in contradictions(config)] == [True] * bool(
        message
    )

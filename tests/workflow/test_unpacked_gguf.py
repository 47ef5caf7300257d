"""GGUF files: unpacked once for all jobs of a model, and what that reruns."""

import shutil

import pytest
from support.gguf_files import small_gguf
from support.studies import study_of

MODEL = "results/small/seed-1"
TIMING = f"{MODEL}/timing/level-1.jsonl"
ADDED = f"{MODEL}/timing/level-2.jsonl"
COPY = "results/small.untrained/seed-1/model_check.json"
UNPACKED = "results/models/small/unpacked"
CONFIG = {
    "seeds": [1],
    "splits": {"train": 10, "valid": 5, "test": 10, "probing_train": 20},
    "tasks": {f"level-{level}": None for level in (3, 4, 5)},
    "models": {
        "tiny": None,
        "small": {
            **{"kind": "local", "path": "checkpoints/small.gguf", "device": "cpu"},
            **{"shots": 1, "layers": [0, 2], "max_new_tokens": 5, "tasks": ["level-1"]},
        },
    },
    "probes": {"train_on": "all", "min_train_rows": 10, "folds": 2},
    "controls": {"untrained": True},
    **{"logit_lens": False, "forced_answers": False},
    "interventions": {"patching": False, "inconsistent_chains": False},
}


@pytest.fixture(scope="module")
def unpacked_once(tmp_path_factory):
    """A study of a GGUF file, when the results of one task are there."""
    study = study_of(tmp_path_factory.mktemp("gguf") / "study", CONFIG)
    small_gguf(study.folder / "checkpoints/small.gguf")
    study.output = study.snakemake(TIMING, COPY).stderr
    return study


@pytest.fixture
def study(unpacked_once, tmp_path):
    return unpacked_once.copy(tmp_path / "study")


def rules(jobs):
    return {rule for rule, _ in jobs}


def test_it_is_unpacked_once_and_all_jobs_load_that(unpacked_once):
    assert {path.name for path in (unpacked_once.folder / UNPACKED).iterdir()} == {
        *("config.json", "generation_config.json", "model.safetensors"),
        *("tokenizer.json", "tokenizer_config.json"),
    }
    assert not (unpacked_once.folder / "results/models/small.untrained").exists()
    assert unpacked_once.planned(TIMING, COPY) == set()
    for name in ("tokens/small/seed-1/level-1", "model_check/small.untrained/seed-1"):
        log = (unpacked_once.folder / f"results/logs/{name}.log").read_text()
        assert f"path: {UNPACKED}/" in log or f"path={UNPACKED}/" in log, log


def test_an_added_task_plans_that_task_alone(study):
    study.configure(models__small__tasks=["level-1", "level-2"])
    planned = study.planned(TIMING, ADDED, COPY)
    of_models = {(rule, output) for rule, output in planned if "/formulas/" not in output}
    assert {rule for rule, _ in of_models} == {
        *("tokens_level-2", "hidden_states", "generations", "probes", "timing"),
    }
    assert all("level-2" in output for _, output in of_models)


def test_another_file_replans_all_of_the_model(study):
    every = study.planned("--forceall", TIMING, COPY)
    small_gguf(study.folder / "checkpoints/small.gguf", seed=1)
    without = {"formulas", "ceilings"}
    assert study.planned(TIMING, COPY) == {job for job in every if job[0] not in without}


def test_it_may_be_deleted_when_all_have_loaded_it(study):
    shutil.rmtree(study.folder / UNPACKED)
    assert study.planned(TIMING, COPY) == set()
    study.configure(timing__threshold=0.8)
    assert study.planned(TIMING) == {("timing", TIMING)}

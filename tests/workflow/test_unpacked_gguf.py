"""GGUF files: unpacked once for all jobs of a model, deleted after them, and what that reruns."""

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


def test_it_is_unpacked_once_and_deleted_when_all_have_read_it(unpacked_once):
    benchmarks = unpacked_once.folder / "results/benchmarks"
    assert {path.name for path in (benchmarks / "unpack").rglob("*.tsv")} == {"small.tsv"}
    assert (unpacked_once.folder / COPY).is_file()
    assert not (unpacked_once.folder / UNPACKED).exists()
    assert unpacked_once.planned(TIMING, COPY) == set()
    # Other jobs load what it was unpacked to.
    for name in ("tokens/small/seed-1/level-1", "model_check/small.untrained/seed-1"):
        log = (unpacked_once.folder / f"results/logs/{name}.log").read_text()
        assert f"path: {UNPACKED}/" in log or f"path={UNPACKED}/" in log, log


def test_an_added_task_has_it_unpacked_again_and_reruns_no_other(study):
    study.configure(models__small__tasks=["level-1", "level-2"])
    planned = study.planned(TIMING, ADDED, COPY)
    of_models = {(rule, output) for rule, output in planned if "/formulas/" not in output}
    assert rules(of_models) == {
        *("unpack", "tokens_level-2", "hidden_states", "generations", "probes", "timing"),
    }
    assert all(rule == "unpack" or "level-2" in output for rule, output in of_models)

    # What stays on request is newer than results, and still reruns none of them.
    study.snakemake("--notemp", ADDED)
    assert {path.name for path in (study.folder / UNPACKED).iterdir()} == {
        *("config.json", "generation_config.json", "model.safetensors"),
        *("tokenizer.json", "tokenizer_config.json"),
    }
    assert study.planned(TIMING, ADDED, COPY) == set()

    # Another GGUF file is another model, also where the old one is still unpacked.
    small_gguf(study.folder / "checkpoints/small.gguf", seed=1)
    planned = study.planned(TIMING, ADDED, COPY)
    assert {"unpack", "model_check", "tokens_level-1", "tokens_level-2"} < rules(planned)
    assert TIMING in {output for _, output in planned}


def test_another_file_replans_all_of_the_model(study):
    every = study.planned("--forceall", TIMING, COPY)
    small_gguf(study.folder / "checkpoints/small.gguf", seed=1)
    without = {"formulas", "ceilings"}
    assert study.planned(TIMING, COPY) == {job for job in every if job[0] not in without}


def test_jobs_that_no_model_runs_in_do_not_have_it_unpacked(study):
    study.configure(timing__threshold=0.8)
    assert study.planned(TIMING) == {("timing", TIMING)}

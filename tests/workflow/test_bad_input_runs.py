"""Bad input given to the real `snakemake`: it stops in seconds, names it, and makes nothing."""

import os
import resource

import pytest
import yaml
from support.bad_input import OVERLAYS, OWN_CONFIGS
from support.checkpoints import own_code_llama, random_gpt2
from support.outcomes import COLUMNS, record
from support.studies import Study, copied_repository

from think_to_talk.files.jsonl import read_jsonl, write_jsonl
from think_to_talk.formulas.datasets import generate_splits

TABLE = "bad input to snakemake"
COLUMNS[TABLE] = ("refused in seconds", "anything else")
#: Seconds of processor time that a refusal may take; starting Snakemake and Python takes most.
PATIENCE = 60
#: What a shell would make of a path that is not quoted.
PAYLOAD = "it's; touch pwned; $(touch pwned) `touch pwned` \"& touch pwned"


@pytest.fixture(scope="module")
def written(tmp_path_factory, tasks):
    """A study of an existing dataset and checkpoint that has not run."""
    folder = copied_repository(tmp_path_factory.mktemp("written") / "study")
    sizes = {"train": 5, "valid": 5, "test": 20, "probing_train": 40}
    splits = generate_splits(tasks["level-1"], sizes, 7)
    for split in ("test", "probing_train"):
        write_jsonl(folder / f"data/{split}.jsonl", splits[split])
    random_gpt2(folder / "checkpoints/gpt2", layers=2)
    files = {split: f"data/{split}.jsonl" for split in ("test", "probing_train")}
    overlay = {
        "tasks": {**{f"level-{i}": None for i in range(1, 6)}, "existing": {"files": files}},
        "models": {
            "tiny": None,
            "local": {"kind": "local", "path": "checkpoints/gpt2", "device": "cpu"},
        },
        "hidden_states": {"shard_rows": 30},
    }
    (folder / "study.yaml").write_text(yaml.safe_dump(overlay))
    return Study(folder, "study.yaml")


@pytest.fixture
def study(written, tmp_path):
    return written.copy(tmp_path / "study")


def refused(study, what, message, *arguments):
    """A run that stops soon, says why without a traceback, and makes nothing."""
    outcome = "anything else"
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    try:
        # The time of a fork would not be among that of children.
        run = study.snakemake(*arguments, check=False, forked=False)
        shown = run.stdout + run.stderr
        assert run.returncode != 0
        assert message in shown, shown[-3000:]
        assert "Traceback" not in shown
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < PATIENCE
        kept = ("logs", "benchmarks")
        results = study.folder / "results"
        assert [path for path in results.glob("*") if path.name not in kept] == []
        assert not list(study.folder.rglob("pwned"))
        outcome = "refused in seconds"
    finally:
        record(TABLE, what, outcome)


def first_in_every_run(cases):
    """The first of these cases, and the others for `make test-all` alone.

    Messages are tested in-process (tests/study); a run shows that an entrance leads to them.
    """
    first, *others = cases
    return [first, *(pytest.param(case, marks=pytest.mark.thorough) for case in others)]


@pytest.mark.parametrize("what", first_in_every_run(OWN_CONFIGS))
def test_a_config_that_cannot_be_read_is_named(study, what):
    content, message = OWN_CONFIGS[what]
    (study.folder / "config.yaml").write_bytes(content)
    study.overlay = None
    refused(study, "config.yaml", message)


#: Snakemake reads overlays before it reads the workflow: these are its own words.
OF_SNAKEMAKE = {
    "malformed YAML": ("a: [1\nb: }", "Config file is not valid JSON or YAML"),
    "empty": ("# seeds: [1]\n", "Config file must be given as JSON or YAML with keys at top level"),
    "no mapping": ("- a\n", "Config file must be given as JSON or YAML with keys at top level"),
}


@pytest.mark.parametrize("what", first_in_every_run([*OVERLAYS, *OF_SNAKEMAKE]))
def test_an_overlay_that_is_wrong_is_named(study, what):
    text, message = {**OVERLAYS, **OF_SNAKEMAKE}[what]
    (study.folder / "mine.yaml").write_text(text)
    study.overlay = "mine.yaml"
    refused(study, "overlay", message)


VALUES = {
    "models=3": "config: models: 3 is not of type 'object'",
    "seeds=[.inf]": "config: seeds.0: '.inf' is not of type 'integer'",
    "nonsense=1": "config: nonsense: unknown key",
}


@pytest.mark.parametrize("value", first_in_every_run(VALUES))
def test_a_value_on_the_command_line_that_is_wrong_is_named(study, value):
    refused(study, "--config", VALUES[value], "--config", value)


DATASETS = {
    "a line of 100 MB": (
        lambda lines: [b"x" * 10**8, *lines],
        "line 1: longer than 1000000 bytes; expected one problem per line",
    ),
    "a later line of 100 MB": (
        lambda lines: [*lines, b"x" * 10**8],
        "line 21: longer than 1000000 bytes; expected one problem per line",
    ),
    "invalid UTF-8": (lambda lines: [*lines, b"\xff\n"], "line 21: not JSON in UTF-8"),
    "contradicting keys": (
        lambda lines: [lines[0].replace(b'"scratchpad": "', b'"scratchpad": "7 ')],
        "line 1, key 'scratchpad': expected the target without",
    ),
    "empty": (lambda lines: [], "no rows; expected one JSON object per line"),
}


@pytest.mark.parametrize("what", first_in_every_run(DATASETS))
def test_a_dataset_that_is_wrong_is_named_with_its_line(study, what):
    change, message = DATASETS[what]
    path = study.folder / "data/test.jsonl"
    path.write_bytes(b"".join(change(path.read_bytes().splitlines(keepends=True))))
    separator = ": " if what == "empty" else ", "
    refused(
        study,
        "dataset",
        f"data/test.jsonl{separator}{message}",
        "results/formulas/seed-42/existing/test.jsonl",
    )


def test_paths_with_braces_or_line_breaks_are_refused(study):
    study.configure(models__local__path="checkpoints/{model}")
    refused(study, "paths", "config: models.local.path: 'checkpoints/{model}' does not match")
    study.configure(models__local__path="checkpoints/gpt2")
    study.configure(tasks__existing__files__test="data/a\nb.jsonl")
    refused(study, "paths", "config: tasks.existing.files.test: 'data/a\\nb.jsonl' has a line")


def test_paths_are_never_read_by_a_shell(study):
    """Quotes, semicolons, `$( )` and backticks in them are characters like others."""
    (study.folder / "data").rename(study.folder / PAYLOAD)
    (study.folder / "checkpoints").rename(study.folder / f"{PAYLOAD} 2")
    files = {split: f"{PAYLOAD}/{split}.jsonl" for split in ("test", "probing_train")}
    study.configure(tasks__existing__files=files, models__local__path=f"{PAYLOAD} 2/gpt2")
    study.snakemake("results/local/seed-42/generations/existing/test.jsonl")
    rows = read_jsonl(study.folder / "results/local/seed-42/generations/existing/test.jsonl")
    assert len(rows) == 20
    assert not list(study.folder.rglob("pwned"))


def test_paths_are_bound_in_a_container_as_they_are(study, tmp_path):
    """What stands in for Apptainer here writes down its arguments, and runs nothing."""
    (tmp_path / "bin").mkdir()
    apptainer = tmp_path / "bin/apptainer"
    apptainer.write_text(
        "#!/bin/sh\n"
        'test "$1" = --version && echo apptainer version 1.3.4 && exit\n'
        f"printf '%s\\n' \"$@\" >> '{tmp_path}/arguments'\nexit 1\n"
    )
    apptainer.chmod(0o755)
    (study.folder / "data").rename(tmp_path / PAYLOAD)
    (study.folder / "image.sif").touch()
    files = {split: f"{tmp_path / PAYLOAD}/{split}.jsonl" for split in ("test", "probing_train")}
    study.configure(tasks__existing__files=files, container="image.sif")
    study.environment = {"PATH": f"{apptainer.parent}:{os.environ['PATH']}"}
    wanted = "results/formulas/seed-42/existing/test.jsonl"
    assert study.snakemake("--use-singularity", wanted, check=False).returncode != 0
    arguments = (tmp_path / "arguments").read_text().splitlines()
    assert set(files.values()) < set(arguments)
    assert not list(tmp_path.rglob("pwned"))

    study.configure(models__local__path=str(tmp_path / "a:b"))
    random_gpt2(tmp_path / "a:b", layers=1)
    refused(study, "paths", f"{tmp_path}/a:b: Apptainer binds no path with", "--use-singularity")


def test_code_of_a_checkpoint_is_run_for_the_model_that_trusts_it_alone(mini, tmp_path):
    own_code_llama(mini.folder / "own")
    mini.environment = {
        "RUN": str(tmp_path / "run"),
        "HF_MODULES_CACHE": str(tmp_path / "modules"),
    }
    mini.configure(models__own={"kind": "local", "path": "own", "device": "cpu"})
    run = mini.snakemake("--dry-run", check=False)
    assert run.returncode != 0
    assert "config: models.own.trust_remote_code: own/config.json asks for Python code" in (
        run.stdout + run.stderr
    )
    assert not (tmp_path / "run").exists()

    mini.configure(models__own__trust_remote_code=True)
    shard = "results/{}/seed-1/hidden_states/existing/test/00000.safetensors"
    wanted = [shard.format(model) for model in ("local", "own")]
    planned = mini.planned(*wanted)
    assert planned
    assert all("/own/" in output for _, output in planned)
    run = mini.snakemake(*wanted)
    warning = "models.own.trust_remote_code: Python code that comes with this checkpoint may be run"
    assert (run.stdout + run.stderr).count(warning) == 1
    assert (tmp_path / "run").exists()
    logs = mini.folder / "results/logs"
    for log in ("tokens/own/seed-1/existing.log", "hidden_states/own/seed-1/existing/test/00000"):
        text = (logs / log).with_suffix(".log").read_text()
        assert "warning: own: Python code that comes with the checkpoint may be run" in text
    assert "Python code" not in (logs / "tokens/local/seed-1/existing.log").read_text()

"""Hub models: downloaded through the real client library, from a hub on this machine."""

import json
import os
import shutil
import subprocess
import sys

import pytest
import torch
import yaml
from support.hub_server import Hub, serving
from support.repository import REPOSITORY
from support.studies import Study, copied_repository
from transformers import LlamaConfig, LlamaForCausalLM

from think_to_talk.files.jsonl import read_jsonl
from think_to_talk.tokens.symbol_tokenizer import symbol_tokenizer

REPOSITORY_NAME, REVISION = "org/model", "0123456789abcdef" * 2 + "01234567"
TOKEN = "hf_" + "s3cr3t" * 6
ARCHITECTURE = {
    "num_hidden_layers": 4,
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_attention_heads": 2,
    "vocab_size": 44,
    "tie_word_embeddings": False,
}


@pytest.fixture(scope="module")
def repository(tmp_path_factory):
    """What a hub repository holds: weights in several files, pickles, code, duplicates."""
    folder = tmp_path_factory.mktemp("repository")
    torch.manual_seed(0)
    tokenizer = symbol_tokenizer()
    config = LlamaConfig(**ARCHITECTURE, bos_token_id=None)
    LlamaForCausalLM(config).save_pretrained(folder, max_shard_size="60KB")
    tokenizer.chat_template = "{{ messages }}"
    tokenizer.save_pretrained(folder)
    assert len(list(folder.glob("model-*.safetensors"))) > 1
    for name in ("pytorch_model.bin", "modeling_evil.py", "consolidated.safetensors"):
        (folder / name).write_bytes(b"not wanted")
    return folder


@pytest.fixture
def hub(repository, tmp_path):
    """A running hub, and the environment in which the client library talks to it."""
    folder = shutil.copytree(repository, tmp_path / "served")
    hub = Hub(REPOSITORY_NAME, REVISION, folder)
    with serving(hub) as address:
        hub.environment = {"HF_ENDPOINT": address, "HF_TOKEN": TOKEN}
        yield hub


def download(
    folder,
    environment,
    repository=REPOSITORY_NAME,
    revision=REVISION,
    declared=None,
    trust_remote_code=False,
):
    """Run the download script by hand, in a process of its own, as its rule does."""
    return subprocess.run(
        [
            sys.executable,
            REPOSITORY / "workflow_scripts/download.py",
            "wildcards.model=mine",
            f"params.repository={repository}",
            f"params.revision='{revision}'",
            f"params.trust_remote_code={trust_remote_code}",
            f"config.models={json.dumps({'mine': {'architecture': declared} if declared else {}})}",
            "output.manifest=snapshot.json",
        ],
        cwd=folder,
        capture_output=True,
        text=True,
        env={**os.environ, "HF_HOME": str(folder / "home"), **environment},
    )


def snapshot(folder):
    name = "models--" + REPOSITORY_NAME.replace("/", "--")
    return folder / "home/hub" / name / "snapshots" / REVISION


def refused(run, folder):
    assert run.returncode == 1
    assert "Traceback" not in run.stderr
    assert not (folder / "snapshot.json").exists()
    assert TOKEN not in run.stdout + run.stderr
    return run.stderr


def test_only_safetensors_configuration_and_tokenizer_are_downloaded(hub, tmp_path):
    run = download(tmp_path, hub.environment, declared=ARCHITECTURE)
    assert run.returncode == 0, run.stderr
    manifest = json.loads((tmp_path / "snapshot.json").read_text())
    assert (manifest["repository"], manifest["revision"]) == (REPOSITORY_NAME, REVISION)
    there = {path.name for path in snapshot(tmp_path).iterdir()}
    assert set(manifest["files"]) <= there
    assert {"config.json", "tokenizer.json", "model.safetensors.index.json"} <= there
    assert "chat_template.jinja" in manifest["files"]
    assert not {"pytorch_model.bin", "modeling_evil.py", "consolidated.safetensors"} & there
    for name, size in manifest["files"].items():
        assert (hub.folder / name).stat().st_size == size
    assert any(authorization == f"Bearer {TOKEN}" for *_, authorization in hub.requests)


def test_weights_are_the_files_that_the_index_lists(hub, tmp_path):
    """Whatever their names; other safetensors files are duplicates."""
    index = hub.folder / "model.safetensors.index.json"
    listed = json.loads(index.read_text())
    names = {
        old: f"part_{i}.safetensors"
        for i, old in enumerate(sorted(set(listed["weight_map"].values())))
    }
    for old, new in names.items():
        (hub.folder / old).rename(hub.folder / new)
    listed["weight_map"] = {key: names[old] for key, old in listed["weight_map"].items()}
    index.write_text(json.dumps(listed))
    shutil.copy(hub.folder / names.popitem()[1], hub.folder / "model-copy.safetensors")
    run = download(tmp_path, hub.environment)
    assert run.returncode == 0, run.stderr
    files = json.loads((tmp_path / "snapshot.json").read_text())["files"]
    assert set(listed["weight_map"].values()) <= files.keys()
    there = {path.name for path in snapshot(tmp_path).iterdir()}
    assert "model-copy.safetensors" not in there


def test_an_index_of_pickles_is_refused(hub, tmp_path):
    index = hub.folder / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": {"lm_head.weight": "pytorch_model.bin"}}))
    error = refused(download(tmp_path, hub.environment), tmp_path)
    assert "models.mine: " in error
    assert "lists 'pytorch_model.bin', expected files *.safetensors" in error
    assert not (snapshot(tmp_path) / "pytorch_model.bin").exists()


def test_a_checkpoint_s_code_is_downloaded_only_if_it_is_trusted(hub, tmp_path):
    run = download(tmp_path, hub.environment, trust_remote_code=True)
    assert run.returncode == 0, run.stderr
    files = json.loads((tmp_path / "snapshot.json").read_text())["files"]
    there = {path.name for path in snapshot(tmp_path).iterdir()}
    assert "modeling_evil.py" in files.keys() & there
    assert not {"pytorch_model.bin", "consolidated.safetensors"} & there


def test_a_checkpoint_that_needs_code_is_refused_by_its_key(hub, tmp_path):
    path = hub.folder / "config.json"
    code = {"model_type": "own", "auto_map": {"AutoModelForCausalLM": "modeling_evil.Own"}}
    path.write_text(json.dumps({**json.loads(path.read_text()), **code}))
    error = refused(download(tmp_path, hub.environment), tmp_path)
    assert "models.mine.trust_remote_code: " in error
    assert "asks for Python code of its own" in error


@pytest.mark.documented("hf models info Qwen/Qwen2.5-7B --expand sha")
def test_the_newest_revision_is_shown_by_the_documented_command(hub, tmp_path):
    command = "hf models info Qwen/Qwen2.5-7B --expand sha"
    run = subprocess.run(
        command.replace("Qwen/Qwen2.5-7B", REPOSITORY_NAME).split(),
        env={**os.environ, **hub.environment, "HF_HOME": str(tmp_path / "cache")},
        executable=f"{sys.prefix}/bin/hf",
        text=True,
        capture_output=True,
    )
    assert run.returncode == 0, run.stderr
    assert REVISION in run.stdout


def test_a_filled_cache_works_offline_and_an_empty_one_says_what_to_do(hub, tmp_path):
    offline = {"HF_HUB_OFFLINE": "1"}
    error = refused(download(tmp_path, offline), tmp_path)
    assert "models.mine: org/model at 0123456789ab: not (or not completely) in the cache" in error
    assert "HF_HOME" in error
    assert download(tmp_path, hub.environment).returncode == 0
    (tmp_path / "snapshot.json").unlink()
    assert download(tmp_path, offline).returncode == 0
    assert (tmp_path / "snapshot.json").exists()


def test_a_gated_model_says_to_accept_its_licence(hub, tmp_path):
    hub.fault = "gated"
    error = refused(download(tmp_path, hub.environment), tmp_path)
    assert "models.mine: org/model at 0123456789ab: access is gated" in error
    assert "HF_TOKEN" in error


def test_a_token_that_is_not_valid_is_named(hub, tmp_path):
    hub.fault = "denied"
    error = refused(download(tmp_path, hub.environment), tmp_path)
    assert "models.mine: org/model at 0123456789ab: access is denied" in error
    assert "set HF_TOKEN to a valid token with access" in error


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"repository": "org/modle"}, "org/modle at 0123456789ab: no such repository"),
        ({"revision": "f" * 40}, "org/model at ffffffffffff: no such revision"),
    ],
)
def test_a_missing_model_or_revision_is_named(hub, tmp_path, change, message):
    assert message in refused(download(tmp_path, hub.environment, **change), tmp_path)


def test_a_hub_that_cannot_be_reached_is_named(hub, tmp_path):
    environment = {**hub.environment, "HF_ENDPOINT": "http://127.0.0.1:9"}
    error = refused(download(tmp_path, environment), tmp_path)
    assert "models.mine: org/model" in error
    assert "cannot be reached" in error


def test_after_an_interrupted_download_complete_files_are_not_fetched_again(hub, tmp_path):
    hub.fault = "cut"
    error = refused(download(tmp_path, hub.environment), tmp_path)
    assert "models.mine: org/model at 0123456789ab: download interrupted" in error
    assert "run again" in error
    hub.fault = None
    hub.requests.clear()
    assert download(tmp_path, hub.environment).returncode == 0
    fetched = [path for method, path, *_ in hub.requests if method == "GET"]
    assert any(path.endswith(".safetensors") for path in fetched)
    assert not any(path.endswith("config.json") for path in fetched)


def test_a_truncated_file_in_the_cache_is_named(hub, tmp_path):
    assert download(tmp_path, hub.environment).returncode == 0
    (tmp_path / "snapshot.json").unlink()
    weights = next(snapshot(tmp_path).glob("model-*.safetensors")).resolve()
    weights.write_bytes(weights.read_bytes()[:-100])
    error = refused(download(tmp_path, {"HF_HUB_OFFLINE": "1"}), tmp_path)
    assert "is not complete" in error
    assert str(weights) in error


def test_a_repository_without_safetensors_is_refused(hub, tmp_path):
    for path in hub.folder.glob("model*"):
        path.unlink()
    error = refused(download(tmp_path, hub.environment), tmp_path)
    assert "model.safetensors is missing" in error
    assert "read from safetensors only" in error


def test_a_declared_architecture_that_is_not_the_model_s_is_refused(hub, tmp_path):
    declared = {**ARCHITECTURE, "hidden_size": 64}
    error = refused(download(tmp_path, hub.environment, declared=declared), tmp_path)
    assert "models.mine.architecture.hidden_size: the config says 64" in error
    assert "config.json 32" in error


@pytest.fixture
def study(tmp_path):
    """A small study of the hub's model, one level."""
    study = Study(copied_repository(tmp_path / "study"), "hub.yaml")
    entry = {"kind": "hub", "repository": REPOSITORY_NAME, "revision": REVISION, "device": "cpu"}
    overlay = {
        "seeds": [1],
        "splits": {"train": 20, "valid": 10, "test": 20, "probing_train": 40},
        "tasks": {f"level-{i}": None for i in range(2, 6)},
        "models": {"tiny": None, "mine": {**entry, "layers": [0, 4]}},
        "probes": {"train_on": "all", "min_train_rows": 20},
    }
    (study.folder / study.overlay).write_text(yaml.safe_dump(overlay))
    return study


@pytest.mark.thorough
def test_a_study_downloads_its_model_and_runs_offline_from_then_on(hub, study, tmp_path):
    """Sizes come from the hub's config.json while planning; the token is in no file."""
    home = {"HF_HOME": str(tmp_path / "home")}
    study.environment = {**home, **hub.environment}
    study.snakemake()
    rows = read_jsonl(study.folder / "results/mine/seed-1/probes/level-1.jsonl")
    assert {row["layer"] for row in rows} == {0, 4}
    for path in study.folder.rglob("*"):
        if path.is_file():
            assert TOKEN.encode() not in path.read_bytes(), path
    study.environment = {**home, "HF_HUB_OFFLINE": "1"}
    assert study.planned() == set()
    study.configure(models__mine__layers=[2])
    study.snakemake()
    rows = read_jsonl(study.folder / "results/mine/seed-1/probes/level-1.jsonl")
    assert {row["layer"] for row in rows} == {2}

    # Declaring what is known anyway reruns nothing; another commit is another model.
    study.configure(models__mine__architecture=ARCHITECTURE)
    assert study.planned() == set()
    study.configure(models__mine__architecture={**ARCHITECTURE, "vocab_size": 45})
    wrong = study.snakemake("--dry-run", check=False)
    assert "models.mine.architecture.vocab_size: the config says 45" in wrong.stdout + wrong.stderr
    study.configure(models__mine__architecture=ARCHITECTURE)
    study.configure(models__mine__revision="f" * 40)
    planned = {rule for rule, _ in study.planned()}
    assert {"download", "hidden_states", "tokens_level-1", "probes"} < planned
    study.configure(models__mine__revision=REVISION)

    # Weights that have left the cache are missed by name.
    study.configure(models__mine__layers=[3])
    next(snapshot(tmp_path).glob("model-*.safetensors")).unlink()
    run = study.snakemake(check=False)
    assert run.returncode != 0
    assert f"download it again with `hf download {REPOSITORY_NAME} --revision {REVISION}`" in (
        run.stdout + run.stderr
    )


def test_planning_without_hub_cache_or_declared_architecture_says_what_to_do(study, tmp_path):
    study.environment = {"HF_HOME": str(tmp_path / "empty"), "HF_HUB_OFFLINE": "1"}
    run = study.snakemake("--dry-run", check=False)
    shown = run.stdout + run.stderr
    assert run.returncode != 0
    assert "models.mine: org/model at 0123456789ab: not (or not completely) in the cache" in shown
    assert "Traceback" not in shown

"""Real workflow runs, each in its own copy of the repository."""

import pickle
import shutil
from urllib.parse import urlencode

import pytest
import yaml
from support.browser import EXPLORER, chromium, opened
from support.checkpoints import random_gpt2
from support.configs import tiny
from support.repository import GENERAL_FEW_SHOT
from support.shared import shared
from support.studies import SECRETS, Study, copied_repository

from think_to_talk.files.atomic import replacing

#: Every kind of rule but those of the hub, of W&B and of containers, with as few rows and jobs as
#: they take.
MINI = {
    "seeds": [1],
    "splits": {"train": 60, "valid": 20, "test": 40, "probing_train": 80},
    "hidden_states": {"shard_rows": 80, "dtype": "model"},
    # Tests read them.
    "keep_hidden_states": True,
    "probes": {"train_on": "all", "min_train_rows": 20, "folds": 2},
    "controls": {"thresholds": [0.5]},
    "interventions": {"pairs": 8},
    "tasks": {
        "level-1": {"edits": {"first-formula": None, "random": None}},
        **{f"level-{i}": None for i in range(2, 6)},
        "general": GENERAL_FEW_SHOT,
        "existing": {"files": {"test": "data/a.jsonl", "probing_train": "data/b.jsonl"}},
    },
    "models": {
        "tiny": {"tasks": ["level-1"], **tiny(steps=20, rows=200, hidden_size=32)},
        # It writes no chain, and no end of one.
        "local": {
            **{"kind": "local", "path": "checkpoints/gpt2", "layers": 2},
            **{"batch_size": 64, "max_new_tokens": 60},
        },
    },
}
#: Rows of its existing dataset: the second has two shards.
EXISTING = {"test": 30, "probing_train": 90}


def mini_study(folder):
    """The small study before its first run, with its checkpoint and its existing dataset."""
    from think_to_talk.files.jsonl import write_jsonl
    from think_to_talk.formulas.datasets import generate_splits
    from think_to_talk.study.configuration import complete, load_schema

    folder = copied_repository(folder)
    (folder / "mini.yaml").write_text(yaml.safe_dump(MINI))
    default = yaml.safe_load((folder / "config.yaml").read_text())
    tasks = complete(default, load_schema("config", folder / "schemas"))["tasks"]
    elsewhere = generate_splits(tasks["level-3"], {"train": 5, "valid": 5, **EXISTING}, 7)
    write_jsonl(folder / "data/a.jsonl", elsewhere["test"])
    write_jsonl(folder / "data/b.jsonl", elsewhere["probing_train"])
    random_gpt2(folder / "checkpoints/gpt2")
    return Study(folder, "mini.yaml")


def made_once(tmp_path_factory, name, make):
    """A copy of the study that `make(folder)` returns; it is made once for all processes of tests.

    make: its argument is a folder that is not there yet.
    """
    with shared(name) as folder:
        kept = folder.with_suffix(".pickle")
        if not kept.is_file():
            shutil.rmtree(folder, ignore_errors=True)
            made = pickle.dumps(make(folder / "study"))
            with replacing(kept) as whole:
                whole.write_bytes(made)
        made = pickle.loads(kept.read_bytes())
        study = made.copy(tmp_path_factory.mktemp(name) / "study")
    vars(study).update({**vars(made), "folder": study.folder})
    return study


#: What the small study leaves off, so that the tests that run it whole take less time.
SWITCHED_ON = {
    "steering__enabled": True,
    "interventions__free_writing": True,
    "interventions__random_donor": True,
    "interventions__probes": True,
    "transfer": {
        "within": {"train": "level-1", "test": "level-1"},
        "swapped": {"train": "existing", "test": "level-1", "symbol_map": {"A": "B", "B": "A"}},
    },
    **{
        f"tasks__{name}": {
            "equations": ["v0 = num ± num", "v1 = num ± v0"],
            "order": "reversed",
            "chain": chain,
            "edits": {"second-formula": ["v0.2"]},
        }
        for name, chain in {"answer": "none", "cut": 2}.items()
    },
}


def _finished_mini(tmp_path_factory):
    def make(folder):
        study = mini_study(folder)
        # With a key, W&B would be online.
        study.environment = SECRETS
        study.output = study.snakemake("--config", "wandb={mode: disabled}")
        study.environment = {}
        return study

    return made_once(tmp_path_factory, "mini", make)


@pytest.fixture(scope="session")
def finished_mini(tmp_path_factory):
    """A small study that has run: a trained and a local model, generated and existing datasets."""
    return _finished_mini(tmp_path_factory)


@pytest.fixture(scope="session")
def switched_on(tmp_path_factory):
    """The same study, when it has run again with all that it leaves off."""

    def make(folder):
        study = _finished_mini(tmp_path_factory).copy(folder)
        study.configure(**SWITCHED_ON)
        study.snakemake()
        return study

    return made_once(tmp_path_factory, "switched-on", make)


@pytest.fixture(scope="session")
def untouched(tmp_path_factory):
    """The same study before its first run."""
    return mini_study(tmp_path_factory.mktemp("untouched") / "study")


@pytest.fixture
def mini(finished_mini, tmp_path):
    """A copy of the finished small study, to be changed."""
    return finished_mini.copy(tmp_path / "study")


#: What tests of the explorer choose unless they choose something else.
FIRST = {"model": "local", "task": "level-1"}


@pytest.fixture(scope="module")
def browser():
    with chromium() as browser:
        yield browser


@pytest.fixture
def explorer(browser, finished_mini):
    """Opens the explorer, the study's or another file, at FIRST and the choices given.

    window: options of `support.browser.opened`.
    It must never complain.
    """
    pages = []
    of_study = finished_mini.folder / "results/summary/explorer.html"

    def explorer(file=of_study, window=None, **choices):
        address = f"#{urlencode({**FIRST, **choices}, doseq=True)}"
        page, complaints = opened(browser, file, EXPLORER, address, **(window or {}))
        pages.append((page, complaints))
        return page

    yield explorer
    for page, complaints in pages:
        page.wait_for_timeout(200)
        assert complaints == []
        page.close()

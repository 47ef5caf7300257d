"""Fixtures that more than one test module uses, and what `make test` spreads over processes."""

import copy
import os
from pathlib import Path

import pytest
import torch
import yaml
from support import outcomes
from support.repository import REPOSITORY

from think_to_talk.pages.tables import markdown_table
from think_to_talk.study import configuration


def pytest_runtest_call():
    """Compute with one thread where processes of `make test` share the cores.

    Before each test: a job in this process may set more threads, and they would stay.
    """
    if "PYTEST_XDIST_WORKER" in os.environ:
        torch.set_num_threads(1)


@pytest.fixture(scope="session")
def schema():
    return configuration.load_schema("config", REPOSITORY / "schemas")


@pytest.fixture(scope="session")
def raw_config():
    """The default study's config.yaml, as it is written."""
    return yaml.safe_load((REPOSITORY / "config.yaml").read_text(encoding="utf-8"))


@pytest.fixture(scope="session")
def default_config(raw_config, schema):
    """The default study, checked and with defaults filled in."""
    return configuration.complete(copy.deepcopy(raw_config), schema)


@pytest.fixture(scope="session")
def tasks(default_config):
    return default_config["tasks"]


@pytest.fixture(scope="session")
def trained_on_level_1(tasks):
    """Trains a small model on level 1: a function of the number of steps, to its folder.

    All processes share the folder: it is not to be changed. 80 steps solve about half of the level.
    """

    def trained(steps):
        from support.checkpoints import trained_once

        return trained_once("level-1", tasks["level-1"], steps=steps)

    return trained


#: Folders whose tests share what they set up: a Slurm cluster, a container image, a study's files.
TOGETHER = ("tests/cluster", "tests/container", "tests/reading")
#: Files whose tests share no fixture, so that they may run in several processes.
SPREAD = (
    "tests/workflow/test_bad_input_runs.py",
    "tests/workflow/test_damaged_files.py",
    "tests/workflow/test_staleness.py",
)


#: What takes longest, first, so that no process waits long for the last of another. Slurm's tests
#: mostly wait, while the default study has the cores.
FIRST = (
    *("tests/cluster", "tests/workflow/test_default_study.py", "tests/container"),
    *("tests/workflow/test_kills.py", "tests/project/test_benchmarks.py", "tests/workflow"),
)


def pytest_collection_modifyitems(items):
    """Runs of whole studies come first."""

    def place(item):
        found = (i for i, name in enumerate(FIRST) if item.nodeid.startswith(name))
        return next(found, len(FIRST))

    items.sort(key=place)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """A file's tests run in one process, as they share its fixtures.

    Groups of pytest-xdist 3.8 (`--dist loadgroup`) have no effect with pytest 9.2.
    """
    from xdist.scheduler import LoadScopeScheduling

    # It would begin with the files of most tests.
    config.option.loadscopereorder = False

    class ByFile(LoadScopeScheduling):
        def _split_scope(self, nodeid):
            file = nodeid.partition("::")[0]
            folder = str(Path(file).parent)
            return folder if folder in TOGETHER else nodeid if file in SPREAD else file

    return ByFile(config, log)


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session):
    """Hand what was tried in this process to the one that prints the tables."""
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["outcomes"] = outcomes.taken()


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node):
    """Take what was tried in a process that has ended."""
    outcomes.add(getattr(node, "workeroutput", {}).get("outcomes", ()))


def pytest_terminal_summary(terminalreporter):
    """Tables of what was tried and what became of it, whatever the verbosity."""
    for title, rows in outcomes.tables():
        terminalreporter.section(title)
        terminalreporter.write_line(markdown_table(rows))

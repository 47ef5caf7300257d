"""Fixtures that more than one test module uses, and how tests share the machine."""

import copy
import os

# Two tests run at a time: threads that wait must not take the core that the other's would use.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import outcomes
import pytest
import yaml
from repository import REPOSITORY

from think_to_talk import configuration
from think_to_talk.tables import markdown_table


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


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    """Keep together what shares a study or a Slurm; the longest such groups come first."""
    studies = {"default_study": 0, "finished_mini": 1}
    shared = {}
    for item in items:
        for study in studies.keys() & set(item.fixturenames):
            shared[item.path] = study

    def group(item):
        folder = item.path.parent.name
        return shared.get(item.path) or (
            folder if folder in ("cluster", "container") else item.path
        )

    items.sort(key=lambda item: studies.get(group(item), len(studies)))
    for item in items:
        item.add_marker(pytest.mark.xdist_group(str(group(item))))


def pytest_sessionfinish(session):
    """Of two processes that run tests, each hands in its outcomes."""
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["outcomes"] = outcomes.handed_in()


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node):
    outcomes.take(getattr(node, "workeroutput", {}).get("outcomes"))


def pytest_terminal_summary(terminalreporter):
    """Tables of what was tried and what became of it, whatever the verbosity."""
    for title, rows in outcomes.tables():
        terminalreporter.section(title)
        terminalreporter.write_line(markdown_table(rows))

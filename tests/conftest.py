"""Fixtures that more than one test module uses."""

import copy

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


def pytest_terminal_summary(terminalreporter):
    """Tables of what was tried and what became of it, whatever the verbosity."""
    for title, rows in outcomes.tables():
        terminalreporter.section(title)
        terminalreporter.write_line(markdown_table(rows))

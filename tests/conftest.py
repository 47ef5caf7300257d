"""Fixtures that more than one test module uses."""

import copy

import pytest
import yaml
from outcomes import OUTCOMES
from repository import REPOSITORY

from think_to_talk import configuration
from think_to_talk.tables import markdown_table


def pytest_terminal_summary(terminalreporter):
    for title, rows in OUTCOMES.items():
        terminalreporter.section(title)
        terminalreporter.write_line(markdown_table([("what was tried", "outcome"), *rows]))


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

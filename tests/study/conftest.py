"""Fixtures of tests of planning."""

import pytest
from support.sizes import run_program

from think_to_talk.models import sizes


@pytest.fixture(scope="module", autouse=True)
def measured_here():
    """Sizes are measured in this process: a process for each config would take seconds."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sizes, "run_program", run_program)
        yield


@pytest.fixture(scope="module")
def nowhere(tmp_path_factory):
    """An empty working folder, in which nothing may be written."""
    folder = tmp_path_factory.mktemp("nowhere")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("HF_HUB_OFFLINE", "1")
        yield
    assert list(folder.iterdir()) == []

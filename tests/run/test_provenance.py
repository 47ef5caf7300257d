"""Provenance: the commit as git has it, and the day."""

import subprocess

import pytest

from think_to_talk.run.provenance import commit, provenance


@pytest.fixture
def checkout(tmp_path):
    def git(*arguments):
        identity = ["-c", "user.name=a", "-c", "user.email=a@b"]
        command = ["git", "-C", str(tmp_path), *identity, *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    git("init", "--quiet")
    (tmp_path / "file").write_text("1")
    git("add", ".")
    git("commit", "--quiet", "--message", "one")
    return tmp_path, git("rev-parse", "HEAD")


def test_the_commit_is_the_checkout_s(checkout):
    folder, head = checkout
    assert commit(folder) == head
    (folder / "untracked").write_text("")
    assert commit(folder) == head
    (folder / "file").write_text("2")
    assert commit(folder) == f"{head}, with changes"


def test_a_folder_within_another_checkout_has_no_commit_of_its_own(checkout):
    """As a copy of the repository in somebody's project."""
    folder = checkout[0] / "copy"
    folder.mkdir()
    assert commit(folder) == "not known: no git checkout"


def test_without_git_the_commit_is_not_known(checkout, monkeypatch):
    monkeypatch.setenv("PATH", "")
    assert commit(checkout[0]) == "not known: no git checkout"


def test_the_day_may_be_given(monkeypatch):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "86400")
    found = provenance(["numpy", "not-installed"])
    assert found["Day (UTC)"] == "1970-01-02"
    assert "numpy" in found
    assert "not-installed" not in found

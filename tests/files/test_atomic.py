"""Files appear complete or not at all, with the permissions and times that they should have."""

import errno
import os
import shutil
import threading
import time
from contextlib import contextmanager

import pytest
from safetensors import SafetensorError

from think_to_talk.errors import InputError
from think_to_talk.files.atomic import adding_to, replacing, write_text
from think_to_talk.run.leftovers import (
    check_modification_time,
    check_writable,
    remove_partial,
    reset_future_times,
)


def fail(error, context, path):
    with context(path):
        raise error


@pytest.mark.parametrize("context", [replacing, adding_to])
@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSPC, "No space left on device"),
        OSError(errno.ENOSPC, "No space left on device", "/somewhere/.partial-abc.rows.jsonl"),
        SafetensorError("I/O error: No space left on device (os error 28)"),
    ],
)
def test_an_error_of_writing_names_what_was_to_be_written(tmp_path, context, error):
    path = tmp_path / "folder" / "rows"
    with pytest.raises(OSError, match="No space left on device") as caught:
        fail(error, context, path)
    assert (caught.value.errno, caught.value.filename) == (errno.ENOSPC, str(path))
    assert not list(path.parent.rglob(".partial-*"))


@pytest.mark.parametrize(
    "error",
    [
        FileNotFoundError(errno.ENOENT, "No such file", "input.jsonl"),
        InputError("input.jsonl: not readable (os error 2)"),
        KeyError("key"),
    ],
)
def test_an_error_of_something_else_is_left_as_it_is(tmp_path, error):
    with pytest.raises(type(error)) as caught:
        fail(error, replacing, tmp_path / "rows")
    assert caught.value is error


def test_files_of_a_folder_appear_together_with_usual_permissions(tmp_path):
    (tmp_path / "kept").write_text("kept")
    with adding_to(tmp_path) as folder:
        for name in ("a", "b"):
            (folder / name).write_text(name)
            (folder / name).chmod(0o600)
        assert not (tmp_path / "a").exists()
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {
        "a": "a",
        "b": "b",
        "kept": "kept",
    }
    assert (tmp_path / "a").stat().st_mode == (tmp_path / "kept").stat().st_mode


def test_what_killed_jobs_left_is_removed_and_nothing_else(tmp_path):
    write_text(tmp_path / "a/rows", "rows")
    (tmp_path / "a/.partial-1.rows").write_text("ro")
    (tmp_path / "a/.partial-2").mkdir()
    (tmp_path / "a/.partial-2/.partial-weights").write_text("w")
    remove_partial(tmp_path)
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["rows"]


@contextmanager
def vanishing_folders(folder):
    """Folders of a file each that appear and vanish below a folder while the block runs."""
    stopped = threading.Event()

    def churn():
        while not stopped.is_set():
            for i in range(20):
                (folder / f"{i}").mkdir(parents=True)
                (folder / f"{i}/rows").write_text("rows")
            for i in range(20):
                shutil.rmtree(folder / f"{i}")

    thread = threading.Thread(target=churn)
    thread.start()
    try:
        yield
    finally:
        stopped.set()
        thread.join()


@pytest.mark.parametrize("recover", [remove_partial, reset_future_times])
def test_files_that_vanish_during_recovery_are_no_error(tmp_path, recover):
    folder = tmp_path / "results"
    write_text(folder / "kept", "kept")
    with vanishing_folders(folder / "others"):
        for _ in range(300):
            recover(folder)
    assert (folder / "kept").read_text() == "kept"


def test_modification_times_in_the_future_become_now_and_keep_their_order(tmp_path):
    now = time.time()
    times = {"old": now - 9, "next day": now + 86400, "same day": now + 86400, "next": now + 9}
    for name, made in times.items():
        write_text(tmp_path / "folder" / name, name)
        os.utime(tmp_path / "folder" / name, (made, made))
    reset_future_times(tmp_path)
    made = {name: (tmp_path / "folder" / name).stat().st_mtime for name in times}
    assert made["old"] == pytest.approx(now - 9, abs=1e-3)
    assert made["old"] < made["next"] < made["next day"] == made["same day"]
    assert made["next day"] <= time.time() + 1e-3


def test_an_input_file_with_a_modification_time_in_the_future_is_refused(tmp_path):
    path = tmp_path / "a.jsonl"
    write_text(path, "{}")
    check_modification_time(path)
    os.utime(path, (time.time() + 60, time.time() + 60))
    with pytest.raises(
        InputError, match=r"a\.jsonl: has a modification time in the future .* touch the file"
    ):
        check_modification_time(path)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_must_not_be_written_is_named(tmp_path):
    check_writable(tmp_path / "results")
    tmp_path.chmod(0o500)
    with pytest.raises(PermissionError) as caught:
        check_writable(tmp_path / "results")
    assert caught.value.filename == str(tmp_path)

"""Errors of the machine are explained in one line; all others keep their traceback."""

import errno
import os
import subprocess
import sys

import pytest
import torch
from safetensors import SafetensorError
from support.repository import REPOSITORY

from think_to_talk.errors import InputError, user_message


@pytest.mark.parametrize(
    ("number", "remedy"),
    [
        (errno.ENOSPC, "make room on its disk"),
        (errno.EDQUOT, "make room within the quota"),
        (errno.EROFS, "mount it writable"),
        (errno.EACCES, "see who owns it"),
        (errno.EPERM, "see who owns it"),
        (errno.EMFILE, "raise the limit"),
        (errno.ENFILE, "close other programs"),
    ],
)
def test_an_error_of_the_system_names_the_file_what_it_is_and_the_remedy(number, remedy):
    message = user_message(OSError(number, os.strerror(number), "results/a.jsonl"))
    assert message.startswith(f"results/a.jsonl: {os.strerror(number)} ({remedy}")
    assert "\n" not in message


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        torch.OutOfMemoryError("CUDA out of memory.\nTried to allocate 2 GiB"),
        OSError(errno.ENOMEM, "Cannot allocate memory"),
    ],
)
def test_too_little_memory_is_explained_in_one_line(error):
    message = user_message(error)
    assert message.startswith("out of memory: ")
    assert message.endswith("batch_size or more memory)")
    assert "\n" not in message


def test_so_is_what_torch_says_on_a_cpu():
    with pytest.raises(RuntimeError) as caught:
        torch.empty(2**50, dtype=torch.float64)
    assert user_message(caught.value).startswith("out of memory: ")


def test_what_libraries_in_rust_say_is_understood():
    error = SafetensorError("I/O error: No space left on device (os error 28)")
    assert user_message(error) == (
        "No space left on device (make room on its disk and run the same command again)"
    )


def test_an_input_error_says_what_it_says_and_others_are_not_explained():
    assert user_message(InputError("config: seeds: expected a list")) == (
        "config: seeds: expected a list"
    )
    for error in (KeyError("a"), RuntimeError("b"), FileNotFoundError(2, "c", "d"), OSError("e")):
        assert user_message(error) is None


SCRIPT = """
import sys
sys.path.insert(0, {scripts!r})
import job
with job.running(globals()) as this:
    print("at work", file=sys.stderr)
    {work}
"""


def run_script(folder, work, log):
    """A script run by hand."""
    text = SCRIPT.format(scripts=str(REPOSITORY / "workflow_scripts"), work=work)
    (folder / "script.py").write_text(f'"""A script."""\n{text}')
    command = [sys.executable, str(folder / "script.py"), f"log={log}"]
    return subprocess.run(command, capture_output=True, text=True)


def test_a_script_ends_with_one_line_if_the_machine_is_to_blame(tmp_path):
    log = tmp_path / "a.log"
    run = run_script(tmp_path, 'open("/proc/no", "w")', log)
    assert run.returncode == 1
    assert "Traceback" in log.read_text()
    run = run_script(tmp_path, 'raise OSError(28, "No space left on device", "a.jsonl")', log)
    assert run.returncode == 1
    error = "error: a.jsonl: No space left on device (make room"
    assert log.read_text().startswith(f"at work\n{error}")
    assert "Traceback" not in log.read_text()
    assert run.stderr == ""


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full")
def test_a_log_that_cannot_be_written_hides_nothing(tmp_path):
    run = run_script(tmp_path, "raise MemoryError", "/dev/full")
    assert run.stderr.startswith("at work\nerror: out of memory")
    assert run_script(tmp_path, "pass", "/dev/full").returncode == 0

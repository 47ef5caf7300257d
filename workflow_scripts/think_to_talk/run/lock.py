"""Lock of a study's folder, and recovery after a killed Snakemake.

`rules/setup/execution.smk` wraps the execution of the jobs in `locked`. The lock is a `flock` on
`.snakemake/lock.json`. Snakemake's lock is the existence of a file, which remains when its process
is killed and then blocks the same command. The kernel releases a `flock` when its process ends.
The holder therefore knows that no other Snakemake is alive, and removes what a killed one left.
"""

from __future__ import annotations

import errno
import fcntl
import json
import logging
import os
import socket
import time
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from think_to_talk.errors import InputError, user_message
from think_to_talk.run.leftovers import (
    RUN_VARIABLE,
    check_modification_time,
    check_writable,
    end_local_jobs,
    end_slurm_jobs,
    remove_partial,
    reset_future_times,
)

# Errors of file systems without a working flock; there, only Snakemake's lock protects a folder.
_UNSUPPORTED = {errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP}


def locked(
    execute: Callable[..., None],
    state: Path,
    results: Path,
    input_files: Iterable[str | Path],
    needs_lock: Callable[..., bool],
    error: type[Exception],
) -> Callable[..., None]:
    """A function that calls `execute` under the folder's lock.

    execute: runs the jobs; its keyword arguments are passed on.
    state: the folder's `.snakemake`.
    results: the folder that the study writes.
    input_files: files that exist before the study; their modification times are checked.
    needs_lock: whether the arguments of `execute` require the lock.
    error: type of the exception that replaces an exception with a `user_message`.

    This is not in a workflow file, since Snakemake attributes every exception that is raised during
    execution to the innermost line of a workflow file.
    """

    def execute_locked(**settings: Any) -> None:
        if not needs_lock(**settings):
            return execute(**settings)
        # Messages that do not fit on a full disk are still shown on the terminal.
        logging.raiseExceptions = False
        try:
            for path in input_files:
                check_modification_time(path)
            with folder_lock(state, results):
                return execute(**settings)
        except Exception as failure:
            if isinstance(failure, OSError) and failure.filename is None:
                failure.filename = str(state.absolute())
            message = user_message(failure)
            if message is None:
                raise
            raise error(message) from None

    return execute_locked


@contextmanager
def folder_lock(state: Path, results: Path) -> Iterator[None]:
    """Hold the folder's lock, after removing what a killed Snakemake and its jobs left.

    state: the folder's `.snakemake`.
    results: the folder that the study writes.
    Raises InputError, naming the other process, if another Snakemake holds the lock, and OSError if
    `results` cannot be written.
    """
    check_writable(results)
    state.mkdir(exist_ok=True)
    with open(state / "lock.json", "a+", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise InputError(_refusal(state, _read(file))) from None
        except OSError as error:
            if error.errno not in _UNSUPPORTED:
                raise
            yield
            return
        killed = _read(file)
        locks = list((state / "locks").glob("*.lock"))
        if killed and killed["host"] != socket.gethostname() and locks:
            # On some file systems flock does not work across machines: the other process may be
            # alive. Snakemake's lock then refuses, until the user runs `snakemake --unlock`.
            yield
            return
        if killed:
            end_slurm_jobs(state.absolute().parent)
            end_local_jobs(killed["run"])
        for lock in locks:
            lock.unlink()
        remove_partial(results)
        reset_future_times(results)
        os.environ[RUN_VARIABLE] = str(uuid.uuid4())
        _write(
            file,
            {
                "pid": os.getpid(),
                "host": socket.gethostname(),
                "since": time.strftime("%Y-%m-%d %H:%M:%S"),
                "run": os.environ[RUN_VARIABLE],
            },
        )
        try:
            yield
        finally:
            file.truncate(0)


def _read(file: Any) -> dict[str, Any]:
    """The process that holds the lock or was killed while it did; empty if it ended normally."""
    file.seek(0)
    try:
        return json.loads(file.read())
    except json.JSONDecodeError:
        return {}


def _write(file: Any, holder: dict[str, Any]) -> None:
    file.truncate(0)
    json.dump(holder, file)
    file.flush()


def _refusal(state: Path, other: dict[str, Any]) -> str:
    who = "process {pid} on {host}, since {since}".format(**other) if other else "just started"
    return (
        f"{state.absolute().parent}: another snakemake is running here ({who}); wait until it "
        "ends, or stop it, and run this command again"
    )

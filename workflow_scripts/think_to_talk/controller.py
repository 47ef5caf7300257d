"""One controlling Snakemake per folder, and a fresh start after one that was killed.

Snakemake's own lock is a file. It stays behind when its process is killed, and then stops the same
command, because a file cannot tell a dead controller from a living one. The kernel can: it releases
a `flock` with the process that holds it.
"""

from __future__ import annotations

import errno
import fcntl
import json
import logging
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from think_to_talk.errors import InputError, explained
from think_to_talk.files import bring_to_present, check_made, check_writable, remove_partial

# The environment variable by which local jobs are known as those of one controller.
RUN = "THINK_TO_TALK_RUN"
# What file systems without a working flock answer; there Snakemake's own lock is all there is.
_UNSUPPORTED = {errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP}
# How Snakemake's Slurm executor names its jobs: a UUID per controller, after an optional prefix.
_SLURM_JOB_NAME = re.compile(r"(.*_)?[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
# Slurm lets a cancelled job's processes live for KillWait (30 s unless a site sets it).
_PATIENCE = 120.0


def alone(
    execute: Callable[..., None],
    state: Path,
    results: Path,
    given: Iterable[str | Path],
    needs_lock: Callable[..., bool],
    error: type[Exception],
) -> Callable[..., None]:
    """`execute` under the folder's lock, unless its arguments say that it needs none.

    given: files that the study reads and does not make; none may be from the future.
    error: what is raised in place of an error that `explained` explains. (This is not in the
    workflow's own files, as Snakemake reports whatever fails during execution at the innermost line
    of them.)
    """

    def execute_alone(**settings: Any) -> None:
        if not needs_lock(**settings):
            return execute(**settings)
        # What Snakemake's own log has no room for is shown on the terminal all the same.
        logging.raiseExceptions = False
        try:
            for path in given:
                check_made(path)
            with sole_controller(state, results):
                return execute(**settings)
        except Exception as failure:
            if isinstance(failure, OSError) and failure.filename is None:
                failure.filename = str(state.absolute())
            message = explained(failure)
            if message is None:
                raise
            raise error(message) from None

    return execute_alone


@contextmanager
def sole_controller(state: Path, results: Path) -> Iterator[None]:
    """Hold the folder's lock; first clear away what a killed controller and its jobs left behind.

    state: the folder's `.snakemake`. results: what the study makes.
    Raises InputError, naming the other controller, if one is alive, and OSError if nothing can be
    written to the results.
    """
    check_writable(results)
    state.mkdir(exist_ok=True)
    with open(state / "controller.json", "a+", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise InputError(_refusal(state, _read(file))) from None
        except OSError as error:
            if error.errno not in _UNSUPPORTED:
                raise
            yield
            return
        predecessor = _read(file)
        locks = list((state / "locks").glob("*.lock"))
        if predecessor and predecessor["host"] != socket.gethostname() and locks:
            # Some file systems keep flock within one machine, so the other may be alive:
            # Snakemake's lock refuses, and `snakemake --unlock` says that it is dead.
            yield
            return
        if predecessor:
            _end_slurm_jobs(state.absolute().parent)
            _end_local_jobs(predecessor["run"])
        for lock in locks:
            lock.unlink()
        remove_partial(results)
        bring_to_present(results)
        os.environ[RUN] = str(uuid.uuid4())
        _write(
            file,
            {
                "pid": os.getpid(),
                "host": socket.gethostname(),
                "since": time.strftime("%Y-%m-%d %H:%M:%S"),
                "run": os.environ[RUN],
            },
        )
        try:
            yield
        finally:
            file.truncate(0)


def _read(file: Any) -> dict[str, Any]:
    """Who holds the lock, or held it when it was killed; nothing if it ended by itself."""
    file.seek(0)
    try:
        return json.loads(file.read())
    except json.JSONDecodeError:
        return {}


def _write(file: Any, record: dict[str, Any]) -> None:
    file.truncate(0)
    json.dump(record, file)
    file.flush()


def _refusal(state: Path, other: dict[str, Any]) -> str:
    who = "process {pid} on {host}, since {since}".format(**other) if other else "just started"
    return (
        f"{state.absolute().parent}: another snakemake is running here ({who}); wait until it "
        "ends, or stop it, and run this command again"
    )


def _end_local_jobs(run: str) -> None:
    """Kill the processes that a killed controller left running on this machine."""
    marker = f"{RUN}={run}".encode()

    def alive() -> list[int]:
        processes = []
        for environment in Path("/proc").glob("[0-9]*/environ"):
            try:
                if marker in environment.read_bytes().split(b"\0"):
                    processes.append(int(environment.parent.name))
            except OSError:  # another user's, or gone meanwhile
                continue
        return processes

    def kill(processes: list[int]) -> None:
        for process in processes:
            try:
                os.kill(process, signal.SIGKILL)
            except ProcessLookupError:
                continue

    _end("processes", alive, kill)


def _end_slurm_jobs(folder: Path) -> None:
    """Cancel the Slurm jobs that a killed controller of this folder left queued or running."""
    if shutil.which("squeue") is None:
        return

    def alive() -> list[str]:
        command = ["squeue", f"--user={os.getuid()}", "--noheader", "--format=%A|%j|%Z"]
        queue = subprocess.run(command, capture_output=True, text=True)
        if queue.returncode:
            print(f"warning: squeue: {queue.stderr.strip()}", file=sys.stderr)
        jobs = [line.split("|") for line in queue.stdout.splitlines()]
        return [
            number
            for number, name, workdir in (job for job in jobs if len(job) == 3)
            if _SLURM_JOB_NAME.fullmatch(name) and workdir == str(folder)
        ]

    def cancel(jobs: list[str]) -> None:
        subprocess.run(["scancel", *jobs], check=False)

    _end("Slurm jobs", alive, cancel)


def _end(kind: str, alive: Callable[[], list[Any]], end: Callable[[list[Any]], None]) -> None:
    """End what is alive, and wait until nothing is."""
    deadline = time.monotonic() + _PATIENCE
    orphans = alive()
    if orphans:
        print(f"Ending {len(orphans)} {kind} of a killed snakemake.", file=sys.stderr)
    while orphans:
        if time.monotonic() > deadline:
            raise InputError(
                f"{kind} {', '.join(map(str, orphans))} of a killed snakemake do not end; "
                "end them and run this command again"
            )
        end(orphans)
        time.sleep(0.5)
        orphans = alive()

"""Recovery after a killed run: partial files, modification times in the future, running jobs.

`run/lock.py` calls these functions while it holds the folder's lock and before any job starts, so
that nothing of the study is being written meanwhile.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from think_to_talk.errors import InputError
from think_to_talk.files.atomic import PARTIAL


def _paths_below(folder: str | Path) -> Iterator[Path]:
    """All files and folders below a folder, except those that vanish meanwhile.

    A file server may still be removing what killed processes had open. `Path.rglob` would raise a
    FileNotFoundError.
    """
    for parent, folders, files in os.walk(folder):
        yield from (Path(parent, name) for name in (*folders, *files))


def remove_partial(folder: str | Path) -> None:
    """Remove the partial files of killed jobs below a folder. No job may be running."""
    for path in [path for path in _paths_below(folder) if path.name.startswith(PARTIAL)]:
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


def reset_future_times(folder: str | Path) -> None:
    """Set modification times in the future to now, in the same order. No job may be running.

    Such files were written while the clock was ahead. Files derived from them from now on would be
    older than they are, so that Snakemake would run the jobs again each time.
    """
    now = time.time_ns()
    times = {}
    for path in _paths_below(folder):
        with contextlib.suppress(FileNotFoundError):
            times[path] = path.lstat().st_mtime_ns
    future = {path: modified for path, modified in times.items() if modified > now}
    rank = {modified: i for i, modified in enumerate(sorted(set(future.values())))}
    for path, modified in future.items():
        # Steps of a microsecond, since Snakemake reads a time as a floating-point number.
        reset = now + 1000 * rank[modified]
        with contextlib.suppress(FileNotFoundError):
            os.utime(path, ns=(reset, reset), follow_symlinks=False)


def check_modification_time(path: str | Path) -> None:
    """Raise an InputError if an input file has a modification time in the future.

    One second is tolerated, since the clocks of file servers differ slightly.
    """
    modified = os.stat(path).st_mtime
    if modified > time.time() + 1:
        when = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(modified))
        raise InputError(
            f"{path}: has a modification time in the future ({when}), so that files made from it "
            "would be regenerated in every run: set the clock right, or touch the file"
        )


def check_writable(folder: str | Path) -> None:
    """Raise an OSError if a folder, which need not exist yet, could not be written."""
    folder = Path(folder).absolute()
    existing = next(path for path in (folder, *folder.parents) if path.exists())
    if not os.access(existing, os.W_OK | os.X_OK):
        read_only = os.statvfs(existing).f_flag & os.ST_RDONLY
        number = errno.EROFS if read_only else errno.EACCES
        raise OSError(number, os.strerror(number), str(existing))


# The environment variable that marks the local jobs of one run.
RUN_VARIABLE = "THINK_TO_TALK_RUN"

# How Snakemake's Slurm executor names its jobs: a UUID per run, after an optional prefix.
_SLURM_JOB_NAME = re.compile(r"(.*_)?[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")

# Seconds. Slurm lets the processes of a cancelled job live for KillWait (30 s by default).
_TIMEOUT = 120.0


def end_local_jobs(run: str) -> None:
    """Kill the processes on this machine that a killed Snakemake left running.

    run: the value of their variable RUN_VARIABLE.
    """
    marker = f"{RUN_VARIABLE}={run}".encode()

    def alive() -> list[int]:
        processes = []
        for environment in Path("/proc").glob("[0-9]*/environ"):
            try:
                if marker in environment.read_bytes().split(b"\0"):
                    processes.append(int(environment.parent.name))
            except OSError:  # of another user, or ended meanwhile
                continue
        return processes

    def kill(processes: list[int]) -> None:
        for process in processes:
            try:
                os.kill(process, signal.SIGKILL)
            except ProcessLookupError:
                continue

    _end("processes", alive, kill)


def end_slurm_jobs(folder: Path) -> None:
    """Cancel the Slurm jobs of this folder that a killed Snakemake left queued or running."""
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
    """End the remaining processes or jobs, and wait until none is left.

    kind: what they are called in messages.
    alive: lists those that are left.
    end: kills or cancels those of a list.
    """
    deadline = time.monotonic() + _TIMEOUT
    orphans = alive()
    if orphans:
        print(f"Ending {len(orphans)} {kind} of a killed snakemake.", file=sys.stderr)
    while orphans:
        if time.monotonic() > deadline:
            raise InputError(
                f"{kind} {', '.join(map(str, orphans))} of a killed snakemake do not end within "
                f"{_TIMEOUT:g} s; end them and run this command again"
            )
        end(orphans)
        time.sleep(0.5)
        orphans = alive()

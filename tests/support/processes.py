"""Processes of this machine that tests watch, pause and end; a process may end at any moment."""

import os
import signal
import time
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple


class Process(NamedTuple):
    """A process as the kernel lists it."""

    number: int
    state: str
    parent: int
    group: int


def wait_for(condition, seconds=300):
    """What the condition returns, once that is true. The limit is generous: machines are busy."""
    deadline = time.monotonic() + seconds
    while not (result := condition()):
        assert time.monotonic() < deadline, f"still not so after {seconds} s"
        time.sleep(0.1)
    return result


def running():
    """All processes, without those that have ended and wait to be reaped."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            number, _, rest = stat.read_text().partition(" (")
        except OSError:
            continue
        state, parent, group = rest.rpartition(") ")[2].split()[:3]
        if state not in "ZX":
            found.append(Process(int(number), state, int(parent), int(group)))
    return found


def is_running(number):
    return any(process.number == number for process in running())


def jobs_of(run):
    """The processes that a run's process started, and theirs."""
    parents = {process.number: process.parent for process in running()}
    jobs = {run}
    while more := {child for child, parent in parents.items() if parent in jobs} - jobs:
        jobs |= more
    return jobs - {run}


def kill(numbers):
    """Kill processes; how many of them were still there."""
    return _send(signal.SIGKILL, numbers)


def _send(number_of_signal, numbers):
    sent = 0
    for number in numbers:
        try:
            os.kill(number, number_of_signal)
        except ProcessLookupError:
            continue
        sent += 1
    return sent


def end(run):
    """End a run that `Study.start` started, with its jobs, and wait until all have ended."""

    def left():
        return [process.number for process in running() if process.group == run.pid]

    kill(left())
    run.wait()
    wait_for(lambda: not left())


@contextmanager
def paused(*numbers):
    """Processes that do nothing while the block runs."""
    _send(signal.SIGSTOP, numbers)
    try:
        yield
    finally:
        _send(signal.SIGCONT, numbers)

"""How far a run is, by time: durations of jobs that have ended, and estimates of the others.

A job's estimate is the first of: how long it took before in this folder, times how much longer
other jobs take now; the mean of the jobs of its rule and model in this run, or of its rule; and how
long one takes in the default study. Of a job that runs, its log's progress bar says how far it is.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

#: Seconds that a job of the default study takes on two cores of an AMD EPYC, if more than _SHORT.
_USUAL = {
    **{"train": 140, "probes": 53, "patching": 8, "hidden_states": 4, "forced_answers": 4},
    **{"explorer": 3, "patching_heatmap": 3},
}
_SHORT = 2.0

#: What a progress bar has done, of what, in the last lines of a log.
_BAR = re.compile(rb"%\|[^|\r\n]*\| (\d+)/(\d+) ")
_LAST_BYTES = 500

#: From this share on a progress bar says when its job ends; before, only of a job that has taken
#: longer than its estimate, since a job's first steps are slow.
_TELLING = 0.05


@dataclass(frozen=True)
class PlannedJob:
    """A job of a run.

    what: which of its rule's jobs it is, in words: `tiny, seed 42, level-1`.
    model: its model, if it has one.
    cores: that it takes.
    log: its log file, if it has one.
    before: seconds that it took in an earlier run, or None.
    """

    rule: str
    what: str
    model: str | None
    cores: int
    log: Path | None
    before: float | None

    def __str__(self) -> str:
        return f"{self.rule} ({self.what})" if self.what else self.rule


def seconds_before(benchmark: Path) -> float | None:
    """Seconds that a job took when it ran before, from its benchmark file; None if it did not."""
    with suppress(OSError, ValueError, IndexError):
        return float(benchmark.read_text().splitlines()[-1].split("\t")[0])
    return None


class Outlook:
    """The jobs of a run: which run, how far all are, and how long they still take.

    jobs: {number: job}. cores: that the run has, for all its jobs.
    """

    def __init__(self, jobs: dict[int, PlannedJob], cores: int) -> None:
        self.jobs = jobs
        self._cores = max(1, cores)
        #: {number: when it began} of jobs that run, and {number: seconds} of those that have ended.
        self.running: dict[int, float] = {}
        self.taken: dict[int, float] = {}

    def start(self, number: int, now: float) -> None:
        """A job begins, be it again."""
        self.running[number] = now
        self.taken.pop(number, None)

    def stop(self, number: int, now: float, *, ended: bool) -> float:
        """A job does not run any more; seconds that it took. ended: whether it succeeded."""
        seconds = now - self.running.pop(number, now)
        if ended:
            self.taken[number] = seconds
        return seconds

    def is_complete(self, rule: str) -> bool:
        """Whether all jobs of a rule have ended."""
        return all(number in self.taken for number, job in self.jobs.items() if job.rule == rule)

    def share(self, now: float) -> float:
        """The share of the run's time that has passed, from 0 to 1."""
        done = sum(self._load(number, seconds) for number, seconds in self.taken.items())
        done += sum(self._load(number, now - began) for number, began in self.running.items())
        left = sum(self._load(number, seconds) for number, seconds in self._left(now).items())
        return done / (done + left) if done + left else 1.0

    def seconds_left(self, now: float) -> float:
        """Seconds until the last job ends: while all cores are busy, or one job takes longer."""
        left = self._left(now)
        loads = sum(self._load(number, seconds) for number, seconds in left.items())
        return max([loads / self._cores, *left.values()])

    def _load(self, number: int, seconds: float) -> float:
        """Core-seconds of a job that takes so many seconds."""
        return seconds * min(self.jobs[number].cores, self._cores)

    def _left(self, now: float) -> dict[int, float]:
        """{number: seconds} that jobs which have not ended still take."""
        left = {}
        for number in self.jobs.keys() - self.taken.keys():
            estimate = self._estimate(self.jobs[number])
            if number in self.running:
                passed = now - self.running[number]
                share = bar_share(self.jobs[number].log)
                is_telling = share > (_TELLING if passed < estimate else 0)
                left[number] = (
                    passed * (1 - share) / share if is_telling else max(estimate - passed, 1)
                )
            else:
                left[number] = estimate
        return left

    def _estimate(self, job: PlannedJob) -> float:
        """Seconds that a job takes, as far as is known."""
        if job.before is not None:
            return job.before * self._slowdown()
        of_rule = [number for number in self.taken if self.jobs[number].rule == job.rule]
        of_model = [number for number in of_rule if self.jobs[number].model == job.model]
        measured = [self.taken[number] for number in of_model or of_rule]
        return _mean(measured) if measured else _USUAL.get(job.rule, _SHORT)

    def _slowdown(self) -> float:
        """How many times longer jobs take in this run than before, at least 1."""
        both = [(taken, self.jobs[number].before) for number, taken in self.taken.items()]
        before = sum(seconds for _, seconds in both if seconds)
        taken = sum(taken for taken, seconds in both if seconds)
        return max(1.0, taken / before) if before else 1.0


def _mean(values: Iterable[float]) -> float:
    values = list(values)
    return sum(values) / len(values)


def bar_share(log: Path | None) -> float:
    """How far the progress bar in a log is, from 0 to 1; 0 without one."""
    with suppress(OSError):
        if log is not None:
            with open(log, "rb") as file:
                size = file.seek(0, 2)
                file.seek(max(0, size - _LAST_BYTES))
                if found := _BAR.findall(file.read()):
                    done, total = map(int, found[-1])
                    return done / max(1, total)
    return 0.0

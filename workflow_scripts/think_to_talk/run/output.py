"""What a run prints while its jobs run, in place of Snakemake's blocks of a dozen lines per job.

Without a terminal a job has a line when it begins and one when it ends. On a terminal a live view
shows what runs, how far the run is by time (`run.outlook`) and when it ends; above it stands a line
for each rule whose jobs have all ended. Both have a line for each error, with its cause and log.
What is left out is in Snakemake's own log, below `.snakemake/log`.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from think_to_talk.run.failures import log_verdict
from think_to_talk.run.outlook import Outlook, bar_share

#: Beginnings of what Snakemake says in each run, whatever it does.
_ALWAYS_SAID = (
    *("Building DAG", "Using shell", "Rules claiming", "Provided ", "Group jobs: inactive"),
    *("Conda environments: ignored", "Singularity containers: ignored", "Select jobs", "Execute "),
)

#: Events of Snakemake that say nothing which is not shown in another way.
_NOT_SHOWN = {
    *("workflow_started", "shellcmd", "job_started", "progress", "resources_info", "group_info"),
    *("rulegraph", "debug_dag"),
}

#: Jobs that the live view lists.
_MOST_LISTED = 8

_WARNING = "warning: "

#: What executors of clusters say behind each cause.
_ASIDE = "For further error details"


class RunOutput(logging.Handler):
    """Takes the records of Snakemake's logger for a terminal, or for a file that stands for it.

    plan: gives the jobs of the run; called when Snakemake has planned them.
    console: where to print.
    """

    def __init__(self, plan: Callable[[], Outlook], console: Console) -> None:
        super().__init__()
        self._plan = plan
        self._console = console
        self._outlook: Outlook | None = None
        self._live: Live | None = None
        # The view is drawn by a thread of its own. Not the handler's lock: that is held while the
        # handler prints, and printing waits for the thread.
        self._state = threading.Lock()
        self._began = time.time()
        self._warnings: set[str] = set()

    def emit(self, record: logging.LogRecord) -> None:
        """Show a record."""
        try:
            event = str(getattr(record, "event", None) or "")
            show: Callable[[Any], None] | None = getattr(self, f"_{event}", None)
            if event in _NOT_SHOWN:
                return
            if show is not None:
                show(record)
            else:
                self._message(record)
        except Exception:
            self.handleError(record)

    def close(self) -> None:
        """End the live view."""
        live, self._live = self._live, None
        if live is not None:
            live.stop()
        super().close()

    def _message(self, record: logging.LogRecord) -> None:
        message = record.getMessage() if record.msg else ""
        if message.startswith(_ALWAYS_SAID) and record.levelno < logging.WARNING:
            return
        # The job's own error says more.
        if message.startswith("RuleException:\nCalledProcessError"):
            return
        if message:
            style = {logging.WARNING: "yellow", logging.ERROR: "red"}.get(record.levelno, "")
            self._print(message.strip("\n"), style)

    def _run_info(self, _record: logging.LogRecord) -> None:
        """All jobs are known."""
        self._outlook = self._plan()
        self._began = time.time()
        jobs = len(self._outlook.jobs)
        left = duration(self._outlook.seconds_left(self._began))
        self._print(f"{counted(jobs)}, about {left}")
        if self._console.is_terminal and jobs > 1:
            self._live = Live(
                console=self._console,
                get_renderable=self._view,
                refresh_per_second=2,
                transient=True,
            )
            self._live.start()

    def _job_info(self, record: Any) -> None:
        if self._outlook is None or record.jobid not in self._outlook.jobs:
            return
        with self._state:
            self._outlook.start(record.jobid, time.time())
        if self._live is None:
            self._print_at_time(f"began  {self._outlook.jobs[record.jobid]}")

    def _job_finished(self, record: Any) -> None:
        outlook, now = self._outlook, time.time()
        if outlook is None or record.job_id not in outlook.jobs:
            return
        job = outlook.jobs[record.job_id]
        with self._state:
            seconds = outlook.stop(record.job_id, now, ended=True)
        self._show_warnings(job.log)
        if self._live is None:
            left = duration(outlook.seconds_left(now))
            until = f"{outlook.share(now):.0%}, about {left} left"
            self._print_at_time(f"ended  {job}: {duration(seconds)}; {until}")
        elif outlook.is_complete(job.rule):
            of_rule = [n for n, each in outlook.jobs.items() if each.rule == job.rule]
            taken = duration(sum(outlook.taken[number] for number in of_rule))
            self._print(f"✓ {job.rule:<24} {counted(len(of_rule)):>9} {taken:>13}", "green")

    def _job_error(self, record: Any) -> None:
        outlook = self._outlook
        if outlook is None or record.jobid not in outlook.jobs:
            self._print(record.getMessage(), "red")
            return
        with self._state:
            outlook.stop(record.jobid, time.time(), ended=False)
        job = outlook.jobs[record.jobid]
        scheduler = (record.rule_msg or "").partition(_ASIDE)[0].rstrip(" .")
        cause = "; ".join(part for part in (scheduler, log_verdict(job.log)) if part)
        if cause:
            self._print_at_time(f"failed {job}: {cause} (log: {'; '.join(record.log)})", "red")

    def _group_error(self, record: Any) -> None:
        """Jobs that a cluster runs as one; an error of each follows."""
        jobs = counted(len(record.job_error_info))
        self._print_at_time(f"failed {jobs} in one (log: {'; '.join(record.aux_logs)})", "red")

    def _show_warnings(self, log: Path | None) -> None:
        """Print the warnings in a job's log, each once in a run."""
        if log is None or not log.is_file():
            return
        for line in log.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith(_WARNING) and line not in self._warnings:
                self._warnings.add(line)
                self._print(f"{line} (log: {log})", "yellow")

    def _print_at_time(self, text: str, style: str = "") -> None:
        self._print(f"{time.strftime('%H:%M:%S')}  {text}", style)

    def _print(self, text: str, style: str = "") -> None:
        # On a terminal lines are broken between words.
        self._console.print(Text(text, style), soft_wrap=not self._console.is_terminal)

    def _view(self) -> Group:
        """The live view."""
        outlook, now = self._outlook, time.time()
        if outlook is None:
            return Group()
        with self._state:
            share, left = outlook.share(now), outlook.seconds_left(now)
            running = sorted(outlook.running.items(), key=lambda item: item[1])
            done = len(outlook.taken)
        ends = time.strftime("%H:%M", time.localtime(now + left))
        head = Table.grid(padding=(0, 1))
        head.add_row(
            f"{share:4.0%}",
            ProgressBar(total=1.0, completed=share, width=30),
            f"{done} of {len(outlook.jobs)} jobs",
        )
        times = f"{duration(now - self._began)} so far, about {duration(left)} left, until {ends}"
        jobs = Table.grid(padding=(0, 2))
        for number, began in running[:_MOST_LISTED]:
            job = outlook.jobs[number]
            bar = bar_share(job.log)
            jobs.add_row(job.rule, job.what, duration(now - began), f"{bar:.0%}" if bar else "")
        more = len(running) - _MOST_LISTED
        return Group(
            head, Text(f"     {times}"), jobs, *([Text(f"and {more} more")] if more > 0 else [])
        )


def counted(jobs: int) -> str:
    """A number of jobs in words."""
    return f"{jobs} job" if jobs == 1 else f"{jobs} jobs"


def duration(seconds: float) -> str:
    """Seconds in words: `42 s`, `3 min 05 s`, `2 h 10 min`."""
    seconds = round(seconds)
    if seconds < 60:
        return f"{seconds} s"
    if seconds < 3600:
        return f"{seconds // 60} min {seconds % 60:02} s"
    return f"{seconds // 3600} h {seconds % 3600 // 60:02} min"

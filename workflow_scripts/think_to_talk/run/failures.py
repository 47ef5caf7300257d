"""Reports of jobs from their logs: of those that failed, and of tasks that were left out.

`workflow_scripts/job.py` writes the logs and begins their last line with `SUCCESS` when a job
succeeds; `rules/setup/messages.smk` prints the reports when a run ends.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

#: Beginning of the last line of the log of a job that succeeded.
SUCCESS = "finished in "

#: Beginning of a line with an error that the user can fix.
ERROR = "error: "

#: The last line of the log of a job that the user interrupted.
INTERRUPTED = "interrupted"

#: Beginning of the line of a log that says how to run its job by hand.
COMMAND = "$ "

#: The line of a job that cannot read its task (`files.possibly_empty`).
_LEFT_OUT = re.compile(r"warning: (.+ leaves out .+)")

#: In a line of a progress bar.
_BAR = re.compile(r"\d+%\|")

_TRACEBACK = "Traceback (most recent call last):"

#: Lines shown of each log.
_LAST_LINES = 8

#: Logs shown in a report.
_MOST_LOGS = 10


def unfinished(logs: str | Path, since: float) -> list[Path]:
    """Logs of jobs that did not succeed.

    logs: the folder that holds the logs of all jobs.
    since: start of the run, in seconds since the epoch by the clock of the file system. Older logs
        are of earlier runs.
    """
    return [
        log
        for log in sorted(Path(logs).rglob("*.log"))
        if log.stat().st_mtime >= since and not "".join(_lines(log)[-1:]).startswith(SUCCESS)
    ]


def left_out(logs: Iterable[str | Path]) -> list[str]:
    """What jobs that could not read their tasks say of it, each line once, with a log that has it.

    logs: of jobs that wrote no rows.
    """
    found: dict[str, Path] = {}
    for log in map(Path, logs):
        for line in _lines(log) if log.is_file() else []:
            if match := _LEFT_OUT.fullmatch(line):
                found.setdefault(match[1], log)
    return [f"{what} ({log})" for what, log in found.items()]


def failure_report(logs: list[Path], *, interrupted: bool = False) -> str:
    """The message about jobs that did not succeed; empty if there is nothing to say.

    logs: theirs. For each, the message has its path, last lines and likely cause.
    interrupted: whether the user interrupted the run. Then jobs whose logs give no error have not
        failed.
    """
    parts = []
    if interrupted:
        failed = [log for log in logs if _error(_lines(log))]
        parts.append(f"Interrupted: {len(logs) - len(failed)} job(s) were running.")
        logs = failed
    if logs:
        parts += _failures(logs)
    if parts:
        remedy = "run" if interrupted else "fix the cause and run"
        parts.append(f"Complete results are kept: {remedy} the same command again.")
    return "\n\n".join(parts)


def _failures(logs: list[Path]) -> Iterator[str]:
    yield f"{len(logs)} job(s) failed. The log of each, its last lines and the likely cause:"
    for log in logs[:_MOST_LOGS]:
        yield "\n".join(_log_report(log))
    if len(logs) > _MOST_LOGS:
        yield f"... and {len(logs) - _MOST_LOGS} more."


def _log_report(log: Path) -> Iterator[str]:
    lines = _lines(log)
    yield str(log)
    cause = likely_cause(lines)
    # Of a progress bar the last line is enough, and the cause is said below.
    shown = [
        line
        for line, following in zip(lines, [*lines[1:], ""], strict=False)
        if not line.startswith(COMMAND)
        and line != f"{ERROR}{cause}"
        and not (_BAR.search(line) and _BAR.search(following))
    ]
    yield from (f"    | {line}" for line in shown[-_LAST_LINES:])
    yield f"    likely cause: {cause}"


def _lines(log: Path) -> list[str]:
    text = log.read_text(encoding="utf-8", errors="replace")
    return [line.rstrip() for line in text.splitlines() if line.strip()]


def likely_cause(lines: list[str]) -> str:
    """The likely reason why a job failed, from the lines of its log."""
    if error := _error(lines):
        return error
    if lines[-1:] == [INTERRUPTED]:
        return "the job was interrupted (by SIGINT, as Ctrl-C sends it)"
    return (
        "the job was killed from outside and wrote no error: most often it exceeded its memory or "
        "time (see its resources) or was cancelled"
    )


def log_verdict(log: Path | None) -> str | None:
    """Why the job of a log failed; None if it succeeded, or the user interrupted it."""
    lines = _lines(log) if log is not None and log.is_file() else []
    return None if "".join(lines[-1:]).startswith((SUCCESS, INTERRUPTED)) else likely_cause(lines)


def _error(lines: list[str]) -> str | None:
    """The error that a job's log ends with; None if the job was ended from outside."""
    if lines and lines[-1] == INTERRUPTED:
        return None
    for line in reversed(lines):
        if line.startswith(ERROR):
            return line.removeprefix(ERROR)
    if _TRACEBACK in lines:
        return f"{lines[-1]} (a defect of the workflow or of a package: please report it)"
    return None

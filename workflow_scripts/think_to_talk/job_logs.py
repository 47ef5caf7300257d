"""What the logs of jobs say: which did not end well, their last lines, and the likely cause."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

#: How the last line of a job's log begins if the job ended well.
WORKED = "worked "
#: How a line begins that says what a user can mend.
ERROR = "error: "
_TRACEBACK = "Traceback (most recent call last):"
_LAST_LINES = 8
_SHOWN = 10


def unfinished(logs: str | Path, since: float) -> list[Path]:
    """Logs below a folder that were written to since then, and whose jobs did not end well.

    since: seconds of the epoch, by the clock of the file system.
    """
    return [
        log
        for log in sorted(Path(logs).rglob("*.log"))
        if log.stat().st_mtime >= since and not "".join(_lines(log)[-1:]).startswith(WORKED)
    ]


def account(logs: list[Path]) -> str:
    """What went wrong, for people: each job's log, its last lines and the likely cause."""
    parts = [f"{len(logs)} job(s) failed. Of each, the log, its last lines and the likely cause:"]
    parts += ["\n".join(_of_one(log)) for log in logs[:_SHOWN]]
    if len(logs) > _SHOWN:
        parts.append(f"... and {len(logs) - _SHOWN} more.")
    parts.append("What is complete is kept: mend the cause and give the same command again.")
    return "\n\n".join(parts)


def _of_one(log: Path) -> Iterator[str]:
    lines = _lines(log)
    yield str(log)
    yield from (f"    | {line}" for line in lines[-_LAST_LINES:])
    yield f"    likely cause: {likely_cause(lines)}"


def _lines(log: Path) -> list[str]:
    text = log.read_text(encoding="utf-8", errors="replace")
    return [line.rstrip() for line in text.splitlines() if line.strip()]


def likely_cause(lines: list[str]) -> str:
    """Why a job ended whose log has these lines."""
    for line in reversed(lines):
        if line.startswith(ERROR):
            return line.removeprefix(ERROR)
    if _TRACEBACK in lines:
        return f"{lines[-1]} (a defect of the workflow or of a package: please report it)"
    return (
        "it was stopped from outside, without a word of its own: most often for want of memory or "
        "time (see its resources), or because it was cancelled"
    )

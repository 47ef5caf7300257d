"""The job of a script: its files and parameters, from Snakemake or from the command line.

Every script in this folder begins with `with job.running(globals()) as this:`. Snakemake supplies
the job when it runs a rule; the job's log then begins with the command that does the same by hand.
"""

from __future__ import annotations

import os
import shlex
import sys
import time
import traceback
import warnings
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO, cast

import psutil

# Snakemake puts this folder last: a copy of the package that is installed would be taken instead.
sys.path.insert(0, str(Path(__file__).resolve().parent))

from think_to_talk.errors import user_message
from think_to_talk.run.failures import COMMAND, ERROR, INTERRUPTED, SUCCESS
from think_to_talk.run.job_arguments import (
    ALL,
    PARTS,
    TABLE_FILES,
    names_read,
    read_arguments,
    written_arguments,
)


@dataclass
class Job:
    """Files, parameters, wildcards and resources of a job, with the names that its rule gives them.

    config: the completed configuration of the study. A script reads from it only values that must
        not rerun the job, since Snakemake does not compare it.
    threads: number of cores.
    log: the file that receives the script's stderr, or None.
    """

    input: Any
    output: Any
    params: Any
    wildcards: Any
    resources: Any
    config: Any
    threads: int
    log: str | None


@contextmanager
def running(namespace: Mapping[str, Any]) -> Iterator[Job]:
    """Run the body of a script: stderr goes to the job's log, which ends with the time taken.

    namespace: the script's `globals()`; Snakemake puts the job there.
    An exception ends the script with exit status 1: with one line if it has a `user_message`,
    otherwise with a traceback.
    """
    started = time.time()
    warnings.formatwarning = lambda message, *_args, **_kwargs: f"warning: {message}\n"
    with ExitStack() as stack:
        try:
            job = _job(namespace)
            if job.log:
                terminal = sys.stderr
                log = stack.enter_context(_Log(job.log, terminal))
                sys.stderr = cast(TextIO, log)
                stack.callback(setattr, sys, "stderr", terminal)
            if "snakemake" in namespace:
                print(f"{COMMAND}{_command(namespace, job)}", file=sys.stderr)
            yield job
        except KeyboardInterrupt:
            print(INTERRUPTED, file=sys.stderr)
            raise SystemExit(130) from None
        except Exception as error:
            if message := user_message(error):
                print(f"{ERROR}{message}", file=sys.stderr)
            else:
                traceback.print_exc()
            raise SystemExit(1) from None
        if job.log:
            starting = started - _begin_of_process()
            taken = time.time() - started
            cores = f"{job.threads} core(s)"
            log.write(f"{SUCCESS}{taken:.1f} s on {cores} after {starting:.1f} s of start-up\n")


def _job(namespace: Mapping[str, Any]) -> Job:
    """The job that Snakemake gives to a script, or that of the command line."""
    if "snakemake" in namespace:
        rule = namespace["snakemake"]
        parts = {part: getattr(rule, part) for part in PARTS}
        return Job(**parts, threads=rule.threads, log=rule.log[0] if rule.log else None)
    arguments = sys.argv[1:]
    if not arguments or {"-h", "--help"} & set(arguments):
        print(_usage(Path(namespace["__file__"]), namespace["__doc__"]))
        raise SystemExit(0)
    return Job(**read_arguments(arguments))


def _command(namespace: Mapping[str, Any], job: Job) -> str:
    """The command that runs a job of Snakemake by hand, in the study's folder."""
    # Snakemake runs a copy, and says here what it is a copy of.
    script = Path(namespace["__file__"])
    return shlex.join([sys.executable, str(script), *written_arguments(script, job)])


def _usage(script: Path, description: str) -> str:
    """What `--help` prints."""
    lines = [description.strip(), "", "It reads these arguments, each PART.NAME=VALUE in YAML:"]
    for part, names in names_read(script).items():
        shown = [f"{part}.{name}" for name in names if name != ALL]
        if ALL in names:
            shown.append(f"{part}.NAME for each of its rule's, in their order")
        lines.append(f"  {', '.join(shown)}")
    lines += ["  threads=1, log=FILE (for what is otherwise printed)", ""]
    if example := _example(script):
        return "\n".join([*lines, "Example, from a log of this folder's study:", f"  {example}"])
    lines.append("Example: the first line of each log in a study's results/logs is such a command.")
    return "\n".join(lines)


def _example(script: Path) -> str | None:
    """The command of a job of the study in the working folder; None if it has none."""
    for path in sorted(Path("results/logs").rglob("*.log")):
        with open(path, encoding="utf-8", errors="replace") as log:
            line = log.readline().strip()
        if line.startswith(COMMAND) and f"/{script.name} " in line:
            return line.removeprefix(COMMAND)
    return None


def _begin_of_process() -> float:
    """When this process began, as `time.time` counts."""
    if sys.platform != "linux":
        return psutil.Process().create_time()
    # psutil adds the time since boot to the boot's own, which Linux gives in whole seconds.
    after_name = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
    since_boot = int(after_name[19]) / os.sysconf("SC_CLK_TCK")
    return time.time() - time.clock_gettime(time.CLOCK_BOOTTIME) + since_boot


class _Log:
    """A text stream to a log file: progress bars become lines.

    What a full disk does not take goes to the terminal: it must not hide why a job fails.
    """

    def __init__(self, path: str, terminal: TextIO) -> None:
        self._terminal = terminal
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        # Without a buffer: it would be written again, and fail again, when the file is closed.
        self._file = open(path, "wb", buffering=0)  # noqa: SIM115

    def __enter__(self) -> _Log:
        return self

    def __exit__(self, *_error: object) -> None:
        self._file.close()

    def write(self, text: str) -> int:
        text = text.replace("\r", "\n")
        try:
            self._file.write(text.encode())
        except OSError:
            self._terminal.write(text)
        return len(text)

    def flush(self) -> None:
        """Nothing waits to be written."""

    def isatty(self) -> bool:
        return False


def table_files(output: Any) -> dict[str, str]:
    """The files of a table beside its rows, as keyword arguments of `pages.tables.write_table`."""
    return {f"{kind}_file": getattr(output, kind) for kind in TABLE_FILES}


def stem(path: str) -> str:
    """The name of a file without its suffix."""
    return Path(path).stem

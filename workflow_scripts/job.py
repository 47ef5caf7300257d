"""The job of a script: its files and parameters, from Snakemake or from the command line.

Every script in this folder begins with `with job.running(globals()) as this:`. Snakemake supplies
the job when it runs a rule. On the command line each part is an argument, with a value in YAML:

    python workflow_scripts/probes.py output.rows=rows.jsonl params.probes='{solver: lbfgs, ...}'
"""

from __future__ import annotations

import os
import sys
import time
import traceback
import warnings
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any, TextIO, cast

import psutil
import yaml

# Snakemake puts this folder last: a copy of the package that is installed would be taken instead.
sys.path.insert(0, str(Path(__file__).resolve().parent))

from think_to_talk.errors import user_message
from think_to_talk.run.failures import ERROR, SUCCESS

_PARTS = ("input", "output", "params", "wildcards", "resources", "config")


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
    config: Mapping[str, Any]
    threads: int
    log: str | None


@contextmanager
def running(namespace: Mapping[str, Any]) -> Iterator[Job]:
    """Run the body of a script: stderr also goes to the job's log, which ends with the time taken.

    namespace: the script's `globals()`; Snakemake puts the job there.
    An exception ends the script with exit status 1: with one line if it has a `user_message`,
    otherwise with a traceback.
    """
    started = time.time()
    if "snakemake" in namespace:
        rule = namespace["snakemake"]
        log = rule.log[0] if rule.log else None
        parts: dict[str, Any] = {part: getattr(rule, part) for part in _PARTS}
        job = Job(**parts, threads=rule.threads, log=log)
    else:
        job = _read_arguments(namespace["__doc__"], sys.argv[1:])
    with ExitStack() as stack:
        warnings.formatwarning = lambda message, *_args, **_kwargs: f"warning: {message}\n"
        try:
            if job.log:
                log_file = stack.enter_context(_Log(job.log))
                terminal, sys.stderr = sys.stderr, cast(TextIO, _Tee(sys.stderr, log_file))
                stack.callback(setattr, sys, "stderr", terminal)
            yield job
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
            log_file.write(
                f"{SUCCESS}{taken:.1f} s on {cores} after {starting:.1f} s of start-up\n"
            )


def _begin_of_process() -> float:
    """When this process began, as `time.time` counts."""
    if sys.platform != "linux":
        return psutil.Process().create_time()
    # psutil adds the time since boot to the boot's own, which Linux gives in whole seconds.
    after_name = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
    since_boot = int(after_name[19]) / os.sysconf("SC_CLK_TCK")
    return time.time() - time.clock_gettime(time.CLOCK_BOOTTIME) + since_boot


def _read_arguments(description: str, arguments: list[str]) -> Job:
    """A job from arguments such as `params.threshold=0.8`, `threads=2` and `log=a.log`."""
    usage = f"{description.strip()}\n\n{__doc__}"
    if not arguments or {"-h", "--help"} & set(arguments):
        print(usage)
        raise SystemExit(0)
    parts: dict[str, Any] = {part: _Values() for part in _PARTS}
    parts |= {"threads": 1, "log": None}
    for argument in arguments:
        key, equals, value = argument.partition("=")
        part, dot, name = key.partition(".")
        if not equals or part not in parts or bool(dot) != (part in _PARTS):
            raise SystemExit(
                f"error: argument {argument!r}: expected {'|'.join(_PARTS)}.NAME=VALUE"
            )
        if dot:
            setattr(parts[part], name, yaml.safe_load(value))
        else:
            parts[part] = yaml.safe_load(value)
    return Job(**{**parts, "config": vars(parts["config"])})


class _Values(SimpleNamespace):
    """Named values that can also be indexed and iterated over, as those of Snakemake."""

    def __iter__(self) -> Iterator[Any]:
        return iter(vars(self).values())

    def __getitem__(self, number: int) -> Any:
        return list(self)[number]


class _Log:
    """A log file. It ignores a full disk, which must not hide why a job fails."""

    def __init__(self, path: str) -> None:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        # Without a buffer: it would be written again, and fail again, when the file is closed.
        self._file = open(path, "wb", buffering=0)  # noqa: SIM115

    def __enter__(self) -> _Log:
        return self

    def __exit__(self, *_error: object) -> None:
        self._file.close()

    def write(self, text: str) -> None:
        with suppress(OSError):
            self._file.write(text.encode())


class _Tee:
    """A text stream to stderr and to a log. Progress bars become lines, except on a terminal."""

    def __init__(self, terminal: TextIO, log: _Log) -> None:
        self._terminal, self._log = terminal, log

    def write(self, text: str) -> int:
        lines = text.replace("\r", "\n")
        self._log.write(lines)
        return self._terminal.write(text if self.isatty() else lines)

    def flush(self) -> None:
        self._terminal.flush()

    def isatty(self) -> bool:
        return self._terminal.isatty()


def table_files(output: Any) -> dict[str, str]:
    """The files of a table beside its rows, as keyword arguments of `pages.tables.write_table`."""
    return {f"{kind}_file": getattr(output, kind) for kind in ("csv", "markdown", "html")}


def stem(path: str) -> str:
    """The name of a file without its suffix."""
    return Path(path).stem

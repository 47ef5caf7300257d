"""The command line of a run, shortened to what says which study it is."""

from __future__ import annotations

import shlex
import shutil
import sys
from collections.abc import Iterator, Sequence

#: Options of Snakemake that say which study is meant: {name: whether it takes several values}.
STUDY_OPTIONS = {
    "--snakefile": False,
    "-s": False,
    "--directory": False,
    "-d": False,
    "--configfile": True,
    "--configfiles": True,
    "--config": True,
    "-C": True,
    "--profile": False,
    "--workflow-profile": False,
}


def study_command(arguments: Sequence[str]) -> str:
    """A command, to be pasted into a shell, that runs Snakemake on the same study.

    arguments: `sys.argv` of the run, its program first.
    """
    program, *rest = arguments
    return shlex.join([*_program(program), *_study_options(rest)])


def _program(path: str) -> list[str]:
    """How the program was called; for one that is on the PATH, its name."""
    if path.endswith("__main__.py"):
        return [sys.executable, "-m", "snakemake"]
    name = path.rpartition("/")[2]
    return [name if shutil.which(name) == path else path]


def _study_options(arguments: Sequence[str]) -> Iterator[str]:
    """The arguments that are options of STUDY_OPTIONS, and their values."""
    n_values = 0.0
    for argument in arguments:
        if argument.startswith("-"):
            name, equals, _ = argument.partition("=")
            if not argument.startswith("--"):
                # `-d runs/mine`, and in one word `-druns/mine`.
                name, equals = argument[:2], argument[2:]
            several = STUDY_OPTIONS.get(name)
            n_values = 0 if several is None else float("inf") if several else 1 - bool(equals)
            if several is not None:
                yield argument
        elif n_values:
            n_values -= 1
            yield argument

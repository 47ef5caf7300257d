"""How the scripts of a run start: as forks of a process that has imported their libraries.

`rules/setup/start_up.smk` and `execution.smk` hand over what is Snakemake's. This is not in a
workflow file, since Snakemake attributes an error of a job to the innermost line of one: the rule.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from think_to_talk.run.loaded_libraries import THREAD_VARIABLES, Loader, LoaderError, run_loader

#: What says where temporary files go.
_FOLDER_VARIABLES = ("TMPDIR", "TMP", "TEMPDIR", "TEMP")

#: Devices of the drivers of GPUs.
_DRIVERS = ("/dev/nvidiactl", "/dev/kfd")


@dataclass(frozen=True)
class StartUp:
    """What starting a run's scripts as forks needs to know.

    applies: whether it is to be done, given the arguments of `Workflow.execute`.
    begin: start the loader, or return None if it is not worthwhile.
    is_own: whether a script, by its path, is the workflow's own; others start as usual.
    takes_long: whether a script, by its path, spends seconds on its imports: it waits for
        the loader, where others start as usual until that is ready.
    benchmarked: the context that measures a process, given its number and where that is recorded.
    """

    applies: Callable[..., bool]
    begin: Callable[[], Loader | None]
    is_own: Callable[[str], bool]
    takes_long: Callable[[str], bool]
    benchmarked: Callable[[int, Any], AbstractContextManager[Any]]


def with_loaded_libraries(
    execute: Callable[..., None], script_class: Any, start_up: StartUp
) -> Callable[..., None]:
    """A function that calls `execute`, with scripts that start as forks of a loader.

    execute: runs the jobs; its keyword arguments are passed on.
    script_class: has the method `execute_script(file, edit)`, which starts a script as usual. It is
        replaced while `execute` runs.
    """

    def execute_loaded(**settings: Any) -> None:
        if not start_up.applies(**settings):
            return execute(**settings)
        usual = script_class.execute_script
        with run_loader(start_up.begin) as find_loader:
            script_class.execute_script = _started(find_loader, usual, start_up)
            try:
                return execute(**settings)
            finally:
                script_class.execute_script = usual

    return execute_loaded


def _started(
    find_loader: Callable[[], Loader | None], usual: Callable[..., None], start_up: StartUp
) -> Callable[..., None]:
    """The method that starts a script as a fork of the loader where that is quicker."""

    def execute_script(script: Any, file: str, edit: bool = False) -> None:
        loader = find_loader()
        path = script.path.get_path_or_uri(secret_free=True)
        if (
            loader is None
            or not start_up.is_own(path)
            or _runs_on_a_gpu(script.resources)
            or not (start_up.takes_long(path) or loader.is_ready())
        ):
            return usual(script, file, edit)
        try:
            job = loader.start(Path(file).absolute(), _environment(script))
        except LoaderError:
            return usual(script, file, edit)
        record = script.bench_record
        with start_up.benchmarked(job.process, record) if record else nullcontext():
            status = job.wait()
        if status:
            raise subprocess.CalledProcessError(status, f"{sys.executable} {file}")
        return None

    return execute_script


def _runs_on_a_gpu(resources: Mapping[str, Any]) -> bool:
    """Whether a job runs on a GPU of this machine: it asks for one, and a driver has a device."""
    return bool(resources.get("gpu")) and any(map(os.path.exists, _DRIVERS))


def _environment(script: Any) -> dict[str, str]:
    """The environment variables that Snakemake gives to a script's process."""
    folder = script.resources.get("tmpdir")
    return {
        **os.environ,
        **dict.fromkeys(THREAD_VARIABLES, str(script.threads)),
        **(dict.fromkeys(_FOLDER_VARIABLES, folder) if folder else {}),
    }

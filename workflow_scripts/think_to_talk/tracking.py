"""Runs for Weights & Biases: recorded in a folder without any network, then sent if asked to.

Recording needs no key and no server, so an outage cannot touch it. Sending is one process with one
time-out for the whole study, and its failure a warning.
"""

from __future__ import annotations

import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from think_to_talk.errors import InputError
from think_to_talk.timing import COLUMNS

#: Columns of the table of probe accuracies: a probe's row without its predictions.
PROBE_COLUMNS = (
    *("task", "variable", "layer", "position", "relative_position", "symbol", "equation"),
    *("score", "ci_low", "ci_high", "chance", "n_train", "n_test"),
)
#: Nothing that the study does not name is collected, printed or looked up.
_QUIET: dict[str, Any] = {
    "console": "off",
    "disable_code": True,
    "disable_git": True,
    "host": "",
    "save_code": False,
    "silent": True,
    "symlink": False,
    "x_disable_machine_info": True,
    "x_disable_meta": True,
    "x_disable_stats": True,
}
_INSTALL = "make .venv/wandb (or pip install -r envs/wandb.txt)"

Rows = Sequence[Mapping[str, Any]]


def choose_mode(
    configured: str | None, environment: Mapping[str, str], installed: bool
) -> tuple[str, str | None]:
    """The mode (disabled, offline, online), and a line to say if the config did not choose it.

    configured: `wandb.mode`. installed: whether the library can be imported.
    Raises InputError if the config asks for W&B and the library is missing.
    """
    if configured is not None:
        if configured != "disabled" and not installed:
            raise InputError(
                f"config: wandb.mode: {configured!r} needs the package wandb, which is not "
                f"installed; {_INSTALL}, or set it to disabled"
            )
        return configured, None
    if not environment.get("WANDB_API_KEY"):
        return "disabled", "W&B: disabled, as WANDB_API_KEY is not set (config: wandb.mode)"
    if not installed:
        return "disabled", (
            "W&B: disabled, as the package wandb is not installed, though WANDB_API_KEY is set; "
            f"{_INSTALL}"
        )
    return "online", "W&B: online, as WANDB_API_KEY is set (config: wandb.mode)"


def summary(timing: Rows) -> dict[str, Any]:
    """What a run is compared by: the CoT accuracy of each task, and t* of each variable."""
    return {f"cot_accuracy/{row['task']}": row["cot_accuracy"] for row in timing} | {
        f"t_star/{row['task']}/v{row['variable']}": row["t_star"] for row in timing
    }


def probe_table(task: str, probe_rows: Rows) -> list[list[Any]]:
    """The rows of the table of probe accuracies for one task's probes."""
    return [[{"task": task, **row}[column] for column in PROBE_COLUMNS] for row in probe_rows]


def record(
    parent: str | Path,
    about: Mapping[str, Any],
    config: Mapping[str, Any],
    timing: Rows,
    probes: list[list[Any]],
    figures: Mapping[str, str | Path],
) -> dict[str, Any]:
    """Record a run below `parent`/wandb, without network or key; where it is and what it is called.

    about: name, project, group and entity (or None), as `wandb.init` takes them. timing: the rows
    of the timing table. probes: the rows of the table of probe accuracies. figures: {name: image
    file}.
    """
    folder = Path(parent) / "wandb"
    folder.mkdir(parents=True, exist_ok=True)
    with _own_settings(folder):
        import wandb

        # W&B would cut longer tables; they are written as they are.
        wandb.Table.MAX_ROWS = max(wandb.Table.MAX_ROWS, len(probes))
        wandb.Table.MAX_ARTIFACT_ROWS = max(wandb.Table.MAX_ARTIFACT_ROWS, len(probes))
        run = wandb.init(
            mode="offline",
            dir=str(parent),
            config={**config, "python": platform.python_version()},
            settings=wandb.Settings(**_QUIET),
            **about,
        )
        timing_rows = [[row[column] for column in COLUMNS] for row in timing]
        run.log(
            {
                "timing": wandb.Table(columns=list(COLUMNS), data=timing_rows),
                "probes": wandb.Table(columns=list(PROBE_COLUMNS), data=probes),
                **{f"figures/{name}": wandb.Image(str(file)) for name, file in figures.items()},
            }
        )
        run.summary.update(summary(timing))
        run.finish()
    # An offline run's files are in {folder}/offline-run-{time}-{id}/files.
    return {**about, "id": run.id, "folder": str(folder / Path(run.dir).parent.name)}


@contextmanager
def _own_settings(folder: Path) -> Iterator[None]:
    """Keep the user's W&B settings, and the key, from a recording, and its files in `folder`.

    Copies of the tables stay there until the run is sent; caches and logs of W&B's helper do not.
    """
    users = {name: value for name, value in os.environ.items() if name.startswith("WANDB_")}
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as temporary:
        for name in users:
            del os.environ[name]
        own = {
            "WANDB_DATA_DIR": str(folder.absolute() / "data"),
            "WANDB_CACHE_DIR": temporary,
            "WANDB_CONFIG_DIR": temporary,
            "WANDB_ERROR_REPORTING": "false",
        }
        os.environ.update(own)
        try:
            yield
        finally:
            for name in own:
                del os.environ[name]
            os.environ.update(users)


def is_sent(folder: str | Path) -> bool:
    """Whether the server has the run that is recorded in this folder: W&B leaves a mark then."""
    return any(Path(folder).glob("*.wandb.synced"))


def send(folders: Sequence[str], timeout: float, log: str | Path) -> str | None:
    """Send recorded runs, all at once, in at most `timeout` seconds.

    Whatever W&B does, it raises nothing: if a run was not sent, it returns a warning that says
    where it is and how to send it. What W&B printed is in the file `log`.
    """
    Path(log).parent.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as temporary,
        open(log, "w", encoding="utf-8") as output,
    ):
        # The key, the server's address and proxies come from the environment as the user set it.
        environment = {
            **{k: v for k, v in os.environ.items() if k not in ("WANDB_MODE", "WANDB_DISABLED")},
            "WANDB_DIR": temporary,
            "WANDB_CACHE_DIR": temporary,
            "WANDB_ERROR_REPORTING": "false",
        }
        try:
            # Output goes to a file, not a pipe: nothing waits for helpers that outlive the kill.
            ended = subprocess.run(
                [sys.executable, "-m", "wandb", "sync", *folders],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=environment,
                timeout=timeout,
            )
            reason = f"it ended with exit status {ended.returncode}"
        except subprocess.TimeoutExpired:
            reason = f"no success within {timeout:g} s (config: wandb.timeout)"
    unsent = [folder for folder in folders if not is_sent(folder)]
    if not unsent:
        return None
    return (
        f"W&B: {len(unsent)} of {len(folders)} run(s) not sent: {reason}, see {log}. They are "
        f"kept; this sends them later: wandb sync {' '.join(unsent)}"
    )

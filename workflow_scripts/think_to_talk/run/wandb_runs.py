"""Runs for Weights & Biases (W&B): recorded offline, then sent if the configured mode is online.

`workflow_scripts/wandb_run.py` records a run per model and seed: its tables and its figures.
Recording needs no key and no server, so an outage does not affect it. `rules/wandb.smk` sends the
runs at the end of the study: in one process with one time-out. A failure to send is a warning.
"""

from __future__ import annotations

import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from think_to_talk.errors import InputError

#: Columns of the table of probe accuracies: those of probe rows, without the predictions.
PROBE_COLUMNS = (
    *("task", "variable", "layer", "position", "relative_position", "symbol", "equation"),
    *("score", "ci_low", "ci_high", "heldout_score", "heldout_ci_low", "heldout_ci_high"),
    *("chance", "n_train", "n_test"),
)

#: Settings that stop W&B from collecting code, host, hardware and Git data, and from printing.
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

Rows = Iterable[Mapping[str, Any]]


class Table(NamedTuple):
    """A table of a run: the names of its columns, and the values of its rows in their order."""

    columns: Sequence[str]
    data: list[list[Any]]

    @classmethod
    def of(cls, columns: Sequence[str], rows: Rows) -> Table:
        """These columns of rows; their other keys are left out."""
        return cls(columns, [[row[column] for column in columns] for row in rows])

    @classmethod
    def of_all(cls, rows: Sequence[Mapping[str, Any]]) -> Table:
        """All columns of rows, which have the same keys, but for lists, such as predictions."""
        lists = {key for row in rows for key, value in row.items() if isinstance(value, list)}
        return cls.of([key for key in rows[0] if key not in lists], rows)


def choose_mode(
    configured: str | None, environment: Mapping[str, str], installed: bool
) -> tuple[str, str | None]:
    """The mode (disabled, offline or online), and a notice unless the config sets the mode.

    configured: the config's `wandb.mode`, or None.
    environment: environment variables, of which WANDB_API_KEY counts.
    installed: whether the package wandb can be imported.
    Raises InputError if the config enables W&B and the package is not installed.
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


def summary(timing: Rows, clocks: Rows) -> dict[str, Any]:
    """The summary of a run: CoT accuracy of each task, and the dates of each variable."""
    return {f"cot_accuracy/{row['task']}": row["cot_accuracy"] for row in timing} | {
        f"{date}/{row['task']}/v{row['variable']}": row[date]
        for row in clocks
        for date in ("t_text", "t_star", "t_star_heldout", "t_said", "t_used")
    }


def record(
    folder: str | Path,
    about: Mapping[str, Any],
    config: Mapping[str, Any],
    summary: dict[str, Any],
    tables: Mapping[str, Table],
    figures: Mapping[str, str | Path],
) -> dict[str, Any]:
    """Record a run offline; returns `about`, the run's id and the folder of this run.

    folder: the folder of W&B's files. W&B always names it `wandb`, so this must be its name.
    about: name, project, group and entity (or None), as `wandb.init` takes them.
    config: the configuration behind the results.
    summary: the run's numbers by name.
    tables: {name: table}.
    figures: {name: image file}.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    with _isolated_environment(folder):
        import wandb

        # W&B cuts longer tables by default.
        longest = max(len(table.data) for table in tables.values())
        wandb.Table.MAX_ROWS = max(wandb.Table.MAX_ROWS, longest)
        wandb.Table.MAX_ARTIFACT_ROWS = max(wandb.Table.MAX_ARTIFACT_ROWS, longest)
        run = wandb.init(
            mode="offline",
            dir=str(folder.parent),
            config={**config, "python": platform.python_version()},
            settings=wandb.Settings(**_QUIET),
            **about,
        )
        run.log(
            {
                **{
                    name: wandb.Table(columns=list(table.columns), data=table.data)
                    for name, table in tables.items()
                },
                **{f"figures/{name}": wandb.Image(str(file)) for name, file in figures.items()},
            }
        )
        run.summary.update(summary)
        run.finish()
    # An offline run's files are in {folder}/offline-run-{time}-{id}/files.
    return {**about, "id": run.id, "folder": str(folder / Path(run.dir).parent.name)}


@contextmanager
def _isolated_environment(folder: Path) -> Iterator[None]:
    """Hide the user's W&B settings and key while a run is recorded; W&B's files go to `folder`.

    Copies of the tables stay there until the run is sent. Caches and logs of W&B are deleted.
    """
    from_user = {name: value for name, value in os.environ.items() if name.startswith("WANDB_")}
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as temporary:
        for name in from_user:
            del os.environ[name]
        isolated = {
            "WANDB_DATA_DIR": str(folder.absolute() / "data"),
            "WANDB_CACHE_DIR": temporary,
            "WANDB_CONFIG_DIR": temporary,
            "WANDB_ERROR_REPORTING": "false",
        }
        os.environ.update(isolated)
        try:
            yield
        finally:
            for name in isolated:
                del os.environ[name]
            os.environ.update(from_user)


def is_sent(folder: str | Path) -> bool:
    """Whether the run recorded in this folder has been sent: W&B then adds a `.synced` file."""
    return any(Path(folder).glob("*.wandb.synced"))


def send(folders: Sequence[str], timeout: float, log: str | Path) -> str | None:
    """Send recorded runs in one process; returns a warning if a run was not sent, otherwise None.

    folders: the folder of each run.
    timeout: seconds for all runs together.
    log: file for the output of W&B.
    A failure of W&B raises no exception; the warning names the runs and the command to send them.
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
            # Output goes to a file: a pipe stays open while W&B's helpers outlive the kill.
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

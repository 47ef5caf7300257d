"""What a control reads: the probe rows of a model, and the rows that they are compared with.

The probe rows come from `probes.fitting`; the others from it too, from generations or from the
timing table, as `controls.kinds` says. `controls.tables` and `figures.control_curves` read them
here, one seed and task at a time, because probe rows hold the predictions for all test rows.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from think_to_talk.files.jsonl import read_jsonl, read_probe_rows
from think_to_talk.timing.best_probes import best_before_and_after, best_layers
from think_to_talk.timing.roles import of_values

Row = Mapping[str, Any]

Rows = Sequence[Row]


@dataclass(frozen=True)
class Result:
    """What a control reads of one seed and task.

    probes: the model's probe rows, those of digits left out.
    compared: the rows that they are compared with: those of control probes or of the untrained
        copy's probes, generations, or timing rows, as the control's record names them.
    """

    seed: int
    task: str
    probes: Rows
    compared: Rows = ()

    def variables(self) -> list[int]:
        """The variables of the task."""
        return sorted({row["variable"] for row in self.probes})

    def best_probes(self) -> Iterator[tuple[dict[str, Any], Row | None]]:
        """(place, row) of the best probe of each variable before and after the CoT begins.

        place: the table's columns seed, task, variable and part (`before` or `after`).
        row: None where there is no score.
        """
        for variable in self.variables():
            best = best_before_and_after(best_layers(self.probes, variable))
            for part, row in zip(("before", "after"), best, strict=True):
                place = {"seed": self.seed, "task": self.task, "variable": variable, "part": part}
                yield place, row


@dataclass(frozen=True)
class Results:
    """The results of a model, read one seed and task at a time.

    parts: the seed and task of each file.
    probes: the files of probe rows.
    compared: as many files of the rows that they are compared with, or none.
    """

    parts: Sequence[tuple[int, str]]
    probes: Sequence[str | Path]
    compared: Sequence[str | Path]

    def __iter__(self) -> Iterator[Result]:
        for i, (seed, task) in enumerate(self.parts):
            compared = of_values(read_jsonl(self.compared[i])) if self.compared else []
            yield Result(seed, task, of_values(read_probe_rows(self.probes[i])), compared)

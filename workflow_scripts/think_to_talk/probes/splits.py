"""The rows of one split, as probes read them: hidden states, lengths and labels.

`hidden_states` wrote the shards, `formulas` the dataset; `probes.fitting` trains on one split and
scores on another.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import torch

from think_to_talk.errors import InputError
from think_to_talk.files.jsonl import read_jsonl
from think_to_talk.files.shards import Shards
from think_to_talk.formulas.symbols import N_CLASSES
from think_to_talk.probes.control_labels import control_labels
from think_to_talk.tokens.layout import Layout


@dataclass(frozen=True)
class Split:
    """The n rows of one split that probes are trained or tested on.

    shards: hidden states of the split.
    rows: [n] dataset row numbers.
    length: [n] positions of each row.
    labels: [variables, n] values.
    chosen: [all rows] whether a row of the shards is among them.
    problems: all rows of the dataset.
    """

    shards: Shards
    rows: torch.Tensor
    length: torch.Tensor
    labels: torch.Tensor
    chosen: torch.Tensor
    problems: list[dict[str, Any]]

    @classmethod
    def open(
        cls,
        paths: Sequence[str | Path],
        dataset: str | Path,
        identity: Mapping[str, str],
        *,
        only_correct: bool,
        labels: str,
        n_classes: int = N_CLASSES,
    ) -> Split:
        """Read the rows of a split.

        paths: hidden-state shards.
        dataset: the dataset of the shards, with the labels.
        identity: what the metadata of the shards must contain.
        only_correct: whether rows are left out whose chain is wrong, or right in other tokens than
            the gold chain's.
        labels: `answers`, the variables' values, or `control`, the control labels of the seed.
        n_classes: values that a label may have; control labels have as many.
        Raises InputError if shards and dataset do not fit together.
        """
        shards = Shards.open(paths, identity)
        problems = read_jsonl(dataset)
        numbers = shards.read("row")
        if not torch.equal(numbers, torch.arange(len(problems))):
            raise InputError(
                f"{shards.paths[0].parent}: {len(numbers)} rows, expected the {len(problems)} of "
                f"{dataset}, in their order: delete both and run again; they will be regenerated"
            )
        correct = shards.read("correct").bool()
        chosen = correct if only_correct else torch.ones_like(correct)
        rows = numbers[chosen]
        digits = torch.tensor(
            [
                control_labels(row, int(identity["seed"]), n_classes)
                if labels == "control"
                else row["intermediate_answers"]
                for row in problems
            ]
        )
        length = shards.read("input_length")[chosen]
        return cls(shards, rows, length, digits[rows].T, chosen, problems)

    def of_digits(self, n: int) -> Split:
        """The same rows with the last n digits of each value as labels, one place after another.

        A digit that a value does not have is 0.
        """
        places = [self.labels // 10**place % 10 for place in range(n)]
        return replace(self, labels=torch.cat(places))

    @cached_property
    def layout(self) -> Layout:
        """The symbol at each position."""
        return Layout.loads(self.shards.metadata["layout"])

    @cached_property
    def hidden_size(self) -> int:
        """Features of a hidden state."""
        return self.shards.read(f"layer.{self.shards.layers[0]}", slice(0, 1)).shape[-1]

    def features(self, layer: int, positions: range) -> torch.Tensor:
        """Hidden states of a layer as [positions, n, d] in fp32."""
        part = self.shards.read(f"layer.{layer}", slice(positions.start, positions.stop))
        if not self.chosen.all():
            part = part[self.chosen]
        return part.transpose(0, 1).float().contiguous()

    def reaches(self, positions: range) -> torch.Tensor:
        """[positions, n] whether a row is long enough to have each position."""
        return torch.tensor(positions)[:, None] < self.length

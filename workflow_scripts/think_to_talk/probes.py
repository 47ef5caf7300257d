"""Linear probes for every saved layer, position and variable of a task: fitting and scoring."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import torch

from think_to_talk import solvers
from think_to_talk.control_labels import control_labels
from think_to_talk.errors import InputError
from think_to_talk.intervals import wilson_interval
from think_to_talk.jsonl import read_jsonl, write_jsonl
from think_to_talk.objective import N_CLASSES
from think_to_talk.progress import progress
from think_to_talk.prompts import Layout
from think_to_talk.shards import Shards, write_shard
from think_to_talk.solvers import Probes

#: Positions are fitted together up to about so many bytes (fp32).
_CHUNK_BYTES = 16 * 2**20
#: Stands for a prediction where a row has no such position.
NO_PREDICTION = -1


@dataclass(frozen=True)
class ProbeSettings:
    """How probes are fitted.

    solver: `lbfgs`, `sgd` or `sklearn`. train_on: `correct` rows or `all`. min_train_rows: with
    fewer, scores are null. options: the solver's own keyword arguments; `sgd` takes a `seed`.
    """

    solver: str
    train_on: str
    min_train_rows: int
    options: Mapping[str, Any]

    @classmethod
    def from_config(cls, entry: Mapping[str, Any]) -> ProbeSettings:
        """Read the config's `probes` entry, reduced to the keys of its solver."""
        own = ("solver", "train_on", "min_train_rows")
        options = {key: value for key, value in entry.items() if key not in own}
        return cls(entry["solver"], entry["train_on"], entry["min_train_rows"], options)

    def fit(self, features: torch.Tensor, labels: torch.Tensor, mask: torch.Tensor) -> Probes:
        """Fit probes on features [P, n, d] for labels [V, n], using rows mask [P, n]."""
        return solvers.SOLVERS[self.solver](features, labels, mask, **self.options)


@dataclass(frozen=True)
class _Split:
    """Rows of one split that probes are trained or tested on.

    rows: [n] dataset row numbers. length: [n] positions of each row. labels: [V, n] digits.
    chosen: [all rows] which of the shards' rows these are.
    """

    shards: Shards
    rows: torch.Tensor
    length: torch.Tensor
    labels: torch.Tensor
    chosen: torch.Tensor

    @classmethod
    def open(
        cls,
        paths: Sequence[str | Path],
        dataset: str | Path,
        identity: Mapping[str, str],
        *,
        only_correct: bool,
        labels: str,
    ) -> _Split:
        shards = Shards.open(paths, identity)
        problems = read_jsonl(dataset)
        numbers = shards.read("row")
        if not torch.equal(numbers, torch.arange(len(problems))):
            raise InputError(
                f"{shards.paths[0].parent}: {len(numbers)} rows, expected the {len(problems)} of "
                f"{dataset}, in their order: delete both and run again to make them anew"
            )
        correct = shards.read("correct").bool()
        chosen = correct if only_correct else torch.ones_like(correct)
        rows = numbers[chosen]
        digits = torch.tensor(
            [
                control_labels(row, int(identity["seed"]))
                if labels == "control"
                else row["intermediate_answers"]
                for row in problems
            ]
        )
        return cls(shards, rows, shards.read("input_length")[chosen], digits[rows].T, chosen)

    @cached_property
    def layout(self) -> Layout:
        """What is at each position."""
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


def fit_task(
    train_paths: Sequence[str | Path],
    test_paths: Sequence[str | Path],
    train_dataset: str | Path,
    test_dataset: str | Path,
    settings: ProbeSettings,
    identity: Mapping[str, str],
    rows_path: str | Path,
    weights_path: str | Path,
    labels: str = "answers",
) -> None:
    """Fit and score the probes of one task; write a row per probe, and all weights.

    train_paths, test_paths: hidden-state shards. train_dataset, test_dataset: the datasets they
    come from, with the labels. identity: model, seed and task, which the shards must carry.
    labels: `answers`, the variables' values, or `control`, the control labels of the seed.
    weights: `layer.{l}.weight` [positions, variables, classes, hidden] and `layer.{l}.bias`, on
    raw hidden states, NaN where there was too little to train on.
    """
    train = _Split.open(
        train_paths,
        train_dataset,
        {**identity, "split": "probing_train"},
        only_correct=settings.train_on == "correct",
        labels=labels,
    )
    test = _Split.open(
        test_paths,
        test_dataset,
        {**identity, "split": "test"},
        only_correct=False,
        labels=labels,
    )
    _warn_of_few(train, settings, identity)
    layers, hidden_size = test.shards.layers, test.hidden_size
    n_positions, n_targets = test.layout.n_positions, len(test.labels)
    shapes: dict[str, tuple[torch.dtype, tuple[int, ...]]] = {}
    for layer in layers:
        shape = (n_positions, n_targets, N_CLASSES)
        shapes[f"layer.{layer}.weight"] = (torch.float32, (*shape, hidden_size))
        shapes[f"layer.{layer}.bias"] = (torch.float32, shape)
    # The solver keeps features, and a matrix [hidden, hidden] per variable and class.
    width = min(hidden_size, len(train.rows))
    columns = max(len(train.rows), len(test.rows), n_targets * N_CLASSES * width)
    chunk = max(1, _CHUNK_BYTES // (4 * width * columns))
    description = f"probing {identity['model']}, seed {identity['seed']}, {identity['task']}"
    described = [_describe(test, position) for position in range(n_positions)]
    sample_ids = test.rows.tolist()
    rows: list[dict[str, Any]] = []
    with (
        write_shard(weights_path, shapes, identity) as stored,
        progress(len(layers) * n_positions, description, "positions") as bar,
    ):
        for layer in layers:
            for start in range(0, n_positions, chunk):
                positions = range(start, min(start + chunk, n_positions))
                probes = _fit_positions(train, layer, positions, settings)
                stored[f"layer.{layer}.weight"][start : positions.stop] = probes.weight
                stored[f"layer.{layer}.bias"][start : positions.stop] = probes.bias
                for position, score in _score(test, layer, positions, probes):
                    rows.append(
                        {
                            "layer": layer,
                            **described[position],
                            **score,
                            "solver": settings.solver,
                            "n_train": int((train.length > position).sum()),
                            "n_test": len(test.rows),
                            "sample_ids": sample_ids,
                        }
                    )
                bar.update(len(positions))
    write_jsonl(rows_path, rows)


def _warn_of_few(train: _Split, settings: ProbeSettings, identity: Mapping[str, str]) -> None:
    if len(train.rows) < settings.min_train_rows:
        warnings.warn(
            f"{identity['model']} on {identity['task']} (seed {identity['seed']}): only "
            f"{len(train.rows)} {settings.train_on} rows to train probes on, "
            f"{settings.min_train_rows} needed (probes.min_train_rows); scores are null. "
            "Set probes.train_on: all to train on every row",
            stacklevel=3,
        )


def _fit_positions(train: _Split, layer: int, positions: range, settings: ProbeSettings) -> Probes:
    """Probes for some positions of a layer, NaN where too few rows are that long."""
    mask = train.reaches(positions)
    enough = mask.sum(dim=1) >= settings.min_train_rows
    shape = (len(positions), len(train.labels), N_CLASSES)
    weight = torch.full((*shape, train.hidden_size), torch.nan)
    bias = torch.full(shape, torch.nan)
    if enough.any():
        features = train.features(layer, positions)
        fitted = settings.fit(features[enough], train.labels, mask[enough])
        weight[enough], bias[enough] = fitted.weight, fitted.bias
    return Probes(weight, bias)


def _score(
    test: _Split, layer: int, positions: range, probes: Probes
) -> Iterator[tuple[int, dict[str, Any]]]:
    """(position, entry) for each position and variable; null scores where no probe was fitted."""
    predictions = probes.predict(test.features(layer, positions))
    predictions[~test.reaches(positions)[:, None].expand_as(predictions)] = NO_PREDICTION
    fitted = ~probes.bias.isnan().any(dim=2).any(dim=1)
    n = len(test.rows)
    for i, position in enumerate(positions):
        for variable, answers in enumerate(test.labels):
            entry: dict[str, Any] = {
                "intermediate_answer": variable,
                "variable": variable,
                "score": None,
                "ci_low": None,
                "ci_high": None,
                "chance": int(answers.bincount().max()) / n,
                "answer": answers.tolist(),
                "predictions": None,
            }
            if fitted[i]:
                hits = int((predictions[i, variable] == answers).sum())
                entry["score"] = hits / n
                entry["ci_low"], entry["ci_high"] = wilson_interval(hits, n)
                entry["predictions"] = predictions[i, variable].tolist()
            yield position, entry


def _describe(test: _Split, position: int) -> dict[str, Any]:
    """What a probe row says of its position."""
    layout = test.layout
    symbol = layout.position_symbol[position]
    return {
        "position": position,
        "relative_position": position - layout.n_problem,
        "equation": layout.equations()[symbol],
        "symbol": layout.symbols[symbol],
        "symbol_index": symbol if layout.completes[position] else None,
        "token": json.loads(test.shards.metadata["tokens"])[position],
    }

"""Linear probes for every saved layer, position and variable of a task: fitting and scoring.

A probe is a linear layer that predicts a variable's value from the hidden state of one layer at one
position; its accuracy on test rows shows what the hidden state encodes linearly. `hidden_states`
wrote the shards that are read here, `probes.training` fits the weights, `probes.scoring` scores
them, and `timing`, `controls` and `figures` read the rows. Source: Kudo et al., arXiv:2412.01113.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from think_to_talk.files.jsonl import write_jsonl
from think_to_talk.files.shards import write_shard
from think_to_talk.formulas.expressions import expressions
from think_to_talk.formulas.symbols import digit_variable, variable_symbol
from think_to_talk.probes.accuracy import describe
from think_to_talk.probes.cut import Cut
from think_to_talk.probes.heldout import kept_rows
from think_to_talk.probes.settings import ProbeSettings
from think_to_talk.probes.splits import Split
from think_to_talk.probes.targets import Targets
from think_to_talk.probes.training import Training, trainable
from think_to_talk.progress import progress

#: Bytes of features (fp32), about, up to which positions are fitted together.
_CHUNK_BYTES = 16 * 2**20


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

    train_paths: hidden-state shards of the split probing_train.
    test_paths: hidden-state shards of the split test.
    train_dataset: the dataset of train_paths, with the labels.
    test_dataset: the dataset of test_paths, with the labels.
    identity: model, seed and task, which the metadata of the shards must contain.
    rows_path: where the rows are written.
    weights_path: where the weights on raw hidden states are written: `layer.{l}.weight` [positions,
        variables, classes, hidden] and `layer.{l}.bias` [positions, variables, classes]; NaN where
        there were too few rows to train on, or one class only. The held-out probes' are
        `layer.{l}.heldout.weight` and `layer.{l}.heldout.bias`, with a first axis of folds; the
        metadata `heldout_parts` has, per variable, the fold of each expression or null (JSON). The
        probes of digits (`settings.digits`) are `layer.{l}.digits.weight` and so on, the ones of
        all variables before the tens.
    labels: `answers`, the variables' values, or `control`, the control labels of the seed.
    Raises InputError if shards and datasets do not fit together.
    """
    train = Split.open(
        train_paths,
        train_dataset,
        {**identity, "split": "probing_train"},
        only_correct=settings.train_on == "correct",
        labels=labels,
        n_classes=settings.n_classes,
    )
    test = Split.open(
        test_paths,
        test_dataset,
        {**identity, "split": "test"},
        only_correct=False,
        labels=labels,
        n_classes=settings.n_classes,
    )
    where = f"{identity['model']} on {identity['task']} (seed {identity['seed']})"
    metadata = dict(identity)
    train_parts = test_parts = None
    if settings.folds and labels == "answers":
        read = [[expressions(problem) for problem in split.problems] for split in (train, test)]
        cut = Cut.of([*read[0], *read[1]], settings.folds, int(identity["seed"]))
        metadata["heldout_parts"] = json.dumps(cut.parts)
        train_parts = cut.parts_of(read[0])[:, train.rows]
        test_parts = cut.parts_of(read[1])[:, test.rows]
    targets = _targets(train, test, settings, train_parts, test_parts)
    _warn_of_unfitted(targets, settings, where)
    if train_parts is not None:
        _warn_of_no_heldout(train, train_parts, cut, settings, where)
    layers, hidden_size = test.shards.layers, test.hidden_size
    n_positions, n_targets = test.layout.n_positions, len(test.labels)
    shapes = {
        name: shape
        for layer in layers
        for target in targets
        for name, shape in target.shapes(layer, n_positions, hidden_size)
    }
    # The solver keeps features, and a matrix [hidden, hidden] per variable and class.
    width = max(1, min(hidden_size, len(train.rows)))
    columns = max(len(train.rows), len(test.rows), n_targets * settings.n_classes * width)
    chunk = max(1, _CHUNK_BYTES // (4 * width * columns))
    description = f"probing {identity['model']}, seed {identity['seed']}, {identity['task']}"
    described = [describe(test, position) for position in range(n_positions)]
    sample_ids = test.rows.tolist()
    rows: list[dict[str, Any]] = []
    n_probes = n_unsteady = 0
    with (
        write_shard(weights_path, shapes, metadata) as stored,
        progress(len(layers) * n_positions, description, "positions") as bar,
    ):
        for layer in layers:
            for start in range(0, n_positions, chunk):
                positions = range(start, min(start + chunk, n_positions))
                for target in targets:
                    plain, heldout = target.training.fit(layer, positions)
                    for probes in (plain, heldout) if heldout else (plain,):
                        n_probes += int(probes.fitted.sum())
                        if probes.unsteady is not None:
                            n_unsteady += int(probes.unsteady.sum())
                    target.store(stored, layer, positions, plain, heldout)
                    for position, scored in target.scored(layer, positions, plain, heldout):
                        rows.append(
                            {
                                "layer": layer,
                                **described[position],
                                **scored,
                                "solver": settings.solver,
                                "n_train": int((train.length > position).sum()),
                                "n_test": len(test.rows),
                                "sample_ids": sample_ids,
                            }
                        )
                bar.update(len(positions))
    write_jsonl(rows_path, rows)
    if n_unsteady:
        warnings.warn(
            f"{where}: the loss of {n_unsteady} of {n_probes} probes rose in a step of sgd, so "
            "their predictions depend on rounding. Set a smaller probes.learning_rate, or "
            "probes.solver: lbfgs",
            stacklevel=2,
        )


def _targets(
    train: Split,
    test: Split,
    settings: ProbeSettings,
    train_parts: torch.Tensor | None,
    test_parts: torch.Tensor | None,
) -> list[Targets]:
    """What probes predict: values (or control labels), and the digits that are asked for.

    train_parts, test_parts: [variables, rows] the part of each row's expression, which is that of
        a variable's digits, too; None without held-out probes.
    """
    variables, n = range(len(test.labels)), settings.digits
    of_values = Training(train, settings, train_parts)
    targets = [Targets("", list(variables), of_values, test, test_parts)]
    if n:
        numbers = [digit_variable(variable, place) for place in range(n) for variable in variables]
        parts = [part if part is None else part.repeat(n, 1) for part in (train_parts, test_parts)]
        of_digits = Training(train.of_digits(n), settings.of_digits, parts[0])
        targets.append(Targets("digits.", numbers, of_digits, test.of_digits(n), parts[1]))
    return targets


def _warn_of_unfitted(targets: Sequence[Targets], settings: ProbeSettings, where: str) -> None:
    """Warn of too few training rows, or else of variables with a single value in all of them.

    where: names model, task and seed.
    """
    n_rows = len(targets[0].training.rows.rows)
    if n_rows < settings.min_train_rows:
        warnings.warn(
            f"{where}: only {n_rows} {settings.train_on} rows to train probes on, "
            f"{settings.min_train_rows} needed (probes.min_train_rows); scores are null. "
            "Set probes.train_on: all to train on every row",
            stacklevel=3,
        )
        return
    for target in targets:
        for variable, labels in zip(target.numbers, target.training.rows.labels, strict=True):
            if len(labels.unique()) < 2:
                warnings.warn(
                    f"{where}: variable {variable_symbol(variable)} has the same label in all "
                    f"{n_rows} rows to train probes on, two labels needed; its scores are null",
                    stacklevel=3,
                )


def _warn_of_no_heldout(
    train: Split, parts: torch.Tensor, cut: Cut, settings: ProbeSettings, where: str
) -> None:
    """Warn of variables that have no held-out scores though they have scores.

    parts: [variables, rows] the part of each training row's expression.
    where: names model, task and seed.
    """
    if cut.warning:
        warnings.warn(f"{where}: {cut.warning}", stacklevel=3)
    least = settings.min_train_rows
    enough = trainable(train.labels, torch.ones_like(train.labels, dtype=torch.bool), least)
    folds = trainable(train.labels[:, None], kept_rows(parts, cut.n_folds), least).all(dim=1)
    cut_up = torch.tensor([of_variable is not None for of_variable in cut.parts])
    names = [variable_symbol(v) for v in (cut_up & enough & ~folds).nonzero()[:, 0].tolist()]
    if names:
        warnings.warn(
            f"{where}: without the expressions of one of {cut.n_folds} folds (probes.folds), "
            f"variable {', '.join(names)} has fewer than {least} rows (probes.min_train_rows) or a "
            "single label to train probes on; its held-out scores are null",
            stacklevel=3,
        )

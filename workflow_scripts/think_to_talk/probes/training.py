"""The probes of some positions of a layer, plain and held out, where there is enough to train on.

`probes.fitting` goes through a task's layers and positions; `probes.settings` knows the solver.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch

from think_to_talk.probes.heldout import kept_rows
from think_to_talk.probes.linear import Probes
from think_to_talk.probes.settings import ProbeSettings
from think_to_talk.probes.sgd import published_numbers
from think_to_talk.probes.splits import Split


@dataclass(frozen=True)
class Training:
    """What probes are trained on.

    rows: n of them.
    settings: how they are fitted.
    parts: [variables, n] the part of a row's expression, -1 for a variable without; None if there
        are no held-out probes.
    """

    rows: Split
    settings: ProbeSettings
    parts: torch.Tensor | None

    def fit(self, layer: int, positions: range) -> tuple[Probes, Probes | None]:
        """Probes [positions, variables], and the held-out ones [positions, variables, folds].

        NaN where too few rows, or rows of one class only, are there to train on. If that is so for
        one of a variable's folds, or if the variable has no expression, all its folds are NaN.
        """
        labels, mask = self.rows.labels, self.rows.reaches(positions)
        shape = (len(positions), len(labels))
        n_classes = self.settings.n_classes
        plain = Probes.missing(shape, self.rows.hidden_size, n_classes)
        fit = trainable(labels, mask[:, None], self.settings.min_train_rows)
        if fit.any():
            features = self.rows.features(layer, positions)
            numbers = published_numbers(positions, len(labels))
        for some, variables in _together(fit):
            fitted = self.settings.fit(
                features[some], labels[variables], mask[some], numbers[some][:, variables]
            )
            plain.put((some.nonzero(), variables.nonzero()[:, 0]), fitted)
        if self.parts is None:
            return plain, None
        n_folds = self.settings.folds
        heldout = Probes.missing((*shape, n_folds), self.rows.hidden_size, n_classes)
        rows = mask[:, None, None] & kept_rows(self.parts, n_folds)
        all_folds = trainable(labels[:, None], rows, self.settings.min_train_rows).all(dim=2)
        for some, variables in _together(fit & all_folds & (self.parts >= 0).all(dim=1)):
            fitted = self.settings.fit_heldout(
                features[some],
                labels[variables],
                mask[some],
                numbers[some][:, variables],
                self.parts[variables],
                plain.of(some, variables),
            )
            place = some.nonzero(), variables.nonzero()[:, 0]
            heldout.put(place, fitted.by_fold(n_folds))
        return plain, heldout


def trainable(labels: torch.Tensor, rows: torch.Tensor, min_rows: int) -> torch.Tensor:
    """Whether enough rows, and two classes or more, are there to train on, [...].

    labels: [..., n] classes.
    rows: [..., n] whether a row is used; broadcast against labels.
    min_rows: how many rows are enough.
    """
    labels, rows = torch.broadcast_tensors(labels, rows)
    if not labels.shape[-1]:
        return torch.zeros(labels.shape[:-1], dtype=torch.bool)
    highest = labels.where(rows, -1).amax(dim=-1)
    lowest = labels.where(rows, labels.max() + 1).amin(dim=-1)
    return (rows.sum(dim=-1) >= min_rows) & (lowest < highest)


def _together(fit: torch.Tensor) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """Masks of positions, and of the variables that have probes at each of them.

    fit: [positions, variables] whether there is a probe.
    """
    for variables in fit[fit.any(dim=1)].unique(dim=0):
        yield (fit == variables).all(dim=1), variables

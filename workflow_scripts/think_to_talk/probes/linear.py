"""Linear probes as weights, and the choice of the rows that one position uses.

The solvers (`probes.solvers`, `probes.sgd`) return them; `probes.fitting` scores and stores them.

Shapes: P positions, n rows, d features, V targets (variables), K classes, ten for digits.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from think_to_talk.formulas.symbols import N_CLASSES

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Probes:
    """Fitted probes on raw features.

    weight: [P, V, K, d]; of held-out probes also [P, V, folds, K, d].
    bias: [P, V, K], as weight without d.
    unsteady: [P, V] whether the loss rose in a step of `sgd`; None from other solvers.
    """

    weight: Tensor
    bias: Tensor
    unsteady: Tensor | None = None

    def predict(self, features: Tensor) -> Tensor:
        """The most likely class, [P, V, n], for features [P, n, d]."""
        p, v, k, d = self.weight.shape
        logits = self.weight.reshape(p, v * k, d) @ features.transpose(1, 2)
        logits = logits.view(p, v, k, -1) + self.bias[..., None]
        # Along a dimension that is not the last, `argmax` takes five times as long.
        return logits.max(dim=2).indices

    @classmethod
    def missing(cls, shape: tuple[int, ...], d: int, n_classes: int = N_CLASSES) -> Probes:
        """Probes of NaN, and steady, for `put`; shape [P, V] or [P, V, folds]."""
        return cls(
            torch.full((*shape, n_classes, d), torch.nan),
            torch.full((*shape, n_classes), torch.nan),
            torch.zeros(shape, dtype=torch.bool),
        )

    @property
    def fitted(self) -> Tensor:
        """Which probes there are, [P, V]; the others are NaN."""
        return ~self.bias.isnan().any(dim=-1)

    def put(self, place: tuple[Tensor, Tensor], probes: Probes) -> None:
        """Overwrite the probes at a place, an index of P and V."""
        self.weight[place], self.bias[place] = probes.weight, probes.bias
        if self.unsteady is not None and probes.unsteady is not None:
            self.unsteady[place] = probes.unsteady

    def of(self, positions: Tensor, variables: Tensor) -> Probes:
        """The probes of some positions and variables, chosen by masks [P] and [V]."""
        return Probes(self.weight[positions][:, variables], self.bias[positions][:, variables])

    def by_fold(self, n_folds: int) -> Probes:
        """Probes [P, V * folds] as [P, V, folds]."""
        shape = (-1, n_folds)
        unsteady = None if self.unsteady is None else self.unsteady.unflatten(1, shape)
        return Probes(self.weight.unflatten(1, shape), self.bias.unflatten(1, shape), unsteady)

    @classmethod
    def stack(cls, positions: Iterable[Probes]) -> Probes:
        """Stack the probes of single positions, weights [V, K, d] and biases [V, K]."""
        parts = list(positions)
        return cls(
            torch.stack([part.weight for part in parts]), torch.stack([part.bias for part in parts])
        )


def used_rows(features: Tensor, labels: Tensor, mask: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
    """Per position, features [used, d] and labels [..., used] of the rows that it uses.

    features: [P, n, d].
    labels: [..., n], such as classes [V, n].
    mask: [P, n] whether a row is used at a position; nothing is copied if all are.
    """
    for part, used in zip(features, mask, strict=True):
        if used.all():
            yield part, labels
        else:
            rows = used.nonzero()[:, 0]
            yield part.index_select(0, rows), labels.index_select(-1, rows)

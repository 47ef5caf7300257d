"""The probes of a position as an equivalent smaller problem on standardised features.

`probes.solvers` fits it and takes the solution back to raw hidden states.

Shapes: n rows, d features, V targets (variables), K classes, ten for digits.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import torch
from torch.nn.functional import pad

from think_to_talk.formulas.symbols import N_CLASSES
from think_to_talk.probes.linear import Probes
from think_to_talk.probes.objective import Group

if TYPE_CHECKING:
    from torch import Tensor

#: A feature is constant up to rounding if its standard deviation is at most this share of its mean
#: or of the median size of features.
_CONSTANT = 1e-5

#: The bias with which a class starts that no row has. Its minimum is at minus infinity; from here
#: its probability is nothing to the others, and it is never predicted.
ABSENT = -50.0

#: Equal rows are merged if there are at least this many rows per distinct row.
_ROWS_PER_DISTINCT = 16


@dataclass(frozen=True)
class Standardised:
    """Features with mean 0 and variance 1 over the rows of a position; constant features are 0.

    features: [n, d].
    mean: [d], subtracted.
    scale: [d], divided by; infinite for constant features.
    """

    features: Tensor
    mean: Tensor
    scale: Tensor

    @classmethod
    def of(cls, features: Tensor) -> Standardised:
        """Standardise features [n, d]."""
        mean = features.mean(dim=0)
        centred = features - mean
        variance = centred.square().mean(dim=0)
        scale = variance.sqrt()
        size = (mean.square() + variance).sqrt().median()
        constant = scale <= _CONSTANT * torch.maximum(mean.abs(), size)
        inverse = torch.where(constant, 0.0, 1 / scale)
        scale = torch.where(constant, torch.inf, scale)
        return cls(centred.mul_(inverse), mean, scale)

    def to_raw(self, point: Tensor) -> Probes:
        """One position's probes on raw features from [V, K, d + 1] on standardised ones."""
        weight = point[..., :-1] / self.scale
        return Probes(weight, point[..., -1] - weight @ self.mean)

    def from_raw(self, weight: Tensor, bias: Tensor) -> Tensor:
        """The inverse of `to_raw`, [V, K, d + 1]; constant features get 0."""
        scale = torch.where(self.scale.isinf(), 0.0, self.scale)
        return torch.cat([weight * scale, (bias + weight @ self.mean)[..., None]], dim=-1)


@dataclass(frozen=True)
class Position:
    """The probes of a position as an equivalent smaller problem, where there is one.

    Early positions and the embeddings have few distinct hidden states: equal rows with equal labels
    are merged into one row with a larger share of the loss. If there are fewer rows than features,
    the solution is a combination of the rows, so it is computed in their span.

    data: standardised features of the position.
    labels: [V, n] classes.
    n_classes: K.
    """

    data: Standardised
    labels: Tensor
    n_classes: int = N_CLASSES

    @cached_property
    def _duplicates(self) -> tuple[Tensor, Tensor] | None:
        """The distinct rows [m, d], and the index [n] of each row's; None if there are many."""
        rows = self.data.features
        # Rows with the same sum of randomly weighted features are most likely equal.
        weights = torch.randn(rows.shape[1], generator=torch.Generator().manual_seed(0))
        sums, which = (rows @ weights.to(rows.dtype)).unique(return_inverse=True)
        if len(sums) > len(rows) // _ROWS_PER_DISTINCT:
            return None
        distinct = rows[which.new_empty(len(sums)).scatter_(0, which, torch.arange(len(rows)))]
        return (distinct, which) if torch.equal(distinct[which], rows) else None

    @property
    def distinct(self) -> Tensor:
        """The distinct rows [m, d] if there are few, otherwise all rows."""
        return self._duplicates[0] if self._duplicates else self.data.features

    @cached_property
    def _basis(self) -> tuple[Tensor, Tensor] | None:
        """An orthonormal basis [d, m] of the span of the m distinct rows, and the rows in it."""
        if len(self.distinct) >= self.distinct.shape[1]:
            return None
        basis, coordinates = torch.linalg.qr(self.distinct.T)
        return basis, coordinates.T

    def _features(self, width: int) -> Tensor:
        """The distinct rows [m, width], in their span if they are few; d <= width or m <= width."""
        rows = self._basis[1] if self._basis else self.distinct
        return pad(rows, (0, width - rows.shape[1]))

    def groups(self, width: int) -> list[Group]:
        """The probes of all targets, on features [m, width] with width <= d."""
        rows, k = self._features(width), self.n_classes
        if not self._duplicates:
            return [Group.of(rows, self.labels, n_classes=k)]
        groups = []
        for classes in self.labels:
            kinds, counts = (self._duplicates[1] * k + classes).unique(return_counts=True)
            groups.append(
                Group.of(
                    rows[kinds // k],
                    (kinds % k)[None],
                    counts.to(rows.dtype) / len(classes),
                    k,
                )
            )
        return groups

    def fold_groups(self, width: int, kept: Tensor) -> list[Group]:
        """A group per target: its F probes, each on some of the rows.

        All groups share the features: a row that a probe is not trained on has no share of its
        loss. More than one target a group would not fit the processor's cache.

        width: as of `groups`.
        kept: [V, F, n] whether a probe is trained on a row.
        """
        rows, k = self._features(width), self.n_classes
        share = kept.to(rows.dtype) / kept.sum(dim=2, keepdim=True)
        if not self._duplicates:
            first = Group.of(rows, self.labels[:1].expand(share.shape[1], -1), share[0], k)
            return [
                replace(first, labels=classes.expand(len(shares), -1), share=shares)
                for classes, shares in zip(self.labels, share, strict=True)
            ]
        groups = []
        for classes, shares in zip(self.labels, share, strict=True):
            kinds, which = (self._duplicates[1] * k + classes).unique(return_inverse=True)
            merged = rows.new_zeros(len(shares), len(kinds)).index_add_(1, which, shares)
            alike = (kinds % k).expand(len(shares), -1)
            groups.append(Group.of(rows[kinds // k], alike, merged, k))
        return groups

    def first_biases(self) -> Tensor:
        """[V, K] where fitting starts: zero, and far below it for classes that no row has."""
        biases = self.data.features.new_full((len(self.labels), self.n_classes), ABSENT)
        return biases.scatter_(1, self.labels, 0.0)

    def from_raw(self, weight: Tensor, bias: Tensor, width: int) -> Tensor:
        """The point [V, K, width + 1] of probes [V, K, d] and [V, K] on raw features."""
        point = self.data.from_raw(weight, bias)
        weight, bias = point[..., :-1], point[..., -1:]
        if self._basis:
            weight = weight @ self._basis[0]
        return torch.cat([pad(weight, (0, width - weight.shape[-1])), bias], dim=-1)

    def to_raw(self, point: Tensor) -> Probes:
        """Probes on raw features from a point [V, K, width + 1]."""
        if self._basis:
            basis = self._basis[0]
            weight = point[..., : basis.shape[1]] @ basis.T
            point = torch.cat([weight, point[..., -1:]], dim=-1)
        return self.data.to_raw(point)


def common_width(positions: Sequence[Position]) -> int:
    """The width of the features on which the probes of all positions can be fitted together."""
    d = positions[0].data.features.shape[1]
    return min(d, max(len(position.distinct) for position in positions))


def all_to_raw(positions: Sequence[Position], point: Tensor) -> Probes:
    """The probes of all positions on raw features.

    point: [P * V, K, width + 1], the probes of a position after those of the one before it.
    """
    parts = point.split(len(point) // len(positions))
    return Probes.stack(
        position.to_raw(part) for position, part in zip(positions, parts, strict=True)
    )

"""The penalised loss of linear probes in batches: value, gradient and curvature.

Shapes: a group has T probes that share n rows of d features; N probes in all groups; K = 10
classes. A point is [N, K, d + 1]: weights on standardised features, the bias last.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import log, prod
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from torch import Tensor

N_CLASSES = 10
#: Curvature p(1 - p) of the loss in a logit, for ten equally likely classes.
_CURVATURE = (1 / N_CLASSES) * (1 - 1 / N_CLASSES)
#: Curvature in a bias below which it is not divided by.
_LEAST_CURVATURE = 1e-6
#:
_ROWS_PER_FEATURE = 4


@dataclass(frozen=True)
class Group:
    """Probes that share features.

    rows: [n, d] features. columns: [d + 1, n], the same transposed with a last row of ones: matrix
    products are fastest on operands as they lie. share: [n], each row's share of the mean loss.
    labels: [T, n] classes. inverse: of the Hessian's diagonal blocks, approximately: one for all,
    [d + 1, d + 1], or one per probe and class, [T, K, d + 1, d + 1].
    """

    rows: Tensor
    columns: Tensor
    share: Tensor
    labels: Tensor
    moments: Tensor
    inverse: Tensor | None = None

    @classmethod
    def of(cls, features: Tensor, labels: Tensor, share: Tensor | None = None) -> Group:
        """Probes on features [n, d] for labels [T, n]; share: [n], all rows alike by default."""
        if share is None:
            share = features.new_full((len(features),), 1 / len(features))
        columns = features.new_ones(features.shape[1] + 1, len(features))
        columns[:-1] = features.T
        return cls(features, columns, share, labels, (columns * share) @ columns.T)

    def select(self, probes: Tensor) -> Group:
        """Only the probes with these numbers in [0, T)."""
        inverse = self.inverse
        if inverse is not None and inverse.ndim > 2:
            inverse = inverse[probes]
        return replace(self, labels=self.labels[probes], inverse=inverse)

    def evaluate(self, point: Tensor, gradient: Tensor, scratch: tuple[Tensor, Tensor]) -> Tensor:
        """The cross-entropy [T] at a point [T, K, d + 1]; its gradient is written to `gradient`."""
        t, k, _ = point.shape
        labels = self.labels[:, None]
        error = self._probabilities(point, scratch)
        # log2 is twice as fast as log.
        loss = error.gather(1, labels)[:, 0].log2() @ self.share * -log(2)
        error.scatter_add_(1, labels, error.new_full((), -1.0).expand_as(labels))
        error *= self.share
        gradient[..., :-1] = (error.view(t * k, -1) @ self.rows).view(t, k, -1)
        gradient[..., -1] = error.sum(dim=2)
        return loss

    def _probabilities(self, point: Tensor, scratch: tuple[Tensor, Tensor]) -> Tensor:
        """[T, K, n] at a point [T, K, d + 1], in memory that the next call takes again."""
        t, k, _ = point.shape
        shape = (t, k, len(self.rows))
        logits, probabilities = (buffer[: prod(shape)] for buffer in scratch)
        torch.mm(point.flatten(0, 1), self.columns, out=logits.view(t * k, -1))
        return torch.softmax(logits.view(shape), dim=1, out=probabilities.view(shape))

    def curvature(self, point: Tensor, scratch: tuple[Tensor, Tensor]) -> Tensor:
        """The Hessian's diagonal blocks at a point, [T, K, d + 1, d + 1], without a penalty.

        Exact on the rows that weigh most; for the others by their weight and the mean of all.
        """
        probabilities = self._probabilities(point, scratch)
        weights = probabilities * (1 - probabilities) * self.share
        blocks = [(self.columns * w) @ self.columns.T for w in weights.flatten(0, 1)]
        return torch.stack(blocks).unflatten(0, point.shape[:2])


class Objective:
    """The penalised losses of probes in groups that share features.

    penalty: L2, on weights only.
    """

    def __init__(self, groups: Sequence[Group], penalty: float) -> None:
        self.groups, self.penalty = list(groups), penalty
        self.sizes = [len(group.labels) for group in groups]
        largest = max(group.labels.numel() for group in groups) * N_CLASSES
        self._scratch = tuple(groups[0].rows.new_empty(2, largest))

    @property
    def shape(self) -> tuple[int, int, int]:
        """Of a point: [N, K, d + 1]."""
        return sum(self.sizes), N_CLASSES, len(self.groups[0].columns)

    def evaluate(self, point: Tensor) -> tuple[Tensor, Tensor]:
        """Loss [N] and gradient [N, K, d + 1]."""
        gradient = torch.empty_like(point)
        parts = zip(point.split(self.sizes), gradient.split(self.sizes), strict=True)
        loss = torch.cat(
            [
                group.evaluate(at, slope, self._scratch)
                for group, (at, slope) in zip(self.groups, parts, strict=True)
            ]
        )
        weight = point[..., :-1]
        gradient[..., :-1].add_(weight, alpha=self.penalty)
        return loss + 0.5 * self.penalty * weight.square().sum(dim=(1, 2)), gradient

    def select(self, probes: Tensor) -> Objective:
        """Only the probes with these ascending numbers in [0, N)."""
        chosen = torch.zeros(sum(self.sizes), dtype=torch.bool)
        chosen[probes] = True
        groups = [
            group.select(part.nonzero()[:, 0])
            for group, part in zip(self.groups, chosen.split(self.sizes), strict=True)
            if part.any()
        ]
        return Objective(groups, self.penalty)

    def preconditioned(self, point: Tensor | None = None) -> Objective:
        """With the inverse curvature at a point, or at zero."""
        if point is None:
            blocks = [_CURVATURE * group.moments for group in self.groups]
        else:
            blocks = [
                group.curvature(at, self._scratch)
                for group, at in zip(self.groups, point.split(self.sizes), strict=True)
            ]
        return Objective(
            [
                replace(group, inverse=self._inverted(block))
                for group, block in zip(self.groups, blocks, strict=True)
            ],
            self.penalty,
        )

    def _inverted(self, blocks: Tensor) -> Tensor:
        # The bias has no penalty; the class may be certain, and its curvature zero.
        ridge = blocks.new_full((blocks.shape[-1],), self.penalty)
        ridge[-1] = _LEAST_CURVATURE
        return torch.cholesky_inverse(torch.linalg.cholesky(blocks + ridge.diag()))

    def precondition(self, vectors: Tensor) -> Tensor:
        """The inverse curvature times vectors [N, K, d + 1]."""
        result = torch.empty_like(vectors)
        parts = zip(vectors.split(self.sizes), result.split(self.sizes), strict=True)
        for group, (vector, out) in zip(self.groups, parts, strict=True):
            assert group.inverse is not None
            if group.inverse.ndim == 2:
                torch.matmul(vector, group.inverse, out=out)
            else:
                out.copy_((group.inverse @ vector[..., None])[..., 0])
        return result

"""The penalised loss of linear probes in batches: value, gradient and curvature.

The loss is the mean cross-entropy over the rows plus penalty / 2 times the squared weights.
`probes.solvers` builds the objective from hidden states, and `probes.lbfgs` minimises it.

Shapes: a group has T probes that share n rows of d features; N probes in all groups; K
classes, ten for digits. A point is [N, K, d + 1]: weights on standardised features, the bias last.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import log, prod
from typing import TYPE_CHECKING

import torch

from think_to_talk.formulas.symbols import N_CLASSES

if TYPE_CHECKING:
    from torch import Tensor

#: Share of the curvature at zero in one that is for several probes: where it is underestimated,
#: steps are too long.
_BLEND = 0.03

#: Added to the curvature in the bias, which can be zero.
_LEAST_CURVATURE = 1e-6


@dataclass(frozen=True)
class Group:
    """Probes that share features.

    columns: [d + 1, n], the features transposed, with a last row of ones.
    share: [n], each row's share of the mean loss, or [T, n] where probes differ in it; 0 for a row
        that a probe is not trained on.
    labels: [T, n] classes.
    n_classes: K.
    inverse: approximate inverse of the Hessian's diagonal blocks: one for all, [d + 1, d + 1]; one
        per class, [K, d + 1, d + 1]; or one per probe and class, [T, K, d + 1, d + 1].
    """

    columns: Tensor
    share: Tensor
    labels: Tensor
    n_classes: int = N_CLASSES
    inverse: Tensor | None = None

    @classmethod
    def of(
        cls,
        features: Tensor,
        labels: Tensor,
        share: Tensor | None = None,
        n_classes: int = N_CLASSES,
    ) -> Group:
        """Probes on features.

        features: [n, d].
        labels: [T, n] classes.
        share: [n] or [T, n], each row's share of the mean loss; equal by default.
        n_classes: K.
        """
        if share is None:
            share = features.new_full((len(features),), 1 / len(features))
        columns = features.new_ones(features.shape[1] + 1, len(features))
        columns[:-1] = features.T
        return cls(columns, share, labels, n_classes)

    @property
    def _common_share(self) -> Tensor:
        """Each row's share [n] of the mean loss of all probes."""
        return self.share if self.share.ndim == 1 else self.share.mean(dim=0)

    @property
    def moments(self) -> Tensor:
        """Second moments of the features and the constant one, [d + 1, d + 1]."""
        return (self.columns * self._common_share) @ self.columns.T

    @property
    def present(self) -> Tensor:
        """Whether a probe is trained on a row of a class, [T, K]."""
        shares = self.columns.new_zeros(len(self.labels), self.n_classes)
        return shares.scatter_add_(1, self.labels, self.share.expand(self.labels.shape)) > 0

    def select(self, probes: Tensor) -> Group:
        """Only the probes with these numbers in [0, T)."""
        inverse = self.inverse
        if inverse is not None and inverse.ndim > 3:
            inverse = inverse[probes]
        share = self.share if self.share.ndim == 1 else self.share[probes]
        return replace(self, share=share, labels=self.labels[probes], inverse=inverse)

    def evaluate(self, point: Tensor, gradient: Tensor, scratch: tuple[Tensor, Tensor]) -> Tensor:
        """The cross-entropy [T] at a point.

        point: [T, K, d + 1].
        gradient: [T, K, d + 1], overwritten with the gradient.
        scratch: two buffers of at least T * K * n elements, overwritten.
        """
        t, k, _ = point.shape
        labels = self.labels[:, None]
        error = self._probabilities(point, scratch)
        likelihood = error.gather(1, labels)[:, 0]
        if self.share.ndim == 1:
            # log2 is twice as fast as log.
            loss = likelihood.log2() @ self.share * -log(2)
        else:
            # A likelihood of 0 is nothing to a probe that is not trained on the row.
            loss = -torch.special.xlogy(self.share, likelihood).sum(dim=1)
        error.scatter_add_(1, labels, error.new_full((), -1.0).expand_as(labels))
        error *= self.share.unsqueeze(-2)
        torch.mm(error.view(t * k, -1), self.columns.T, out=gradient.view(t * k, -1))
        return loss

    def _probabilities(self, point: Tensor, scratch: tuple[Tensor, Tensor]) -> Tensor:
        """The probabilities [T, K, n] at a point [T, K, d + 1]; the next call overwrites them."""
        t, k, _ = point.shape
        shape = (t, k, self.columns.shape[1])
        logits, probabilities = (buffer[: prod(shape)] for buffer in scratch)
        torch.mm(point.flatten(0, 1), self.columns, out=logits.view(t * k, -1))
        return torch.softmax(logits.view(shape), dim=1, out=probabilities.view(shape))

    def curvature(self, point: Tensor, scratch: tuple[Tensor, Tensor]) -> Tensor:
        """The Hessian's diagonal blocks at a point, [T, K, d + 1, d + 1], without a penalty.

        One block per probe and class, over all rows; the blocks between classes are left out.
        """
        probabilities = self._probabilities(point, scratch)
        weights = probabilities * (1 - probabilities) * self.share.unsqueeze(-2)
        blocks = [(self.columns * w) @ self.columns.T for w in weights.flatten(0, 1)]
        return torch.stack(blocks).unflatten(0, point.shape[:2])

    def curvature_at_zero(self) -> Tensor:
        """The curvature [d + 1, d + 1] where all classes are alike: p(1 - p) of a logit."""
        return (1 / self.n_classes) * (1 - 1 / self.n_classes) * self.moments

    def common_curvature(self, point: Tensor, scratch: tuple[Tensor, Tensor]) -> Tensor:
        """One for all probes, [K, d + 1, d + 1], at the mean of their points [T, K, d + 1]."""
        one = replace(self, share=self._common_share, labels=self.labels[:1])
        curvature = one.curvature(point.mean(dim=0, keepdim=True), scratch)[0]
        return torch.lerp(curvature, self.curvature_at_zero(), _BLEND)


class Objective:
    """The penalised losses of probes in groups that share features.

    penalty: L2, on weights only.
    alike: whether the probes of a group are so near each other that one curvature is for all.
    """

    def __init__(self, groups: Sequence[Group], penalty: float, alike: bool = False) -> None:
        self.groups, self.penalty, self.alike = list(groups), penalty, alike
        self.sizes = [len(group.labels) for group in groups]
        largest = max(group.labels.numel() for group in groups) * groups[0].n_classes
        self._scratch = tuple(groups[0].columns.new_empty(2, largest))

    @property
    def shape(self) -> tuple[int, int, int]:
        """Of a point: [N, K, d + 1]."""
        return sum(self.sizes), self.groups[0].n_classes, len(self.groups[0].columns)

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
        return Objective(groups, self.penalty, self.alike)

    @property
    def is_preconditioned(self) -> bool:
        """Whether there is an inverse curvature."""
        return self.groups[0].inverse is not None

    def preconditioned(self, point: Tensor | None = None) -> Objective:
        """With the inverse curvature at a point, or at zero."""
        if point is None:
            blocks = [group.curvature_at_zero() for group in self.groups]
        else:
            blocks = [
                group.common_curvature(at, self._scratch)
                if self.alike
                else group.curvature(at, self._scratch)
                for group, at in zip(self.groups, point.split(self.sizes), strict=True)
            ]
        groups = [
            replace(group, inverse=self._inverted(block))
            for group, block in zip(self.groups, blocks, strict=True)
        ]
        return Objective(groups, self.penalty, self.alike)

    def _inverted(self, blocks: Tensor) -> Tensor:
        # The bias has no penalty, and its curvature is zero where a class is certain.
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
            elif group.inverse.ndim == 3:
                # The inverse is symmetric.
                out.copy_((vector.transpose(0, 1) @ group.inverse).transpose(0, 1))
            else:
                out.copy_((group.inverse @ vector[..., None])[..., 0])
        return result

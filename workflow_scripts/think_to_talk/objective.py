"""The penalised loss of linear probes in batches: value, gradient and curvature.

Shapes: G groups of probes that share features, T probes each, n rows, d features, K = 10 classes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from torch import Tensor

N_CLASSES = 10
#: Curvature p(1 - p) of the loss in a logit, for ten equally likely classes.
_CURVATURE = (1 / N_CLASSES) * (1 - 1 / N_CLASSES)
#: Curvature in a bias below which it is not divided by.
_LEAST_CURVATURE = 1e-6


class Objective:
    """The penalised loss of a batch of probes, some groups with shared features.

    features: [G, n, d]. share: [G, n]. labels: [G, T, n]: T probes on the features of each group.
    A point is [G, T, K, d + 1], the bias last.
    """

    def __init__(self, features: Tensor, share: Tensor, labels: Tensor, penalty: float) -> None:
        self.features, self.share, self.labels, self.penalty = features, share, labels, penalty

    def select(self, probes: Tensor) -> Objective:
        """Only the probes with these numbers in [0, G * T), each as a group of its own."""
        group = probes // self.labels.shape[1]
        labels = self.labels.flatten(0, 1)[probes, None]
        return Objective(self.features[group], self.share[group], labels, self.penalty)

    def logits(self, point: Tensor) -> Tensor:
        """[G, T, K, n]: linear in the point."""
        g, t, k, d1 = point.shape
        flat = point[..., :-1].reshape(g, t * k, d1 - 1) @ self.features.transpose(1, 2)
        return flat.view(g, t, k, -1).add_(point[..., -1:])

    def loss(self, logits: Tensor, point: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Penalised loss [G, T]; exponentials [G, T, K, n] and their sums over classes."""
        shifted = logits - logits.amax(dim=2, keepdim=True)
        chosen = shifted.gather(2, self.labels[:, :, None])[:, :, 0]
        exponentials = shifted.exp_()
        total = exponentials.sum(dim=2)
        cross_entropy = ((total.log() - chosen) * self.share[:, None]).sum(dim=2)
        norm = point[..., :-1].square().sum(dim=(2, 3))
        return cross_entropy + 0.5 * self.penalty * norm, exponentials, total

    def gradient(self, exponentials: Tensor, total: Tensor, point: Tensor) -> Tensor:
        """The gradient at the point where `loss` gave the exponentials and their sums."""
        g, t, k, n = exponentials.shape
        share = self.share[:, None]
        error = exponentials * (share / total)[:, :, None]
        error.scatter_add_(2, self.labels[:, :, None], -share[:, :, None].expand(g, t, 1, n))
        weight = (error.view(g, t * k, n) @ self.features).view(g, t, k, -1)
        weight.add_(point[..., :-1], alpha=self.penalty)
        return torch.cat([weight, error.sum(dim=3, keepdim=True)], dim=3)

    def curvature(self, exponentials: Tensor, total: Tensor) -> Tensor:
        """The Hessian's diagonal blocks, [G, T, K, d + 1, d + 1], one per class."""
        g, t, k, n = exponentials.shape
        probabilities = exponentials / total[:, :, None]
        weights = probabilities * (1 - probabilities) * self.share[:, None, None]
        return self._weighted_gram(weights.view(g, t * k, n)).unflatten(1, (t, k))

    def curvature_at_zero(self) -> Tensor:
        """The Hessian's diagonal blocks where all classes are equally likely: all the same,
        [G, 1, 1, d + 1, d + 1].
        """
        return self._weighted_gram(_CURVATURE * self.share[:, None])[:, None]

    def _weighted_gram(self, weights: Tensor) -> Tensor:
        """[G, m, d + 1, d + 1] from weights [G, m, n], the penalty added."""
        g, m, _ = weights.shape
        d = self.features.shape[2]
        gram = weights.new_empty(g, m, d + 1, d + 1)
        for i in range(m):
            weighted = self.features * weights[:, i, :, None]
            gram[:, i, :-1, :-1] = weighted.transpose(1, 2) @ self.features
            gram[:, i, -1, :-1] = gram[:, i, :-1, -1] = weighted.sum(dim=1)
            gram[:, i, -1, -1] = weights[:, i].sum(dim=1)
        # The bias has no penalty; the class may be certain, and its curvature zero.
        ridge = torch.full((d + 1,), self.penalty, device=weights.device)
        ridge[-1] = _LEAST_CURVATURE
        return gram + ridge.diag()

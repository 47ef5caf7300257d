"""Three ways to fit linear probes, all minimising the mean cross-entropy of a linear layer.

- `lbfgs`: the default. Standardised features, an L2 penalty on the weights, all positions and
  targets of a batch together, to a certified tolerance.
- `sklearn`: the same problem, one probe at a time with scikit-learn: the slow reference.
- `sgd`: the paper's recipe (Kudo et al., arXiv:2412.01113): raw features, no penalty, a fixed
  number of full-batch steps from PyTorch's default initialisation.

Shapes: P positions, n rows, d features, V targets (variables), K = 10 classes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from math import sqrt
from typing import TYPE_CHECKING

import torch
from torch.nn.functional import pad

from think_to_talk.lbfgs import minimise
from think_to_talk.objective import N_CLASSES, Group, Objective
from think_to_talk.progress import progress

if TYPE_CHECKING:
    from torch import Tensor

#: Features whose standard deviation is below this share of their mean (or of the median feature's
#: size) are constant up to rounding.
_CONSTANT = 1e-5
#: Equal rows are put together where there are so many rows for each distinct one.
_ROWS_PER_DISTINCT = 16


@dataclass(frozen=True)
class Probes:
    """Fitted probes on raw features.

    weight: [P, V, K, d]. bias: [P, V, K].
    """

    weight: Tensor
    bias: Tensor

    def predict(self, features: Tensor) -> Tensor:
        """The most likely class, [P, V, n], for features [P, n, d]."""
        p, v, k, d = self.weight.shape
        logits = self.weight.reshape(p, v * k, d) @ features.transpose(1, 2)
        logits = logits.view(p, v, k, -1) + self.bias[..., None]
        return logits.argmax(dim=2)

    @classmethod
    def stack(cls, positions: Iterable[Probes]) -> Probes:
        """Those of several positions from those of each, [V, K, d] and [V, K]."""
        parts = list(positions)
        return cls(
            torch.stack([part.weight for part in parts]), torch.stack([part.bias for part in parts])
        )


@dataclass(frozen=True)
class Standardised:
    """Features with mean 0 and variance 1 over the rows of a position; constant ones are 0.

    features: [n, d]. mean, scale: [d].
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


def penalised_loss(
    features: Tensor, labels: Tensor, mask: Tensor, probes: Probes, penalty: float
) -> Tensor:
    """Mean cross-entropy + penalty / 2 * |weight|^2, the weights those on standardised features.

    features: [P, n, d] raw. labels: [V, n]. mask: [P, n]. Returns [P, V].
    """
    losses = []
    for position, used in enumerate(mask):
        data = Standardised.of(_used(features[position], used))
        group = Group.of(data.features, _used(labels, used, dim=1))
        point = data.from_raw(probes.weight[position], probes.bias[position])
        losses.append(Objective([group], penalty).evaluate(point)[0])
    return torch.stack(losses)


def fit_lbfgs(
    features: Tensor,
    labels: Tensor,
    mask: Tensor,
    *,
    penalty: float,
    tolerance: float,
    max_iterations: int,
) -> Probes:
    """Fit probes to convergence, all positions and targets together.

    features: [P, n, d] raw. labels: [V, n] classes. mask: [P, n], rows in use at a position.
    penalty: L2 on the weights of standardised features. tolerance: a probe is done when its loss
    is certified to be at most this share above the minimum: the loss is strongly convex with
    modulus `penalty`, so the excess is at most |gradient|^2 / (2 penalty).

    L-BFGS (Liu & Nocedal, 1989), batched: each probe has its own history and step length, and
    leaves the batch when it is done.
    """
    positions = [
        _Position(Standardised.of(_used(part, used)), _used(labels, used, dim=1))
        for part, used in zip(features, mask, strict=True)
    ]
    width = min(features.shape[-1], max(len(position.distinct) for position in positions))
    groups = [group for position in positions for group in position.groups(width)]
    point = minimise(Objective(groups, penalty), tolerance, max_iterations)
    return Probes.stack(
        position.to_raw(part)
        for position, part in zip(positions, point.split(len(labels)), strict=True)
    )


def _used(rows: Tensor, mask: Tensor, dim: int = 0) -> Tensor:
    """The rows where the mask is true, along `dim`; not copied if all are."""
    return rows if mask.all() else rows.index_select(dim, mask.nonzero()[:, 0])


@dataclass(frozen=True)
class _Position:
    """The probes of a position as an equivalent smaller problem, where there is one.

    labels: [V, n]. Early positions and the embeddings have few distinct hidden states: equal rows
    with equal labels are one row with a larger share of the loss. And where there are fewer rows
    than features, the solution is a combination of the rows: it is sought in their span.
    """

    data: Standardised
    labels: Tensor

    @cached_property
    def _duplicates(self) -> tuple[Tensor, Tensor] | None:
        """The distinct rows [m, d], and for each row [n] which it is; None if there are many."""
        rows = self.data.features
        most = len(rows) // _ROWS_PER_DISTINCT
        if len(rows[:, 0].unique()) > most and len(rows[:, -1].unique()) > most:
            return None
        distinct, which = rows.unique(dim=0, return_inverse=True)
        return (distinct, which) if len(distinct) <= most else None

    @property
    def distinct(self) -> Tensor:
        """All rows, or the distinct ones if there are few: [m, d]."""
        return self._duplicates[0] if self._duplicates else self.data.features

    @cached_property
    def _basis(self) -> tuple[Tensor, Tensor] | None:
        """An orthonormal basis [d, m] of the span of the m distinct rows, and the rows in it."""
        if len(self.distinct) >= self.distinct.shape[1]:
            return None
        basis, coordinates = torch.linalg.qr(self.distinct.T)
        return basis, coordinates.T

    def groups(self, width: int) -> list[Group]:
        """The probes of all targets, on features [m, width] with width <= d."""
        rows = self._basis[1] if self._basis else self.distinct
        rows = pad(rows, (0, width - rows.shape[1]))
        if not self._duplicates:
            return [Group.of(rows, self.labels)]
        groups = []
        for classes in self.labels:
            kinds, counts = (self._duplicates[1] * N_CLASSES + classes).unique(return_counts=True)
            groups.append(
                Group.of(
                    rows[kinds // N_CLASSES],
                    (kinds % N_CLASSES)[None],
                    counts.to(rows.dtype) / len(classes),
                )
            )
        return groups

    def to_raw(self, point: Tensor) -> Probes:
        """Probes on raw features from a point [V, K, width + 1]."""
        if self._basis:
            basis = self._basis[0]
            weight = point[..., : basis.shape[1]] @ basis.T
            point = torch.cat([weight, point[..., -1:]], dim=-1)
        return self.data.to_raw(point)


def fit_sklearn(
    features: Tensor,
    labels: Tensor,
    mask: Tensor,
    *,
    penalty: float,
    tolerance: float,
    max_iterations: int,
) -> Probes:
    """The same problem and arguments as `fit_lbfgs`, by scikit-learn, one probe at a time."""
    from sklearn.linear_model import LogisticRegression

    p, _, d = features.shape
    found = []
    for position in range(p):
        used = mask[position]
        data = Standardised.of(features[position, used])
        rows = data.features.double().numpy()
        point = torch.zeros(len(labels), N_CLASSES, d + 1)
        point[..., -1] = -torch.inf
        for target, classes in enumerate(labels[:, used].numpy()):
            model = LogisticRegression(
                C=1 / (penalty * len(rows)), tol=tolerance, max_iter=max_iterations
            ).fit(rows, classes)
            point[target, model.classes_, :-1] = torch.from_numpy(model.coef_).float()
            point[target, model.classes_, -1] = torch.from_numpy(model.intercept_).float()
        found.append(data.to_raw(point))
    return Probes.stack(found)


def fit_sgd(
    features: Tensor,
    labels: Tensor,
    mask: Tensor,
    *,
    learning_rate: float,
    epochs: int,
    seed: int,
) -> Probes:
    """The paper's recipe on raw features [P, n, d]: full-batch gradient steps, nothing else.

    seed: of the initial weights, drawn uniformly within 1 / sqrt(d) as torch.nn.Linear does.
    """
    p, _, d = features.shape
    bound = 1 / sqrt(d)
    shape = (p, len(labels), N_CLASSES, d + 1)
    generator = torch.Generator().manual_seed(seed)
    point = torch.empty(shape).uniform_(-bound, bound, generator=generator).flatten(0, 1)
    groups = [
        Group.of(_used(part, used), _used(labels, used, dim=1))
        for part, used in zip(features, mask, strict=True)
    ]
    objective = Objective(groups, penalty=0.0)
    with progress(epochs, "sgd", "epochs") as bar:
        for _ in range(epochs):
            point -= learning_rate * objective.evaluate(point)[1]
            bar.update()
    point = point.view(shape)
    return Probes(point[..., :-1], point[..., -1])


#: The solvers by their names in the config. All take features, labels and mask first.
SOLVERS: dict[str, Callable[..., Probes]] = {
    "lbfgs": fit_lbfgs,
    "sgd": fit_sgd,
    "sklearn": fit_sklearn,
}

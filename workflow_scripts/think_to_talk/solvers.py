"""Three ways to fit linear probes, all minimising the mean cross-entropy of a linear layer.

- `lbfgs`: the default. Standardised features, an L2 penalty on the weights, all positions and
  targets of a batch together, to a certified tolerance.
- `sklearn`: the same problem, one probe at a time with scikit-learn: the slow reference.
- `sgd`: the paper's recipe (Kudo et al., arXiv:2412.01113): raw features, no penalty, a fixed
  number of full-batch steps from PyTorch's default initialisation.

Shapes: P positions, n rows, d features, V targets (variables), K = 10 classes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import sqrt
from typing import TYPE_CHECKING

import torch

from think_to_talk.lbfgs import minimise
from think_to_talk.objective import N_CLASSES, Objective
from think_to_talk.progress import progress

if TYPE_CHECKING:
    from torch import Tensor

#: Features whose standard deviation is below this share of their mean (or of the median feature's
#: size) are constant up to rounding.
_CONSTANT = 1e-5


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


@dataclass(frozen=True)
class Standardised:
    """Features with mean 0 and variance 1 over the rows in use; constant ones are 0.

    features: [P, n, d]. mean, scale: [P, 1, d]. share: [P, n], each row's share of the mean loss.
    """

    features: Tensor
    mean: Tensor
    scale: Tensor
    share: Tensor

    @classmethod
    def of(cls, features: Tensor, mask: Tensor) -> Standardised:
        """Standardise features [P, n, d] over the rows where mask [P, n] is true."""
        share = (mask / mask.sum(dim=1, keepdim=True)).to(features.dtype)
        mean = share[:, None] @ features
        centred = features - mean
        variance = share[:, None] @ centred.square()
        scale = variance.sqrt()
        size = (mean.square() + variance).sqrt().median(dim=2, keepdim=True).values
        constant = scale <= _CONSTANT * torch.maximum(mean.abs(), size)
        inverse = torch.where(constant, 0.0, 1 / scale)
        scale = torch.where(constant, torch.inf, scale)
        return cls(centred.mul_(inverse), mean, scale, share)

    def to_raw(self, weight: Tensor, bias: Tensor) -> Probes:
        """Probes on raw features from weights [P, V, K, d] and biases on standardised ones."""
        weight = weight / self.scale[:, None]
        return Probes(weight, bias - (weight @ self.mean[:, None].transpose(2, 3))[..., 0])

    def from_raw(self, probes: Probes) -> Tensor:
        """The inverse of `to_raw`: [P, V, K, d + 1], the bias last; constant features get 0."""
        shift = (probes.weight @ self.mean[:, None].transpose(2, 3))[..., 0]
        scale = torch.where(self.scale.isinf(), 0.0, self.scale)
        return torch.cat([probes.weight * scale[:, None], (probes.bias + shift)[..., None]], dim=-1)


def penalised_loss(
    features: Tensor, labels: Tensor, mask: Tensor, probes: Probes, penalty: float
) -> Tensor:
    """Mean cross-entropy + penalty / 2 * |weight|^2, the weights those on standardised features.

    features: [P, n, d] raw. labels: [V, n]. mask: [P, n]. Returns [P, V].
    """
    data = Standardised.of(features, mask)
    objective = Objective(data.features, data.share, labels.expand(len(mask), -1, -1), penalty)
    point = data.from_raw(probes)
    return objective.loss(objective.logits(point), point)[0]


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
    data = Standardised.of(features, mask)
    objective = Objective(data.features, data.share, labels.expand(len(mask), -1, -1), penalty)
    point = minimise(objective, tolerance, max_iterations)
    return data.to_raw(point[..., :-1], point[..., -1])


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

    data = Standardised.of(features, mask)
    p, _, d = features.shape
    weight = torch.zeros(p, len(labels), N_CLASSES, d)
    bias = torch.full((p, len(labels), N_CLASSES), -torch.inf)
    for position in range(p):
        used = mask[position]
        rows = data.features[position, used].double().numpy()
        for target, classes in enumerate(labels[:, used].numpy()):
            model = LogisticRegression(
                C=1 / (penalty * len(rows)), tol=tolerance, max_iter=max_iterations
            ).fit(rows, classes)
            weight[position, target, model.classes_] = torch.from_numpy(model.coef_).float()
            bias[position, target, model.classes_] = torch.from_numpy(model.intercept_).float()
    return data.to_raw(weight, bias)


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
    point = torch.empty(shape).uniform_(-bound, bound, generator=generator).to(features.device)
    share = mask / mask.sum(dim=1, keepdim=True)
    objective = Objective(features, share, labels.expand(p, -1, -1), penalty=0.0)
    with progress(epochs, "sgd", "epochs") as bar:
        for _ in range(epochs):
            _, exponentials, total = objective.loss(objective.logits(point), point)
            point -= learning_rate * objective.gradient(exponentials, total, point)
            bar.update()
    return Probes(point[..., :-1], point[..., -1])


#: The solvers by their names in the config. All take features, labels and mask first.
SOLVERS: dict[str, Callable[..., Probes]] = {
    "lbfgs": fit_lbfgs,
    "sgd": fit_sgd,
    "sklearn": fit_sklearn,
}

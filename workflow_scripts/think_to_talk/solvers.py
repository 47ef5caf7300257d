"""Three ways to fit linear probes, all minimising the mean cross-entropy of a linear layer.

- `lbfgs`: the default. Standardised features, an L2 penalty on the weights, all positions and
  targets of a batch together, to a certified tolerance.
- `sklearn`: the same problem, one probe at a time with scikit-learn: the slow reference.
- `sgd`: the paper's recipe (Kudo et al., arXiv:2412.01113): raw features, no penalty, a fixed
  number of full-batch steps from PyTorch's default initialisation.

Shapes: P positions, n rows, d features, V targets (variables), K = 10 classes.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt
from typing import TYPE_CHECKING

import torch

from think_to_talk.progress import progress

if TYPE_CHECKING:
    from torch import Tensor

N_CLASSES = 10
#: Pairs of steps and gradient changes that L-BFGS remembers.
_HISTORY = 10
#: Armijo's condition: a step must gain this share of what the gradient promises.
_SUFFICIENT = 1e-4
#: Features whose standard deviation is below this share of their mean (or of the median feature's
#: size) are constant up to rounding.
_CONSTANT = 1e-5
#: Curvature p(1 - p) of the loss in a logit, for ten equally likely classes.
_CURVATURE = (1 / N_CLASSES) * (1 - 1 / N_CLASSES)
#: Widest features for which the Gram matrix that preconditions L-BFGS is worth its cost.
_WIDEST_GRAM = 1024


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
        share = mask / mask.sum(dim=1, keepdim=True)
        mean = (share[:, None] @ features).float()
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


def penalised_loss(
    data: Standardised, labels: Tensor, weight: Tensor, bias: Tensor, penalty: float
) -> Tensor:
    """Mean cross-entropy + penalty / 2 * |weight|^2, [P, V]; labels: [V, n]."""
    objective = _Objective(data, labels, penalty)
    point = torch.cat([weight, bias[..., None]], dim=-1)
    return objective.loss(objective.logits(point), point)[0]


class _Objective:
    """The penalised loss of P x V probes. A point is [P, V, K, d + 1], the bias last."""

    def __init__(self, data: Standardised, labels: Tensor, penalty: float) -> None:
        self.features = data.features
        self.share = data.share[:, None]
        self.labels = labels[None, :, None]
        self.penalty = penalty
        self.n_targets = len(labels)

    def logits(self, point: Tensor) -> Tensor:
        """[P, V, K, n]: linear in the point."""
        p, v, k, d1 = point.shape
        flat = point[..., :-1].reshape(p, v * k, d1 - 1) @ self.features.transpose(1, 2)
        return flat.view(p, v, k, -1) + point[..., -1:]

    def loss(self, logits: Tensor, point: Tensor) -> tuple[Tensor, Tensor]:
        """Penalised loss [P, V] and class probabilities [P, V, K, n]."""
        shifted = logits - logits.amax(dim=2, keepdim=True)
        chosen = shifted.gather(2, self.labels.expand(len(logits), -1, -1, -1))[:, :, 0]
        probabilities = shifted.exp_()
        total = probabilities.sum(dim=2)
        probabilities /= total[:, :, None]
        cross_entropy = ((total.log() - chosen) * self.share).sum(dim=2)
        norm = point[..., :-1].square().sum(dim=(2, 3))
        return cross_entropy + 0.5 * self.penalty * norm, probabilities

    def gradient(self, probabilities: Tensor, point: Tensor) -> Tensor:
        """The gradient at a point from the probabilities there (which are overwritten)."""
        p, v, k, n = probabilities.shape
        error = probabilities.scatter_add_(
            2,
            self.labels.expand(p, -1, -1, -1),
            torch.full((1, 1, 1, 1), -1.0, device=probabilities.device).expand(p, v, 1, n),
        )
        error *= self.share[:, :, None]
        weight = (error.view(p, v * k, n) @ self.features).view(p, v, k, -1)
        weight = weight + self.penalty * point[..., :-1]
        return torch.cat([weight, error.sum(dim=3, keepdim=True)], dim=3)


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

    L-BFGS (Liu & Nocedal, 1989), batched: each probe has its own history and step length.
    Logits are linear in the weights, so trying another step length costs no matrix product.
    """
    data = Standardised.of(features, mask)
    objective = _Objective(data, labels, penalty)
    p, _, d = features.shape
    point = features.new_zeros(p, len(labels), N_CLASSES, d + 1, dtype=torch.float32)
    precondition = _preconditioner(data, penalty)
    result = _minimise(objective, point, precondition, tolerance, max_iterations)
    return data.to_raw(result[..., :-1], result[..., -1])


def _preconditioner(data: Standardised, penalty: float) -> Tensor | None:
    """The inverse of the Hessian at zero, [P, d, d], without the mixing of classes."""
    features = data.features
    d = features.shape[2]
    if d > _WIDEST_GRAM:
        return None
    gram = (features * data.share[..., None]).transpose(1, 2) @ features
    gram = _CURVATURE * gram + penalty * torch.eye(d, device=features.device)
    return torch.cholesky_inverse(torch.linalg.cholesky(gram))


def _minimise(
    objective: _Objective,
    point: Tensor,
    precondition: Tensor | None,
    tolerance: float,
    max_iterations: int,
) -> Tensor:
    logits = objective.logits(point)
    loss, probabilities = objective.loss(logits, point)
    gradient = objective.gradient(probabilities, point)
    steps: list[Tensor] = []
    changes: list[Tensor] = []
    for _ in range(max_iterations):
        excess = gradient.square().sum(dim=(2, 3)) / (2 * objective.penalty)
        running = excess > tolerance * loss
        if not running.any():
            break
        direction = -_two_loop(gradient, steps, changes, precondition)
        slope = (direction * gradient).sum(dim=(2, 3))
        # Rounding can spoil a direction near the end; such a probe stops where it is.
        direction *= (running & (slope < 0))[..., None, None]
        along = objective.logits(direction)
        length = torch.ones_like(loss)
        while True:
            trial = point + length[..., None, None] * direction
            trial_logits = logits + length[..., None, None] * along
            trial_loss, probabilities = objective.loss(trial_logits, trial)
            short = trial_loss > loss + _SUFFICIENT * length * slope
            short &= running & (length > 1e-6)
            if not short.any():
                break
            # The minimum of the parabola through both losses and the slope, kept in [0.1, 0.5].
            fitted = -slope * length / (2 * (trial_loss - loss - slope * length))
            length = torch.where(short, length * fitted.clamp(0.1, 0.5), length)
        trial_gradient = objective.gradient(probabilities, trial)
        steps.append(trial - point)
        changes.append(trial_gradient - gradient)
        del steps[:-_HISTORY], changes[:-_HISTORY]
        point, logits, loss, gradient = trial, trial_logits, trial_loss, trial_gradient
    return point


def _two_loop(
    gradient: Tensor, steps: list[Tensor], changes: list[Tensor], precondition: Tensor | None
) -> Tensor:
    """The L-BFGS product of inverse Hessian and gradient, per probe (Nocedal & Wright, alg. 7.4)."""

    def dot(a: Tensor, b: Tensor) -> Tensor:
        return (a * b).sum(dim=(2, 3), keepdim=True)

    q = gradient
    weights = []
    for s, y in zip(reversed(steps), reversed(changes), strict=True):
        curvature = dot(s, y)
        # A pair without curvature (a probe that stands still) is skipped.
        inverse = torch.where(curvature > 0, 1 / curvature, 0.0)
        weight = inverse * dot(s, q)
        q = q - weight * y
        weights.append((weight, inverse))
    if precondition is not None:
        p, v, k, d1 = q.shape
        flat = q[..., :-1].reshape(p, v * k, d1 - 1) @ precondition
        q = torch.cat([flat.view(p, v, k, d1 - 1), q[..., -1:] / _CURVATURE], dim=3)
    elif steps:
        y_y = dot(changes[-1], changes[-1])
        q = q * torch.where(y_y > 0, dot(steps[-1], changes[-1]) / y_y, 1.0)
    for s, y, (weight, inverse) in zip(steps, changes, reversed(weights), strict=True):
        q = q + s * (weight - inverse * dot(y, q))
    return q


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
    raw = Standardised(features, features.new_zeros(1), features.new_ones(1), share)
    objective = _Objective(raw, labels, penalty=0.0)
    with progress(epochs, "sgd", "epochs") as bar:
        for _ in range(epochs):
            _, probabilities = objective.loss(objective.logits(point), point)
            point -= learning_rate * objective.gradient(probabilities, point)
            bar.update()
    return Probes(point[..., :-1], point[..., -1])


#: The solvers by their names in the config. All take features, labels and mask first.
SOLVERS = {"lbfgs": fit_lbfgs, "sgd": fit_sgd, "sklearn": fit_sklearn}

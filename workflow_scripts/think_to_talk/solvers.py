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
#: Curvature in a bias below which it is not divided by.
_LEAST_CURVATURE = 1e-6
#: Widest features for which the Gram matrix that preconditions L-BFGS is worth its cost.
_WIDEST_GRAM = 1024
#: L-BFGS steps between two such matrices, at least.
_LEAST_STEPS = 12
#: No step is made shorter than this share of the first try.
_SHORTEST = 1e-6


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


class _Objective:
    """The penalised loss of a batch of probes, some groups with shared features.

    features: [G, n, d]. share: [G, n]. labels: [G, T, n]: T probes on the features of each group.
    A point is [G, T, K, d + 1], the bias last.
    """

    def __init__(self, features: Tensor, share: Tensor, labels: Tensor, penalty: float) -> None:
        self.features, self.share, self.labels, self.penalty = features, share, labels, penalty

    def select(self, probes: Tensor) -> _Objective:
        """Only the probes with these numbers in [0, G * T), each as a group of its own."""
        group = probes // self.labels.shape[1]
        labels = self.labels.flatten(0, 1)[probes, None]
        return _Objective(self.features[group], self.share[group], labels, self.penalty)

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


def penalised_loss(
    features: Tensor, labels: Tensor, mask: Tensor, probes: Probes, penalty: float
) -> Tensor:
    """Mean cross-entropy + penalty / 2 * |weight|^2, the weights those on standardised features.

    features: [P, n, d] raw. labels: [V, n]. mask: [P, n]. Returns [P, V].
    """
    data = Standardised.of(features, mask)
    objective = _Objective(data.features, data.share, labels.expand(len(mask), -1, -1), penalty)
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
    objective = _Objective(data.features, data.share, labels.expand(len(mask), -1, -1), penalty)
    point = _minimise(objective, tolerance, max_iterations)
    return data.to_raw(point[..., :-1], point[..., -1])


def _minimise(objective: _Objective, tolerance: float, max_iterations: int) -> Tensor:
    """The minimum from a start at zero, [G, T, K, d + 1].

    The inverse Hessian that L-BFGS starts from is that of the diagonal blocks: at zero, and again
    from time to time where the slow probes are, as often as its cost is small beside the steps'.
    Logits are linear in the point, so trying another step length costs no matrix product.
    """
    g, t, _ = objective.labels.shape
    d = objective.features.shape[2]
    result = objective.features.new_zeros(g, t, N_CLASSES, d + 1)
    found = result.view(g * t, N_CLASSES, d + 1)
    # Which of all probes each one in the batch is.
    probes = torch.arange(g * t)
    point = result.clone()
    logits = objective.logits(point)
    loss, exponentials, total = objective.loss(logits, point)
    gradient = objective.gradient(exponentials, total, point)
    inverse = _inverted(objective.curvature_at_zero()) if d <= _WIDEST_GRAM else None
    history: list[tuple[Tensor, Tensor]] = []
    refresh = max(_LEAST_STEPS, d // 3)
    for step in range(max_iterations):
        excess = gradient.square().sum(dim=(2, 3)) / (2 * objective.penalty)
        running = excess > tolerance * loss
        n_running = int(running.sum())
        if n_running <= running.numel() // 2:
            found[probes] = point.flatten(0, 1)
            if n_running == 0:
                return result
            chosen = running.flatten().nonzero()[:, 0]
            n_targets = running.shape[1]

            def pick(tensor: Tensor, chosen: Tensor = chosen) -> Tensor:
                return tensor.flatten(0, 1)[chosen, None]

            probes, objective = probes[chosen], objective.select(chosen)
            point, logits, loss, gradient = map(pick, (point, logits, loss, gradient))
            exponentials, total, running = map(pick, (exponentials, total, running))
            history = [(pick(s), pick(y)) for s, y in history]
            if inverse is not None:
                shared = inverse.shape[1] == 1
                inverse = inverse[chosen // n_targets] if shared else pick(inverse)
        if step and step % refresh == 0 and d <= _WIDEST_GRAM:
            inverse = _inverted(objective.curvature(exponentials, total))
        direction = -_two_loop(gradient, history, inverse)
        slope = (direction * gradient).sum(dim=(2, 3))
        # A finished probe stands still, and so does one whose direction rounding has spoilt.
        direction *= (running & (slope < 0))[..., None, None]
        along = objective.logits(direction)
        length = torch.ones_like(loss)
        while True:
            stride = length[..., None, None]
            trial = torch.addcmul(point, direction, stride)
            trial_logits = torch.addcmul(logits, along, stride)
            trial_loss, exponentials, total = objective.loss(trial_logits, trial)
            short = trial_loss > loss + _SUFFICIENT * length * slope
            short &= running & (slope < 0) & (length > _SHORTEST)
            if not short.any():
                break
            # The minimum of the parabola through both losses and the slope, kept in [0.1, 0.5].
            fitted = -slope * length / (2 * (trial_loss - loss - slope * length))
            length = torch.where(short, length * fitted.clamp(0.1, 0.5), length)
        trial_gradient = objective.gradient(exponentials, total, trial)
        history.append((trial - point, trial_gradient - gradient))
        del history[:-_HISTORY]
        point, logits, loss, gradient = trial, trial_logits, trial_loss, trial_gradient
    found[probes] = point.flatten(0, 1)
    return result


def _inverted(matrices: Tensor) -> Tensor:
    """Inverses of positive definite matrices."""
    return torch.cholesky_inverse(torch.linalg.cholesky(matrices))


def _two_loop(
    gradient: Tensor, history: list[tuple[Tensor, Tensor]], inverse: Tensor | None
) -> Tensor:
    """The L-BFGS product of inverse Hessian and gradient, per probe (Nocedal & Wright, alg. 7.4).

    history: steps and the changes of the gradient over them. inverse: what to start from,
    [G, T or 1, K or 1, d + 1, d + 1], or None for a multiple of the identity.
    """

    def dot(a: Tensor, b: Tensor) -> Tensor:
        return (a * b).sum(dim=(2, 3), keepdim=True)

    q = gradient
    coefficients = []
    for s, y in reversed(history):
        curvature = dot(s, y)
        # A pair without curvature (a probe that stood still) is skipped.
        rho = torch.where(curvature > 0, 1 / curvature, 0.0)
        alpha = rho * dot(s, q)
        q = torch.addcmul(q, alpha, y, value=-1)
        coefficients.append((rho, alpha))
    if inverse is not None and inverse.shape[2] == 1:
        q = q @ inverse[:, :, 0]
    elif inverse is not None:
        q = (inverse @ q[..., None])[..., 0]
    elif history:
        s, y = history[-1]
        q = q * torch.where(dot(y, y) > 0, dot(s, y) / dot(y, y), 1.0)
    for (s, y), (rho, alpha) in zip(history, reversed(coefficients), strict=True):
        q = torch.addcmul(q, s, alpha - rho * dot(y, q))
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
    objective = _Objective(features, share, labels.expand(p, -1, -1), penalty=0.0)
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

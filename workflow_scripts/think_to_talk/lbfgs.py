"""L-BFGS in batches (Liu & Nocedal, 1989): each probe has its own history and step length.

Shapes as in `objective`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from think_to_talk.objective import N_CLASSES, Objective

if TYPE_CHECKING:
    from torch import Tensor

#: Pairs of steps and gradient changes that are remembered.
_HISTORY = 10
#: Armijo's condition: a step must gain this share of what the gradient promises.
_SUFFICIENT = 1e-4
#: Widest features for which the Gram matrix that preconditions is worth its cost.
_WIDEST_GRAM = 1024
#: Steps between two such matrices, at least.
_LEAST_STEPS = 12
#: No step is made shorter than this share of the first try.
_SHORTEST = 1e-6


def minimise(objective: Objective, tolerance: float, max_iterations: int) -> Tensor:
    """The minimum from a start at zero, [G, T, K, d + 1].

    The inverse Hessian that L-BFGS starts from is that of the diagonal blocks: at zero, and again
    from time to time where the slow probes are, as often as its cost is small beside the steps'.
    A probe is done when |gradient|^2 / (2 penalty) is at most `tolerance` times its loss.
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
        able = running & (slope < 0)
        direction *= able[..., None, None]
        trial, trial_logits, trial_loss, exponentials, total = _line_search(
            objective, point, logits, loss, direction, slope, able
        )
        trial_gradient = objective.gradient(exponentials, total, trial)
        history.append((trial - point, trial_gradient - gradient))
        del history[:-_HISTORY]
        point, logits, loss, gradient = trial, trial_logits, trial_loss, trial_gradient
    found[probes] = point.flatten(0, 1)
    return result


def _line_search(
    objective: Objective,
    point: Tensor,
    logits: Tensor,
    loss: Tensor,
    direction: Tensor,
    slope: Tensor,
    able: Tensor,
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """Per probe, a step along its direction that gains enough (Armijo, by backtracking).

    slope: of the loss along the direction. able: which probes move at all.
    Returns the point reached, its logits and loss, and the exponentials and sums of `loss`.
    Logits are linear in the point, so trying another step length costs no matrix product.
    """
    along = objective.logits(direction)
    length = torch.ones_like(loss)
    while True:
        stride = length[..., None, None]
        trial = torch.addcmul(point, direction, stride)
        trial_logits = torch.addcmul(logits, along, stride)
        trial_loss, exponentials, total = objective.loss(trial_logits, trial)
        short = trial_loss > loss + _SUFFICIENT * length * slope
        short &= able & (length > _SHORTEST)
        if not short.any():
            return trial, trial_logits, trial_loss, exponentials, total
        # The minimum of the parabola through both losses and the slope, kept in [0.1, 0.5].
        fitted = -slope * length / (2 * (trial_loss - loss - slope * length))
        length = torch.where(short, length * fitted.clamp(0.1, 0.5), length)


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

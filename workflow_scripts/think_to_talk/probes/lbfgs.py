"""L-BFGS in batches (Liu & Nocedal, 1989): each probe has its own history and step length.

`probes.solvers` hands it an objective of many probes. L-BFGS approximates Newton's steps from the
last few steps and gradient changes; batching replaces many small matrix products by few large ones.
Shapes as in `objective`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from torch import Tensor

    from think_to_talk.probes.objective import Objective

#: Number of past steps and gradient changes that approximate the Hessian.
_HISTORY = 5

#: Armijo's condition: a step must reduce the loss by this share of the linear prediction.
_SUFFICIENT = 1e-4

#: Widest features for which preconditioning by the Gram matrix pays.
WIDEST_GRAM = 1024

#: Fewest steps between two updates of the preconditioner.
_LEAST_STEPS = 12

#: Shortest step of the line search, as a share of the first.
_SHORTEST = 1e-6


def minimise(
    objective: Objective,
    start: Tensor,
    tolerance: float,
    max_iterations: int,
    n_history: int = _HISTORY,
) -> Tensor:
    """The minimum [N, K, d + 1].

    L-BFGS starts from the inverse of the Hessian's diagonal blocks: at zero, and later at the
    points of the probes still running, so rarely that the steps cost more than the inverses.

    start: [N, K, d + 1].
    tolerance: a probe is done when |gradient|^2 / (2 penalty) is at most this share of its loss.
    max_iterations: steps after which all probes stop.
    n_history: past steps that approximate the Hessian.
    """
    n, _, columns = objective.shape
    narrow = columns - 1 <= WIDEST_GRAM
    if narrow and not objective.is_preconditioned:
        objective = objective.preconditioned()
    refresh = max(_LEAST_STEPS, (columns - 1) // 3)
    found = torch.empty_like(start)
    # The number of each probe of the batch among all probes.
    probes = torch.arange(n)
    point = start
    loss, gradient = objective.evaluate(point)
    history: list[tuple[Tensor, Tensor]] = []
    for step in range(max_iterations):
        excess = gradient.square().sum(dim=(1, 2)) / (2 * objective.penalty)
        running = excess > tolerance * loss
        if not running.all():
            found[probes] = point
            if not running.any():
                return found
            chosen = running.nonzero()[:, 0]
            objective = objective.select(chosen)
            probes, point, loss, gradient = (
                tensor[chosen] for tensor in (probes, point, loss, gradient)
            )
            history = [(s[chosen], y[chosen]) for s, y in history]
        if step and step % refresh == 0 and narrow:
            objective = objective.preconditioned(point)
        direction = -_two_loop(objective, gradient, history, narrow)
        slope = (direction * gradient).sum(dim=(1, 2))
        # A probe whose direction is not downhill, for rounding errors, does not move.
        able = slope < 0
        direction *= able[:, None, None]
        trial, trial_loss, trial_gradient = _line_search(
            objective, point, loss, gradient, direction, slope, able
        )
        history.append((trial - point, trial_gradient - gradient))
        del history[:-n_history]
        point, loss, gradient = trial, trial_loss, trial_gradient
    found[probes] = point
    return found


def _line_search(
    objective: Objective,
    point: Tensor,
    loss: Tensor,
    gradient: Tensor,
    direction: Tensor,
    slope: Tensor,
    able: Tensor,
) -> tuple[Tensor, Tensor, Tensor]:
    """Per probe, a step along its direction that satisfies Armijo's condition, by backtracking.

    If even the shortest step does not reduce the loss, the probe does not move; its next directions
    then use less of the old history.

    point: [N, K, d + 1].
    loss: [N], at the point.
    gradient: [N, K, d + 1], at the point.
    direction: [N, K, d + 1].
    slope: [N], of the loss along the direction.
    able: [N], whether a probe moves.
    Returns the point reached, its loss and its gradient.
    """
    trial = point + direction
    trial_loss, trial_gradient = objective.evaluate(trial)
    length = torch.ones_like(loss)
    while True:
        # The loss overflows where the step is far too long.
        gains = trial_loss <= loss + _SUFFICIENT * length * slope
        short = (~gains & able & (length > _SHORTEST)).nonzero()[:, 0]
        if not len(short):
            lost = (~gains & able).nonzero()[:, 0]
            trial[lost], trial_loss[lost] = point[lost], loss[lost]
            trial_gradient[lost] = gradient[lost]
            return trial, trial_loss, trial_gradient
        # The minimum of the parabola through both losses and the slope, kept in [0.1, 0.5].
        promised = slope[short] * length[short]
        fitted = -promised / (2 * (trial_loss[short] - loss[short] - promised))
        length[short] *= fitted.nan_to_num(0.1).clamp(0.1, 0.5)
        trial[short] = point[short] + length[short, None, None] * direction[short]
        trial_loss[short], trial_gradient[short] = objective.select(short).evaluate(trial[short])


def _two_loop(
    objective: Objective,
    gradient: Tensor,
    history: list[tuple[Tensor, Tensor]],
    preconditioned: bool,
) -> Tensor:
    """The L-BFGS product of inverse Hessian and gradient, per probe (Nocedal & Wright, alg. 7.4).

    gradient: [N, K, d + 1].
    history: steps, and the changes of the gradient over them.
    preconditioned: whether it starts from the objective's inverse curvature, or from a multiple of
        the identity.
    """

    def dot(a: Tensor, b: Tensor) -> Tensor:
        return (a * b).sum(dim=(1, 2), keepdim=True)

    q = gradient
    coefficients = []
    for s, y in reversed(history):
        curvature = dot(s, y)
        # A pair without curvature (of a probe that did not move) is skipped.
        rho = torch.where(curvature > 0, 1 / curvature, 0.0)
        alpha = rho * dot(s, q)
        q = torch.addcmul(q, alpha, y, value=-1)
        coefficients.append((rho, alpha))
    if preconditioned:
        q = objective.precondition(q)
    elif history:
        s, y = history[-1]
        q = q * torch.where(dot(y, y) > 0, dot(s, y) / dot(y, y), 1.0)
    for (s, y), (rho, alpha) in zip(history, reversed(coefficients), strict=True):
        q = torch.addcmul(q, s, alpha - rho * dot(y, q))
    return q

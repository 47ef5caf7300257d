"""L-BFGS in batches (Liu & Nocedal, 1989): each probe has its own history and step length.

`probes.solvers` hands it an objective of many probes. L-BFGS approximates Newton's steps from the
last few steps and gradient changes; batching replaces many small matrix products by few large ones.
Shapes as in `objective`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
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
    history = _History.empty(point, n_history)
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
            history = history.select(chosen)
        if step and step % refresh == 0 and narrow:
            objective = objective.preconditioned(point)
        direction = -history.product(gradient, objective.precondition if narrow else None)
        slope = (direction * gradient).sum(dim=(1, 2))
        # A probe whose direction is not downhill, for rounding errors, does not move.
        able = slope < 0
        direction *= able[:, None, None]
        trial, trial_loss, trial_gradient = _line_search(
            objective, point, loss, gradient, direction, slope, able
        )
        history.add(trial - point, trial_gradient - gradient)
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


@dataclass
class _History:
    """The last m steps of N probes, and the changes of the gradient over them.

    The product with the inverse Hessian is Nocedal & Wright's algorithm 7.4 in matrix form (Byrd,
    Nocedal & Schnabel, 1994), so that all pairs are read by few matrix products. With the steps S
    and changes Y of the gradient as rows, R_ij = s_i . y_j where s_i is not newer than y_j, and 0
    otherwise.

    steps, changes: S and Y, [N, m, K * (d + 1)], in a ring; not yet filled places are zero.
    inverse: of R, [N, m, m].
    curvature: the diagonal of R, [N, m].
    scale: [N], of the identity from which the inverse Hessian starts without a preconditioner.
    n_added: pairs so far.
    """

    steps: Tensor
    changes: Tensor
    inverse: Tensor
    curvature: Tensor
    scale: Tensor
    n_added: int = 0

    @classmethod
    def empty(cls, point: Tensor, size: int) -> _History:
        """Without a step; for points [N, K, d + 1] and m = size."""
        n, entries = len(point), point[0].numel()
        return cls(
            point.new_zeros(n, size, entries),
            point.new_zeros(n, size, entries),
            point.new_zeros(n, size, size),
            point.new_zeros(n, size),
            point.new_ones(n),
        )

    def select(self, probes: Tensor) -> _History:
        """Only the probes with these numbers in [0, N)."""
        return _History(
            self.steps[probes],
            self.changes[probes],
            self.inverse[probes],
            self.curvature[probes],
            self.scale[probes],
            self.n_added,
        )

    def add(self, step: Tensor, change: Tensor) -> None:
        """Replace the oldest pair by a step and the change of the gradient, [N, K, d + 1]."""
        last = self.n_added % self.steps.shape[1]
        self.n_added += 1
        self.steps[:, last], self.changes[:, last] = step.flatten(1), change.flatten(1)
        change = self.changes[:, last, :, None]
        products = (self.steps @ change)[..., 0]
        curvature = products[:, last]
        # A pair without curvature (of a probe that did not move) is left out.
        rho = torch.where(curvature > 0, 1 / curvature, 0.0)
        self.inverse[:, last] = self.inverse[:, :, last] = 0.0
        column = (self.inverse @ products[..., None])[..., 0]
        self.inverse[:, :, last] = -rho[:, None] * column
        self.inverse[:, last, last] = rho
        self.curvature[:, last] = curvature
        length = change.square().sum(dim=(1, 2))
        self.scale = torch.where(curvature > 0, curvature / length, self.scale)

    def product(self, gradient: Tensor, precondition: Callable[[Tensor], Tensor] | None) -> Tensor:
        """The product of the inverse Hessian and the gradient, [N, K, d + 1].

        precondition: the inverse curvature that the history corrects; otherwise it is a multiple
            of the identity.
        """
        filled = slice(None), slice(min(self.n_added, self.steps.shape[1]))
        steps, changes = self.steps[filled], self.changes[filled]
        inverse = self.inverse[filled][..., filled[1]]
        flat = gradient.flatten(1)[:, None]
        along = flat @ steps.transpose(1, 2) @ inverse.transpose(1, 2)
        rest = torch.baddbmm(flat, along, changes, alpha=-1).view_as(gradient)
        rest = precondition(rest) if precondition else rest * self.scale[:, None, None]
        flat = rest.flatten(1)[:, None]
        back = self.curvature[filled][:, None] * along - flat @ changes.transpose(1, 2)
        return torch.baddbmm(flat, back @ inverse, steps).view_as(gradient)

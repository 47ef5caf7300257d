"""Steps of hidden states: along a probe's weights until it says another value, and at random.

`steering.steered_runs` replaces hidden states by those that are computed here.

A probe scores value k as s_k(h) = w_k . h + b_k and says the value with the highest score. The step
from value a to value b is along u = w_b - w_a, in the space of raw hidden states, in which the
stored weights are (`probes.fitting`). All scores are linear along u, so the least step after which
b has the highest score is known exactly. It ends where a and b tie, halfway between states of the
two values; twice the step exchanges the scores of a and b. Random steps of the same length are
orthogonal to all weight rows and change no score.

Shapes: n rows, d features, K values, ten for digits.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from think_to_talk.errors import UnreadError

#: How much longer a step is, relative to its length, as a and b tie at the end of the least one.
#: Doubled, up to the most, where rounding to the model's dtype undoes the step.
LEAST_MARGIN, MOST_MARGIN = 1e-3, 0.5


@dataclass(frozen=True)
class Probe:
    """The linear probe of one variable, at one layer and position.

    weight: [K, d] on raw hidden states. bias: [K].
    """

    weight: Tensor
    bias: Tensor

    def scores(self, states: Tensor) -> Tensor:
        """The score [n, K] of each value, in fp64; states [n, d]."""
        return states.double() @ self.weight.double().T + self.bias.double()

    def says(self, states: Tensor) -> Tensor:
        """The value [n] with the highest score; states [n, d]."""
        return self.scores(states).argmax(dim=1)


def steps_along(
    probe: Probe, states: Tensor, targets: Tensor, factor: float = 1.0
) -> tuple[Tensor, Tensor]:
    """Move hidden states along the probe's weights until it says the target values.

    states: [n, d], in the model's dtype.
    targets: [n] values, none of which the probe says now.
    factor: how many times as long as the least step a step is, at least 1.
    Returns the moved states [n, d], in the same dtype, and whether the probe says the target in
    them [n]. A state is as it was where no such step makes the probe say it.
    """
    weight, scores = probe.weight.double(), probe.scores(states)
    rows = torch.arange(len(states))
    direction = weight[targets] - weight[scores.argmax(dim=1)]
    # How far the target's score is above each other one, and how that grows along the direction.
    lead = scores[rows, targets][:, None] - scores
    growth = (weight[targets][:, None] - weight) @ direction[:, :, None]
    ratio = -lead / growth[:, :, 0]
    least = ratio.where(growth[:, :, 0] > 0, -torch.inf).max(dim=1).values
    moved, reached = states.clone(), torch.zeros(len(states), dtype=torch.bool)
    margin = LEAST_MARGIN
    while margin <= MOST_MARGIN and not reached.all():
        step = (factor * least * (1 + margin))[:, None] * direction
        tried = (states.double() + step).to(states.dtype)
        # A step that is not finite gives scores that are not, and no highest one.
        says = (probe.says(tried) == targets) & tried.isfinite().all(dim=1)
        first = says & ~reached
        moved[first] = tried[first]
        reached |= says
        margin *= 2
    return moved, reached


def random_steps(probe: Probe, lengths: Tensor, controls: int, seeds: list[int]) -> Tensor:
    """Random steps [n, controls, d], orthogonal to all rows of the probe's weight, in fp64.

    lengths: [n] of the steps of each row.
    controls: steps per row; with 0, any hidden size will do.
    seeds: [n] of each row's steps.
    Raises UnreadError if there is no such direction.
    """
    weight = probe.weight.double()
    if not controls:
        return weight.new_empty((len(lengths), 0, weight.shape[1]))
    if weight.shape[1] <= len(weight):
        raise UnreadError(
            f"a hidden size of {weight.shape[1]} leaves no direction orthogonal to the "
            f"{len(weight)} weight rows of a probe, which steering.controls need: 0 draws none"
        )
    basis = torch.linalg.svd(weight, full_matrices=False).Vh
    drawn = torch.stack(
        [
            torch.randn(
                (controls, weight.shape[1]),
                dtype=torch.float64,
                generator=torch.Generator().manual_seed(seed),
            )
            for seed in seeds
        ]
    )
    # Once more, for what rounding has left.
    for _ in range(2):
        drawn = drawn - drawn @ basis.T @ basis
    steps = drawn * (lengths[:, None] / drawn.norm(dim=2))[:, :, None]
    # Of the order of rounding errors, relative to what a step of this length could change.
    most = weight.norm(dim=1) * lengths[:, None, None]
    assert ((steps @ weight.T).abs() <= 1e-9 * most + 1e-12).all(), "a control moves the probe"
    return steps

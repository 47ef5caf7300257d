"""The published recipe for probes: full-batch gradient steps from the published initial weights.

Raw features, no penalty, no momentum, a fixed number of steps (Kudo et al., arXiv:2412.01113). The
published code seeds once, and fits each layer in a process forked from that state. So the probe of
position p and variable v starts from the (p * V + v)-th `torch.nn.Linear` after the seed, in every
layer. The steps do not converge, so the start decides the result.

Shapes: P positions, n rows, d features, V targets (variables), K classes, ten for digits.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt
from typing import TYPE_CHECKING

import torch

from think_to_talk.formulas.symbols import N_CLASSES
from think_to_talk.probes.linear import Probes, used_rows
from think_to_talk.probes.objective import Group, Objective
from think_to_talk.progress import progress

if TYPE_CHECKING:
    from torch import Tensor

#: The loss rose in a step if it did so by more than this share, or by this; less is rounding.
_ROUNDING = 1e-4


def published_numbers(positions: Sequence[int], n_variables: int) -> Tensor:
    """The numbers [P, V] of probes in the published order: position * n_variables + variable.

    positions: counted from the first token of the problem.
    n_variables: V, of the task.
    """
    return torch.tensor(positions)[:, None] * n_variables + torch.arange(n_variables)


def initial_weights(numbers: Tensor, d: int, seed: int, n_classes: int = N_CLASSES) -> Tensor:
    """The published initial weights and biases, [P, V, K, d + 1].

    numbers: [P, V], as of `published_numbers`.
    d: features.
    seed: of the stream of layers.
    n_classes: K.
    """
    generator = torch.Generator().manual_seed(seed)
    point = torch.empty(numbers.numel(), n_classes, d + 1)
    place = {number: i for i, number in enumerate(numbers.flatten().tolist())}
    weight, bias = torch.empty(n_classes, d), torch.empty(n_classes)
    for number in range(max(place) + 1):
        # As torch.nn.Linear.reset_parameters, from a generator of its own.
        torch.nn.init.kaiming_uniform_(weight, a=sqrt(5), generator=generator)
        torch.nn.init.uniform_(bias, -1 / sqrt(d), 1 / sqrt(d), generator=generator)
        if number in place:
            point[place[number], :, :-1] = weight
            point[place[number], :, -1] = bias
    return point.view(*numbers.shape, n_classes, d + 1)


def fit_sgd(
    features: Tensor,
    labels: Tensor,
    mask: Tensor,
    *,
    numbers: Tensor,
    learning_rate: float,
    epochs: int,
    seed: int,
    n_classes: int = N_CLASSES,
) -> Probes:
    """Fit probes by the published recipe.

    features: [P, n, d] raw.
    labels: [V, n] classes.
    mask: [P, n] whether a row is used at a position.
    numbers: [P, V] of the probes in the published order, as of `published_numbers`.
    learning_rate: of each step.
    epochs: number of steps.
    seed: of the initial weights.
    n_classes: K.
    Where the loss of a probe rises in a step, rounding grows from step to step: `unsteady`.
    """
    point = initial_weights(numbers, features.shape[-1], seed, n_classes)
    groups = [
        Group.of(rows, classes, n_classes=n_classes)
        for rows, classes in used_rows(features, labels, mask)
    ]
    return descend(groups, point, learning_rate, epochs)


def descend(groups: Sequence[Group], start: Tensor, learning_rate: float, epochs: int) -> Probes:
    """Probes on raw features after so many full-batch gradient steps.

    groups: one per position, of the probes there.
    start: [P, T, K, d + 1].
    learning_rate: of each step.
    epochs: number of steps.
    """
    shape = start.shape
    point = start.flatten(0, 1)
    objective = Objective(groups, penalty=0.0)
    before = torch.full((len(point),), torch.inf)
    unsteady = torch.zeros(len(point), dtype=torch.bool)
    with progress(epochs, "sgd", "epochs") as bar:
        for _ in range(epochs):
            loss, gradient = objective.evaluate(point)
            # A loss that is not a number is not steady either.
            unsteady |= ~(loss <= before * (1 + _ROUNDING) + _ROUNDING)
            before = loss
            point -= learning_rate * gradient
            bar.update()
    point = point.view(shape)
    return Probes(point[..., :-1], point[..., -1], unsteady.view(shape[:2]))

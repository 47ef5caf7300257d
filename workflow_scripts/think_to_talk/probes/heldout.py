"""Held-out probes: one per fold, trained without the rows whose expression is in it.

`probes.cut` cuts a variable's expressions into parts; probe f of the variable never sees
part f. Predicting each test row by the probe that never saw its expression shows whether a value is
encoded or only its operands, whose results a probe can memorise. `probes.fitting` fits these probes
after the plain ones, and `probes.scoring` scores both.

The solvers share what they can with the plain probes: hidden states are standardised over all rows
of a position, as there, and L-BFGS starts from the plain probe.

Shapes: P positions, n rows, d features, V targets (variables), F folds, K classes, ten for
digits. Probes are [P, V * F]: the folds of a target follow each other.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import torch

from think_to_talk.formulas.symbols import N_CLASSES
from think_to_talk.probes.lbfgs import WIDEST_GRAM, minimise
from think_to_talk.probes.linear import Probes, used_rows
from think_to_talk.probes.objective import Group, Objective
from think_to_talk.probes.positions import ABSENT, Position, Standardised, all_to_raw, common_width
from think_to_talk.probes.sgd import descend, initial_weights
from think_to_talk.probes.solvers import sklearn_point

if TYPE_CHECKING:
    from torch import Tensor


#: How much larger the tolerance of held-out probes is than that of the plain ones. They start from
#: probes that have seen what is held out, so a loose tolerance inflates their accuracy where the
#: plain probe has memorised it: on the default study by up to 0.04 at a ratio of 100, and by less
#: than 0.004 at 30.
TOLERANCE_RATIO = 20

#: Past steps in L-BFGS. More than for plain probes, as the Hessian of several is known less well.
_HISTORY = 20


def kept_rows(parts: Tensor, n_folds: int) -> Tensor:
    """Whether the probe of a fold is trained on a row, [..., F, n]; parts [..., n]."""
    return parts[..., None, :] != torch.arange(n_folds)[:, None]


def fit_lbfgs(
    features: Tensor,
    labels: Tensor,
    mask: Tensor,
    parts: Tensor,
    n_folds: int,
    plain: Probes,
    *,
    penalty: float,
    tolerance: float,
    max_iterations: int,
    n_classes: int = N_CLASSES,
) -> Probes:
    """Fit held-out probes to convergence, all positions, targets and folds together.

    features: [P, n, d] raw.
    labels: [V, n] classes.
    mask: [P, n] whether a row is used at a position.
    parts: [V, n] the part of a row's expression, in [0, F).
    n_folds: F.
    plain: the probes [P, V] that are trained on all rows.
    penalty, tolerance, max_iterations, n_classes: as of `solvers.fit_lbfgs`; the
        tolerance that is certified is `TOLERANCE_RATIO` times as large.
    """
    positions, kept = [], []
    for rows, (classes, part) in used_rows(features, torch.stack([labels, parts]), mask):
        positions.append(Position(Standardised.of(rows), classes, n_classes))
        kept.append(kept_rows(part, n_folds))
    width = common_width(positions)
    groups, starts = [], []
    for position, rows, weight, bias in zip(positions, kept, plain.weight, plain.bias, strict=True):
        groups += position.fold_groups(width, rows)
        starts.append(position.from_raw(weight, bias, width))
    start = torch.cat(starts).repeat_interleave(n_folds, 0)
    objective = Objective(groups, penalty, alike=True)
    if width <= WIDEST_GRAM:
        objective = objective.preconditioned(start)
    present = torch.cat([group.present for group in groups])
    start[~present] = 0.0
    start[..., -1][~present] = ABSENT
    point = minimise(objective, start, TOLERANCE_RATIO * tolerance, max_iterations, _HISTORY)
    return all_to_raw(positions, point)


def fit_sklearn(
    features: Tensor,
    labels: Tensor,
    mask: Tensor,
    parts: Tensor,
    n_folds: int,
    plain: Probes,
    *,
    penalty: float,
    tolerance: float,
    max_iterations: int,
    n_classes: int = N_CLASSES,
) -> Probes:
    """The same problem and arguments as `fit_lbfgs`, by scikit-learn, each probe from zero."""
    found = []
    for used_features, (classes, part) in used_rows(features, torch.stack([labels, parts]), mask):
        data = Standardised.of(used_features)
        rows = data.features.double()
        points = [
            sklearn_point(
                rows[kept].numpy(),
                digits[kept].numpy(),
                penalty,
                tolerance,
                max_iterations,
                n_classes,
            )
            for digits, folds in zip(classes, kept_rows(part, n_folds), strict=True)
            for kept in folds
        ]
        found.append(data.to_raw(torch.stack(points)))
    return Probes.stack(found)


def fit_sgd(
    features: Tensor,
    labels: Tensor,
    mask: Tensor,
    parts: Tensor,
    n_folds: int,
    plain: Probes,
    *,
    numbers: Tensor,
    learning_rate: float,
    epochs: int,
    seed: int,
    n_classes: int = N_CLASSES,
) -> Probes:
    """Fit held-out probes by the published recipe, from the initial weights of the plain ones.

    features, labels, mask, parts, n_folds: as of `fit_lbfgs`.
    numbers, learning_rate, epochs, seed, n_classes: as of `sgd.fit_sgd`.
    """
    start = initial_weights(numbers, features.shape[-1], seed, n_classes).repeat_interleave(
        n_folds, 1
    )
    groups = []
    for rows, (classes, part) in used_rows(features, torch.stack([labels, parts]), mask):
        kept = kept_rows(part, n_folds).flatten(0, 1)
        share = kept.to(rows.dtype) / kept.sum(dim=1, keepdim=True)
        groups.append(Group.of(rows, classes.repeat_interleave(n_folds, 0), share, n_classes))
    return descend(groups, start, learning_rate, epochs)


#: The solvers of held-out probes by their names in the config, with the arguments of `fit_lbfgs`;
#: `sgd` also takes the numbers of the plain probes in the published order. Each probe must be
#: trained on two classes or more.
HELDOUT_SOLVERS: dict[str, Callable[..., Probes]] = {
    "lbfgs": fit_lbfgs,
    "sgd": fit_sgd,
    "sklearn": fit_sklearn,
}

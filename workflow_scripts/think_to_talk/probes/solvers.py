"""Three ways to fit linear probes, all minimising the mean cross-entropy of a linear layer.

- `lbfgs`: the default. Standardised features, an L2 penalty on the weights, all positions and
  targets of a batch together, to a certified tolerance.
- `sklearn`: the same problem, one probe at a time with scikit-learn: the slow reference.
- `sgd`: the published recipe (`probes.sgd`): raw features, no penalty, a fixed number of full-batch
  steps from the published initial weights.

`probes.fitting` hands over the hidden states of some positions of a layer; `probes.objective` is
the loss and `probes.lbfgs` its minimiser.

Shapes: P positions, n rows, d features, V targets (variables), K classes, ten for digits.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import torch

from think_to_talk.formulas.symbols import N_CLASSES
from think_to_talk.probes.lbfgs import minimise
from think_to_talk.probes.linear import Probes, used_rows
from think_to_talk.probes.objective import Group, Objective
from think_to_talk.probes.positions import Position, Standardised, all_to_raw, common_width
from think_to_talk.probes.sgd import fit_sgd

if TYPE_CHECKING:
    from torch import Tensor

#: Cross-entropy down to which `sklearn` keeps the tolerance that is asked for.
_LEAST_LOSS = 0.01


def penalised_loss(
    features: Tensor, labels: Tensor, mask: Tensor, probes: Probes, penalty: float
) -> Tensor:
    """Mean cross-entropy + penalty / 2 * |weight|^2, [P, V]; weights are on standardised features.

    features: [P, n, d] raw.
    labels: [V, n] classes.
    mask: [P, n] whether a row is used at a position.
    probes: on raw features.
    penalty: L2.
    """
    losses = []
    for position, (rows, classes) in enumerate(used_rows(features, labels, mask)):
        data = Standardised.of(rows)
        group = Group.of(data.features, classes, n_classes=probes.bias.shape[-1])
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
    n_classes: int = N_CLASSES,
) -> Probes:
    """Fit probes to convergence, all positions and targets together.

    features: [P, n, d] raw.
    labels: [V, n] classes.
    mask: [P, n] whether a row is used at a position.
    penalty: L2 on the weights of standardised features.
    tolerance: a probe is done when its loss is certified to be at most this share above the
        minimum. The loss is strongly convex in the weights with modulus `penalty`, so the excess
        is at most |gradient|^2 / (2 penalty).
    max_iterations: steps after which all probes stop.
    n_classes: K.
    """
    positions = [
        Position(Standardised.of(rows), classes, n_classes)
        for rows, classes in used_rows(features, labels, mask)
    ]
    width = common_width(positions)
    groups = [group for position in positions for group in position.groups(width)]
    objective = Objective(groups, penalty)
    start = features.new_zeros(objective.shape)
    start[..., -1] = torch.cat([position.first_biases() for position in positions])
    point = minimise(objective, start, tolerance, max_iterations)
    return all_to_raw(positions, point)


def fit_sklearn(
    features: Tensor,
    labels: Tensor,
    mask: Tensor,
    *,
    penalty: float,
    tolerance: float,
    max_iterations: int,
    n_classes: int = N_CLASSES,
) -> Probes:
    """The same problem and arguments as `fit_lbfgs`, by scikit-learn, one probe at a time.

    scikit-learn stops at a largest entry of the gradient; here, at one that certifies the tolerance
    for a loss of `_LEAST_LOSS` or more.
    """
    found = []
    for used_features, used_labels in used_rows(features, labels, mask):
        data = Standardised.of(used_features)
        rows = data.features.double().numpy()
        points = [
            sklearn_point(rows, classes, penalty, tolerance, max_iterations, n_classes)
            for classes in used_labels.numpy()
        ]
        found.append(data.to_raw(torch.stack(points)))
    return Probes.stack(found)


def sklearn_point(
    rows: np.ndarray,
    classes: np.ndarray,
    penalty: float,
    tolerance: float,
    max_iterations: int,
    n_classes: int = N_CLASSES,
) -> Tensor:
    """scikit-learn's probe [K, d + 1] on standardised rows [n, d] with classes [n]."""
    from sklearn.linear_model import LogisticRegression

    columns = rows.shape[1] + 1
    point = torch.zeros(n_classes, columns)
    point[:, -1] = -torch.inf
    present = np.unique(classes)
    # With two classes scikit-learn fits one row of weights w, which stands for w / 2 and -w / 2
    # here: the same logits at half of the squared weights.
    binary = len(present) == 2
    share = 0.5 if binary else 1.0
    model = LogisticRegression(
        C=1 / (share * penalty * len(rows)),
        tol=(2 * penalty * tolerance * _LEAST_LOSS / (n_classes * columns)) ** 0.5,
        max_iter=max_iterations,
    ).fit(rows, classes)
    fitted = np.column_stack([model.coef_, model.intercept_])
    if binary:
        fitted = np.concatenate([-fitted, fitted]) / 2
    point[present] = torch.from_numpy(fitted).float()
    return point


#: The solvers by their names in the config. All take features, labels and mask first;
#: `sgd` also the numbers of the probes in the published order. At each position, each target must
#: have two classes or more: with one, the minimum is at infinity.
SOLVERS: dict[str, Callable[..., Probes]] = {
    "lbfgs": fit_lbfgs,
    "sgd": fit_sgd,
    "sklearn": fit_sklearn,
}

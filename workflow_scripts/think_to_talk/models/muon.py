"""Muon, the optimizer of the trained models' matrices, in single precision and in batches.

Muon (Jordan et al., 2024) makes each matrix's momentum orthogonal before it is applied, by a few
Newton-Schulz steps. `torch.optim.Muon` does this one matrix at a time in bfloat16, which processors
without bfloat16 instructions emulate: for a model of width 64 it took half of the training. Here
matrices of one shape share a product. `models/training.py` trains with it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from itertools import groupby
from typing import Any

import torch
from torch.optim import Optimizer

#: Coefficients of the quintic iteration, and how often it is applied, as Jordan et al. chose them.
_COEFFICIENTS, _STEPS = (3.4445, -4.7750, 2.0315), 5
_EPSILON = 1e-7


def orthogonalized(matrices: torch.Tensor) -> torch.Tensor:
    """Matrices of the same singular vectors, whose singular values are near 1 (0.7 to 1.2).

    matrices: [matrices, rows, columns].
    """
    a, b, c = _COEFFICIENTS
    tall = matrices.shape[1] > matrices.shape[2]
    found = matrices.mT if tall else matrices
    found = found / torch.linalg.matrix_norm(found, keepdim=True).clamp(min=_EPSILON)
    for _ in range(_STEPS):
        gram = found @ found.mT
        update = torch.baddbmm(gram, gram, gram, beta=b, alpha=c)
        found = torch.baddbmm(found, update, found, beta=a)
    return found.mT if tall else found


class Muon(Optimizer):
    """Muon with Nesterov momentum and decoupled weight decay.

    parameters: matrices; each has a gradient whenever a step is made.
    lr: learning rate; of a matrix with more rows than columns it is multiplied by the root of their
        ratio.
    """

    def __init__(
        self,
        parameters: Iterable[torch.nn.Parameter],
        lr: float,
        momentum: float = 0.95,
        weight_decay: float = 0.01,
    ) -> None:
        by_shape = sorted(parameters, key=lambda matrix: tuple(matrix.shape))
        groups = [{"params": list(group)} for _, group in groupby(by_shape, key=lambda m: m.shape)]
        super().__init__(groups, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> None:  # type: ignore[override]
        """Change all matrices by their gradients; a closure is not supported."""
        assert closure is None
        for group in self.param_groups:
            matrices = group["params"]
            gradients = torch.stack([matrix.grad for matrix in matrices])
            state = self.state[matrices[0]]
            average = state.setdefault("momentum", torch.zeros_like(gradients))
            average.lerp_(gradients, 1 - group["momentum"])
            change = orthogonalized(gradients.lerp(average, group["momentum"]))
            rows, columns = matrices[0].shape
            rate = group["lr"] * math.sqrt(max(1, rows / columns))
            torch._foreach_mul_(matrices, 1 - group["lr"] * group["weight_decay"])
            torch._foreach_add_(matrices, list(change.unbind()), alpha=-rate)

"""Whether verifying gold chains pays, from the share of them that the model has predicted.

Decoding (`hidden_states/decoding.py`) measures this over its first batches and stops verifying once
decoding every token is cheaper.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

#: Cost of decoding a token, in tokens of a teacher-forced pass, by device: on a GPU decoding is
#: bound by memory bandwidth, on a CPU almost by arithmetic.
_STEP_COST = {"cpu": 2.0, "cuda": 20.0}


@dataclass
class VerificationYield:
    """How much of the gold chains the model has predicted so far, to decide whether to verify on.

    step_cost: cost of a decoded token, in tokens of a pass.
    rows: rows verified so far.
    verified: rows whose whole gold chain the model predicts.
    agreed: tokens before the first divergence, summed over rows.
    """

    step_cost: float
    rows: int = 0
    verified: int = 0
    agreed: int = 0

    @classmethod
    def on(cls, device: str) -> VerificationYield:
        """Nothing measured yet, with the cost of a decoded token on a type of device."""
        return cls(_STEP_COST.get(device, max(_STEP_COST.values())))

    def add(self, agreed: torch.Tensor, n_gold: int) -> None:
        """Count a batch.

        agreed: [rows] tokens before each row's first divergence.
        n_gold: tokens of a gold chain.
        """
        self.rows += len(agreed)
        self.verified += int((agreed == n_gold).sum())
        self.agreed += int(agreed.sum())

    def pays(self, n_problem: int, n_gold: int) -> bool:
        """Whether a pass over problem and gold costs less than the decoding that it saves.

        It saves decoding the agreed tokens; a row that diverges is passed again up to there.

        n_problem: tokens of a problem.
        n_gold: tokens of a gold chain.
        """
        if not self.rows:
            return True
        saved = self.step_cost * self.agreed + n_problem * self.verified
        passed_again = self.agreed - self.verified * n_gold
        return saved > self.rows * (n_problem + n_gold) + passed_again

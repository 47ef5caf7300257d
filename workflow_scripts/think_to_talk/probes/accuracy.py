"""The accuracy of predictions on test rows, and where a position is, as keys of rows.

Rows of probes (`probes.scoring`) and of the logit lens (`logit_lens`) have them from here, so that
both accuracies are of the same rows.
"""

from __future__ import annotations

import json
from typing import Any

import torch

from think_to_talk.intervals import wilson_interval
from think_to_talk.probes.splits import Split

#: The prediction for a row that has no such position.
NO_PREDICTION = -1


def scored(predictions: torch.Tensor, answers: torch.Tensor) -> dict[str, Any]:
    """Score, its interval and the predictions.

    predictions: [n] digits; `NO_PREDICTION` is never right.
    answers: [n] digits.
    """
    n = len(answers)
    hits = int((predictions == answers).sum())
    low, high = wilson_interval(hits, n)
    return {
        "score": hits / n,
        "ci_low": low,
        "ci_high": high,
        "predictions": predictions.tolist(),
    }


def chance(answers: torch.Tensor) -> float:
    """The share of the most frequent answer; answers: [n] digits."""
    return int(answers.bincount().max()) / len(answers)


def describe(test: Split, position: int) -> dict[str, Any]:
    """The keys of a row that describe its position."""
    return {
        "position": position,
        **test.layout.place(position),
        "token": json.loads(test.shards.metadata["tokens"])[position],
    }

"""Scores of probes on test rows, as the keys of probe rows.

`probes.fitting` writes the rows; `probes.heldout` explains the held-out ones.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import torch

from think_to_talk.probes.accuracy import NO_PREDICTION, chance, scored
from think_to_talk.probes.linear import Probes
from think_to_talk.probes.splits import Split

#: The keys of a score, null without a probe.
_SCORE = ("score", "ci_low", "ci_high", "predictions")


def score(
    test: Split,
    parts: torch.Tensor | None,
    layer: int,
    positions: range,
    plain: Probes,
    heldout: Probes | None,
    numbers: Sequence[int],
) -> Iterator[tuple[int, dict[str, Any]]]:
    """(position, keys of a probe row) per position and variable; null scores without a probe.

    test: n rows.
    parts: [variables, n] the part of a row's expression; None without held-out probes.
    layer: of the probes.
    positions: of the probes.
    plain: [positions, variables].
    heldout: [positions, variables, folds]. A row is predicted by the probe of its part.
    numbers: [variables] what rows call each of them.
    """
    features, reached = test.features(layer, positions), test.reaches(positions)
    predictions = plain.predict(features)
    predictions[~reached[:, None].expand_as(predictions)] = NO_PREDICTION
    fitted = plain.fitted
    heldout_predictions = torch.full_like(predictions, NO_PREDICTION)
    heldout_fitted = torch.zeros_like(fitted)
    if heldout is not None and parts is not None:
        heldout_fitted = heldout.fitted.all(dim=2)
        heldout_predictions = _of_own_part(heldout, features, parts)
        heldout_predictions[~reached[:, None].expand_as(predictions)] = NO_PREDICTION
    for i, position in enumerate(positions):
        for j, (variable, answers) in enumerate(zip(numbers, test.labels, strict=True)):
            place = i, j
            known = _scored(predictions[place], answers, bool(fitted[place]))
            unseen = _scored(heldout_predictions[place], answers, bool(heldout_fitted[place]))
            yield (
                position,
                {
                    "intermediate_answer": variable,
                    "variable": variable,
                    "score": known["score"],
                    "ci_low": known["ci_low"],
                    "ci_high": known["ci_high"],
                    "heldout_score": unseen["score"],
                    "heldout_ci_low": unseen["ci_low"],
                    "heldout_ci_high": unseen["ci_high"],
                    "chance": chance(answers),
                    "answer": answers.tolist(),
                    "predictions": known["predictions"],
                    "heldout_predictions": unseen["predictions"],
                },
            )


def _of_own_part(heldout: Probes, features: torch.Tensor, parts: torch.Tensor) -> torch.Tensor:
    """The prediction [positions, variables, n] of the probe that never saw a row's expression."""
    _, n_variables, n_folds = heldout.bias.shape[:3]
    every = Probes(heldout.weight.flatten(1, 2), heldout.bias.flatten(1, 2)).predict(features)
    every = every.unflatten(1, (n_variables, n_folds))
    part = parts.clamp(min=0)[None, :, None].expand(len(every), -1, 1, -1)
    return every.gather(2, part)[:, :, 0]


def _scored(predictions: torch.Tensor, answers: torch.Tensor, fitted: bool) -> dict[str, Any]:
    """As of `scored`, but nulls without a probe."""
    return scored(predictions, answers) if fitted else dict.fromkeys(_SCORE)

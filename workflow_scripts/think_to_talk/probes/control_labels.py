"""Control labels: random values, fixed per variable name and value.

After Hewitt and Liang, "Designing and Interpreting Probes with Control Tasks" (arXiv:1909.03368):
each type (here a variable's name with its value) has one random output. A probe can only memorise
these labels, so its accuracy on them measures the capacity of the probe, not what the hidden state
encodes. `probes.fitting` trains control probes on them; `controls.tables` compares these with the
probes on answers.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from think_to_talk.formulas.symbols import N_CLASSES


def control_label(name: str, value: int, seed: int, n_classes: int = N_CLASSES) -> int:
    """The control label of a variable with this name and value.

    Each seed has a fixed table of random labels, names x values. The label is a hash of seed, name
    and value, so it is the same on every machine.
    """
    digest = hashlib.sha256(f"{seed} {name} {value}".encode()).digest()
    return int.from_bytes(digest[:8]) % n_classes


def control_labels(row: Mapping[str, Any], seed: int, n_classes: int = N_CLASSES) -> list[int]:
    """The control labels of all variables of a dataset row, in definition order."""
    return [
        control_label(question.removesuffix(" ="), value, seed, n_classes)
        for question, value in zip(
            row["intermediate_questions"], row["intermediate_answers"], strict=True
        )
    ]

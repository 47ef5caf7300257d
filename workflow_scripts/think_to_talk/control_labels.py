"""Control labels: digits that say nothing of a problem but which variable has which value.

After Hewitt and Liang, "Designing and Interpreting Probes with Control Tasks" (arXiv:1909.03368): a
type (here a variable's name with its value) is given a random output, once and for all. A probe can
only learn such labels by heart, so its accuracy on them says what it owes to its own capacity.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any


def control_label(name: str, value: int, seed: int) -> int:
    """The digit that stands for a variable of this name with this value.

    For each seed a fixed table of random digits, names x values. It is drawn by a hash, so that it
    is the same on every machine, and the digit of a pair depends on nothing but the pair.
    """
    digest = hashlib.sha256(f"{seed} {name} {value}".encode()).digest()
    return int.from_bytes(digest[:8]) % 10


def control_labels(row: Mapping[str, Any], seed: int) -> list[int]:
    """The control labels of all variables of a dataset row, in definition order."""
    return [
        control_label(question.removesuffix(" ="), value, seed)
        for question, value in zip(
            row["intermediate_questions"], row["intermediate_answers"], strict=True
        )
    ]

"""Forced answers: all cuts of a row from one cache, against one whole prompt per cut."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch

from alternatives import forced_digits
from bench import IDENTITY, Bench, default_config
from measure import Row, in_turn
from think_to_talk.forced_answers.reading import forced_answer_rows
from think_to_talk.formulas.datasets import generate_splits
from think_to_talk.hidden_states.allocator import keep_freed_memory
from think_to_talk.hidden_states.model_check import check_model

_SHOTS = 3
_BATCH = 16


def forced_answers(bench: Bench) -> list[Row]:
    """All cuts of one level's chains, behind three examples, by a pretrained model."""
    keep_freed_memory()
    model, tokenizer = bench.smollm2.model(), bench.smollm2.tokenizer()
    sizes = {"train": _SHOTS, "valid": 1, "test": 4 if bench.tiny else 16, "probing_train": 1}
    rows = generate_splits(default_config()["tasks"][bench.level], sizes, 42)["test"]
    facts = check_model(model).facts
    identity = {**IDENTITY, "seed": 42, "task": bench.level}
    found: dict[str, Sequence[Sequence[int]]] = {}

    def ours() -> None:
        cuts: list[Mapping[str, Any]] = list(
            forced_answer_rows(
                model, facts, tokenizer, rows, shots=_SHOTS, batch_size=_BATCH, identity=identity
            )
        )
        found["ours"] = [cut["predictions"] for cut in cuts]

    def other() -> None:
        found["other"] = forced_digits(model, tokenizer, rows, _SHOTS, 42, _BATCH)

    took, took_other = in_turn(ours, other, 1)
    equal = (torch.tensor(found["ours"]) == torch.tensor(found["other"])).float()
    ratio = took_other / took
    return [
        Row(
            "forced answers",
            f"SmolLM2's answers/s at all {len(equal)} cuts of {bench.level}; "
            f"{equal.mean().item():.2%} equal",
            f"{equal.numel() / took:.1f}",
            f"{equal.numel() / took_other:.1f} by one prompt per cut",
            ratio,
            "≥ 5 ×",
            ratio >= 5 and bool(equal.all()),
        )
    ]

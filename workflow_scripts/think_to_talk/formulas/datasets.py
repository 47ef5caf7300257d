"""Datasets: all splits of a task, drawn from its templates.

`formulas.sampling` draws the rows of each split with a seed of the split; here the splits are put
together and the rows that a model reads get their few-shot examples. The rule `formulas` writes
them, and `tokens` reads them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from think_to_talk.formulas.cuts import shortened, shortened_example
from think_to_talk.formulas.sampling import draw_rows
from think_to_talk.formulas.templates import Template

#: {split: added to the study's seed to draw it}, in the order in which splits are drawn.
SPLIT_SEED_OFFSETS = {"train": 0, "valid": 1, "test": 2, "probing_train": 3}

#: Splits whose rows carry the few-shot examples.
PROMPTED_SPLITS = ("test", "probing_train")


def task_templates(task: Mapping[str, Any]) -> tuple[Template, Template]:
    """The templates of a task's problems and of its few-shot examples, from its config entry.

    Examples are written as the problems are.
    """
    template = Template.from_config(task)
    if "few_shot" not in task:
        return template, template
    worded = {"wording": task["wording"]} if "wording" in task else {}
    return template, Template.from_config({**task["few_shot"], **worded})


def generate_splits(
    task: Mapping[str, Any], sizes: Mapping[str, int], seed: int
) -> dict[str, list[dict[str, Any]]]:
    """All splits of a task, {split: rows}; no problem repeats within or across them.

    task: its config entry.
    sizes: {split: number of rows}.
    seed: the study's; each split adds its offset.
    """
    problems, shots = task_templates(task)
    seen: set[str] = set()
    splits = {
        split: draw_rows(shots if split == "train" else problems, sizes[split], seed + offset, seen)
        for split, offset in SPLIT_SEED_OFFSETS.items()
    }
    chain = task["chain"]
    for split, rows in splits.items():
        cut = shortened_example if split == "train" else shortened
        splits[split] = [cut(row, chain) for row in rows]
    context = "".join(row["source"] + row["target"] for row in splits["train"][: task["shots"]])
    for split in PROMPTED_SPLITS:
        for row in splits[split]:
            row["few_shot_context"] = context
    return splits

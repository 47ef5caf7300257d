"""Datasets: all splits of a task, drawn from its templates."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from think_to_talk.errors import InputError
from think_to_talk.formulas import ProblemSpace, Template, draw_rows
from think_to_talk.jsonl import read_checked

#: Splits in the order in which they are drawn, with their offset to the study's seed.
SPLIT_SEED_OFFSETS = {"train": 0, "valid": 1, "test": 2, "probing_train": 3}
#: Splits whose rows carry the few-shot examples.
PROMPTED_SPLITS = ("test", "probing_train")


def task_templates(task: Mapping[str, Any]) -> tuple[Template, Template]:
    """The templates of a task's problems and of its few-shot examples, from its config entry."""
    template = Template.from_config(task)
    return template, Template.from_config(task["few_shot"]) if "few_shot" in task else template


def check_satisfiable(task: Mapping[str, Any], sizes: Mapping[str, int]) -> None:
    """Raise InputError if the task's templates allow fewer problems than `sizes` asks for.

    Takes milliseconds: meant for planning time, before anything runs.
    """
    problems, shots = task_templates(task)
    needed: dict[Template, int] = {}
    for split, rows in sizes.items():
        template = shots if split == "train" else problems
        needed[template] = needed.get(template, 0) + rows
    for template, rows in needed.items():
        size = ProblemSpace(template).size
        if size < rows:
            raise InputError(
                f"the template has {size} distinct problems, {rows} rows are asked for over all "
                "splits: ask for fewer rows, or widen values, letters or operators"
            )
    if task["shots"] > sizes["train"]:
        raise InputError(
            f"shots: {task.get('shots', 3)} examples are asked for, the train split has only "
            f"{sizes['train']} rows: raise splits.train or lower shots"
        )


def generate_splits(
    task: Mapping[str, Any], sizes: Mapping[str, int], seed: int
) -> dict[str, list[dict[str, Any]]]:
    """All splits of a task, {split: rows}; no problem repeats within or across them.

    task: its config entry. sizes: rows per split. seed: the study's; each split adds its offset.
    """
    problems, shots = task_templates(task)
    seen: set[str] = set()
    splits = {
        split: draw_rows(shots if split == "train" else problems, sizes[split], seed + offset, seen)
        for split, offset in SPLIT_SEED_OFFSETS.items()
    }
    context = "".join(row["source"] + row["target"] for row in splits["train"][: task["shots"]])
    for split in PROMPTED_SPLITS:
        for row in splits[split]:
            row["few_shot_context"] = context
    return splits


def read_dataset(path: str | Path, schema: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Read a split of an existing dataset; `schema` is the JSON schema of one row.

    Raises InputError naming file, line and key, also where the keys of a row contradict each other
    or rows differ in the number of their variables.
    """
    rows = read_checked(path, schema)
    n_variables = len(rows[0]["intermediate_questions"])
    for number, row in enumerate(rows, start=1):
        for key, problem in _contradictions(row, n_variables):
            raise InputError(f"{path}, line {number}, key {key!r}: {problem}")
    return rows


def _contradictions(row: Mapping[str, Any], n_variables: int) -> Iterator[tuple[str, str]]:
    """(key, problem) of each key of a row that disagrees with another."""
    questions, answers = row["intermediate_questions"], row["intermediate_answers"]
    if len(questions) != n_variables:
        yield "intermediate_questions", f"{len(questions)} variables, line 1 has {n_variables}"
    if len(answers) != len(questions):
        yield "intermediate_answers", f"{len(answers)} for {len(questions)} intermediate_questions"
    if row["target"] != f" {row['scratchpad']}\n":
        yield "scratchpad", "expected the target without its leading space and newline"
    if row["scratchpad"].split()[-1:] != [row["original_answer"]]:
        yield "original_answer", f"{row['original_answer']!r} is not what the scratchpad ends with"

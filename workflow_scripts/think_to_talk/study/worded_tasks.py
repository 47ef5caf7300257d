"""Worded tasks, and the stages that read symbolic chains of thought: found at planning."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

from think_to_talk.errors import InputError
from think_to_talk.formulas.problems import Problem
from think_to_talk.formulas.sampling import draw_problems
from think_to_talk.formulas.templates import Template
from think_to_talk.study.entries import ModelEntry
from think_to_talk.study.task_entries import TaskEntry


def check_wording(task: Mapping[str, Any]) -> None:
    """Raise InputError if a problem of the task's config entry cannot be read from its text."""
    for problem in islice(draw_problems(Template.from_config(task), 0, set()), 100):
        check_read_back(problem)


def check_read_back(problem: Problem) -> None:
    """Raise InputError unless a problem and its chain are what their text is read as."""
    statements = [problem.statement(variable) for variable in problem.order]
    asked = problem.names[problem.asked]
    chain = problem.scratchpad
    for text, read, written in (
        (problem.source, problem.wording.read_source(problem.source), (statements, asked)),
        (chain, problem.wording.read_chain(chain), list(problem.solve())),
    ):
        if read != written:
            raise InputError(f"wording: {text!r} is read as another problem; give other texts")


def worded_contradictions(
    tasks: Mapping[str, TaskEntry], models: Mapping[str, ModelEntry]
) -> Iterator[str]:
    """What cannot be done on a task that is written in words."""
    worded = [name for name, task in tasks.items() if task.is_worded]
    for name in worded:
        if not tasks[name].is_generated:
            yield f"tasks.{name}.wording: only problems of a template are written so; remove it"
        if isinstance(tasks[name].chain, int):
            yield (
                f"tasks.{name}.chain: {tasks[name].chain}, but only symbolic chains of thought are "
                "cut (`;` stands before the answer); set full or none, or remove wording"
            )
    for name, model in models.items():
        named = [task for task in model.training_tasks if task in tasks]
        trained = [task for task in named if tasks[task].is_generated]
        if (
            model.training is not None
            and model.training.cut
            and trained
            and not any(tasks[task].can_be_cut for task in trained)
        ):
            yield (
                f"models.{name}.training.cut: {model.training.cut}, but tasks.{trained[0]} has a "
                "wording that does not say how a cut chain of thought answers: set 0, or give "
                f"tasks.{trained[0]}.wording.cut"
            )

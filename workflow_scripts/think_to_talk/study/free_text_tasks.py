"""Tasks in free text, whose rows name their spans and targets: what they lack, found at planning.

`formulas.free_text` checks each row in the rule `free_text`; here the configuration and the first
row of a task are looked at, before anything runs.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import TYPE_CHECKING

from think_to_talk.errors import InputError
from think_to_talk.formulas.answer_patterns import check_pattern
from think_to_talk.formulas.symbols import variable_symbol
from think_to_talk.study.entries import ModelEntry
from think_to_talk.study.task_entries import TaskEntry
from think_to_talk.study.unread_tasks import UNREAD, is_on, stage_name, why_unread

if TYPE_CHECKING:
    from think_to_talk.study.plan import StudyPlan


def free_text_contradictions(
    tasks: Mapping[str, TaskEntry], models: Mapping[str, ModelEntry]
) -> Iterator[str]:
    """What cannot be done on a task in free text."""
    free = [name for name, task in tasks.items() if task.is_free_text]
    for name in free:
        yield from _own_contradictions(tasks[name], f"tasks.{name}")
    for name, model in models.items():
        studied = [task for task in model.tasks if task in free]
        if studied and model.prompt == "chat" and model.shots != 0:
            yield (
                f"models.{name}.shots: {model.shots}, but prompt is chat, and the few-shot "
                f"examples of tasks.{studied[0]}, free text, are not split into turns: set shots: "
                "0, or prompt: raw"
            )


def _own_contradictions(task: TaskEntry, where: str) -> Iterator[str]:
    """What a task's entry says of itself that does not go together."""
    assert task.free_text is not None
    if task.is_generated:
        yield (
            f"{where}.free_text: problems of a template are symbols, or have a wording; give "
            "files, or remove it"
        )
    if task.chain != "full":
        yield (
            f"{where}.chain: {task.chain}, but only symbolic chains of thought are cut; remove "
            "chain, or free_text"
        )
    if "answer_pattern" in task.free_text:
        try:
            check_pattern(task.free_text["answer_pattern"])
        except InputError as error:
            yield f"{where}.free_text.answer_pattern: {error}"
    for target, ceilings in task.given_ceilings.items():
        if any(later < earlier for earlier, later in pairwise(ceilings)):
            yield (
                f"{where}.free_text.ceilings.{target}: {list(ceilings)}, but who has read more "
                "knows no less; expected numbers that do not decrease"
            )


def check_ceilings(study: StudyPlan) -> None:
    """Raise InputError for given ceilings of targets or spans that the first row does not have."""
    for name, task in study.tasks.items():
        if not task.given_ceilings:
            continue
        where = f"config: tasks.{name}.free_text.ceilings"
        n_spans = sum(span["text"] == "source" for span in study.first_row(name)["spans"])
        known = [variable_symbol(target) for target in range(study.n_variables(name))]
        for target, ceilings in task.given_ceilings.items():
            if target not in known:
                raise InputError(f"{where}.{target}: the targets are {', '.join(known)}")
            if len(ceilings) != n_spans:
                raise InputError(
                    f"{where}.{target}: {len(ceilings)} numbers, expected one for each of the "
                    f"{n_spans} spans of the source"
                )


def free_text_notes(study: StudyPlan) -> Iterator[str]:
    """A line for each task in free text: what is null or left out, and what would give it."""
    for name, task in study.tasks.items():
        if not task.is_free_text or not any(name in study.tasks_of(m) for m in study.models):
            continue
        row = study.first_row(name)
        targets = [variable_symbol(target) for target in range(study.n_variables(name))]
        lines = []
        if missing := [each for each in targets if each not in task.given_ceilings]:
            lines.append(
                f"ceilings, t_text and lag of {', '.join(missing)} are null (free_text.ceilings)"
            )
        if missing := [each for each in targets if each not in row.get("expressions", {})]:
            lines.append(
                f"held-out accuracies and intervals over expressions of {', '.join(missing)} are "
                "null (`expressions` of its rows)"
            )
        lines.append("roles of variables are null, and findings say nothing of it")
        if on := _leaving_out(study, name):
            lines.append(f"{', '.join(on)} leave{'s' * (len(on) == 1)} it out")
        if "answer_pattern" not in task.free_text:  # type: ignore[operator]
            lines.append(
                "a chain counts as correct only if it is the gold one (free_text.answer_pattern)"
            )
        if any(model.cot == "generated" for model in _models(study, name)):
            lines.append(
                "spans behind the place where a model departs from the gold chain have no hidden "
                "states (cot: gold gives models the gold chain)"
            )
        yield f"tasks.{name}: free text, not read by our grammar: {'; '.join(lines)}"


def _models(study: StudyPlan, task: str) -> list[ModelEntry]:
    return [study.models[name] for name in study.models if task in study.tasks_of(name)]


def _leaving_out(study: StudyPlan, name: str) -> list[str]:
    """What is switched on and leaves the task out: what cannot read it, and what edits problems."""
    keys = [key for key in UNREAD if why_unread(key, study.tasks[name])]
    edits = ("patching", "free_writing", "inconsistent_chains")
    keys += [f"interventions.{kind}" for kind in edits]
    return [stage_name(key) for key in dict.fromkeys(keys) if is_on(study.config, key)]

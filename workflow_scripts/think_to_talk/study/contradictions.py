"""What a schema cannot say of a configuration: references, templates, and files on disk."""

from __future__ import annotations

import difflib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

from think_to_talk.errors import InputError
from think_to_talk.formulas.cuts import shortened
from think_to_talk.formulas.datasets import task_templates
from think_to_talk.formulas.edits import Edit
from think_to_talk.formulas.sampling import ProblemSpace, draw_problems
from think_to_talk.formulas.templates import Template
from think_to_talk.models.checkpoints import checkpoint_files
from think_to_talk.models.layers import saved_layers
from think_to_talk.study.entries import ModelEntry, TrainingEntry, model_entries, published_entries
from think_to_talk.study.free_text_tasks import free_text_contradictions
from think_to_talk.study.published_tasks import published_contradictions
from think_to_talk.study.task_entries import TaskEntry, task_entries
from think_to_talk.study.transfers import transfer_entries
from think_to_talk.study.worded_tasks import check_wording, worded_contradictions


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
                "splits: ask for fewer rows, or widen values, names or operators"
            )
    if task["shots"] > sizes["train"]:
        raise InputError(
            f"shots: {task['shots']} examples are asked for, the train split has only "
            f"{sizes['train']} rows: raise splits.train or lower shots"
        )


def check_chain(task: Mapping[str, Any]) -> None:
    """Raise InputError if the task's chain is cut after more equations than its problems have."""
    for problem in islice(draw_problems(Template.from_config(task), 0, set()), 100):
        shortened(problem.row(), task["chain"])


def check_edits(task: Mapping[str, Any]) -> None:
    """Raise InputError for an edit of a task's config entry that its template does not allow."""
    for name, places in task["edits"].items():
        try:
            edit = Edit.from_config(places, Template.from_config(task))
            problems = islice(draw_problems(edit.template, 0, set()), 100)
            if not any(map(edit.variants, problems)):
                raise InputError(
                    f"{places}: no other numbers there change the answer and keep all values in "
                    "range; name others"
                )
        except InputError as error:
            raise InputError(f"edits.{name}: {error}") from None


#: The name of a model's untrained copy ends in this.
UNTRAINED_SUFFIX = ".untrained"

#: What there is in `results/` that is not a model's, and figures that are not a task's.
_RESERVED_MODELS = ("benchmarks", "formulas", "logs", "models", "plan.md", "summary")

_RESERVED_TASKS = (
    *("clocks", "forced_answers", "free_writing", "interventions", "logit_lens", "overview"),
    *("patched_probes", "patching", "steering", "transfer"),
)


def contradictions(config: Mapping[str, Any]) -> Iterator[str]:
    """What a schema cannot say: references between entries, templates, and files on disk."""
    tasks, models = task_entries(config), model_entries(config)
    for name, task in tasks.items():
        if name in _RESERVED_TASKS:
            yield f"tasks.{name}: this name is taken by a figure; choose another"
        for split, path in (task.files or {}).items():
            if not os.path.isfile(path):
                yield f"tasks.{name}.files.{split}: {path}: no such file"
        if not task.is_generated and task.edits:
            yield f"tasks.{name}.edits: only problems of a template can be edited; remove it"
        if task.is_generated:
            try:
                check_satisfiable(task.values, config["splits"])
                if task.is_worded:
                    check_wording(task.values)
                check_chain(task.values)
                check_edits(task.values)
            except InputError as error:
                yield f"tasks.{name}: {error}"
    yield from worded_contradictions(tasks, models)
    yield from free_text_contradictions(tasks, models)
    yield from published_contradictions(config, tasks)
    for name, model in models.items():
        where = f"models.{name}"
        yield from _reserved_name(name, where)
        if config["controls"]["untrained"] and name + UNTRAINED_SUFFIX in models:
            yield (
                f"{where}{UNTRAINED_SUFFIX}: this name is taken by the untrained copy of {name} "
                "(controls.untrained); choose another"
            )
        yield from _chat_contradictions(model, where)
        yield from _unknown_names(model.tasks, tasks, f"{where}.tasks")
        for studied in model.tasks:
            given = tasks[studied].shots
            if not tasks[studied].is_generated or model.shots == "all":
                continue
            if int(model.shots) > given:
                yield (
                    f"{where}.shots: {model.shots} examples are asked for, tasks.{studied}.shots "
                    f"gives {given}"
                )
        try:
            if model.kind == "local":
                checkpoint_files(model.path)
            elif model.training is not None:
                yield from _training_contradictions(model, model.training, tasks, where)
                if config["forced_answers"]:
                    yield from _never_cut(model, model.training, tasks, where)
        except InputError as error:
            yield f"{where}: {error}"

    yield from _transfer_contradictions(config, tasks, models)
    for name, published in published_entries(config).items():
        where = f"published_probes.{name}"
        yield from _reserved_name(name, where)
        if name in models or name.endswith(UNTRAINED_SUFFIX):
            yield f"{where}: this name is taken by a model; choose another"
        yield from _unknown_names(list(published.files), tasks, f"{where}.files")
        for of_task, path in published.files.items():
            if not os.path.isfile(path):
                yield f"{where}.files.{of_task}: {path}: no such file"


def _transfer_contradictions(
    config: Mapping[str, Any], tasks: Mapping[str, TaskEntry], models: Mapping[str, ModelEntry]
) -> Iterator[str]:
    for name, entry in transfer_entries(config).items():
        where = f"transfer.{name}"
        unknown = [
            *_unknown_names([entry.train], tasks, f"{where}.train"),
            *_unknown_names([entry.test], tasks, f"{where}.test"),
        ]
        if entry.train_model is not None:
            unknown += _unknown_names([entry.train_model], models, f"{where}.train_model", "model")
        yield from unknown
        studied = (
            entry.train in models[entry.train_model or model].tasks
            for model in ([] if unknown else models)
            if entry.test in models[model].tasks
        )
        if not unknown and not any(studied):
            yield (
                f"{where}: no model has {entry.test} among its tasks while "
                f"{entry.train_model or 'it'} has {entry.train}; add them to models.{{model}}.tasks"
            )
        if not unknown:
            (low, high), (lowest, highest) = (
                tasks[task].values["values"] for task in (entry.train, entry.test)
            )
            if high < lowest or highest < low:
                yield (
                    f"{where}: {entry.train} has values from {low} to {high}, {entry.test} from "
                    f"{lowest} to {highest}: no probe of one can be right about the other; choose "
                    "tasks whose values overlap"
                )


def _reserved_name(name: str, where: str) -> Iterator[str]:
    if name in _RESERVED_MODELS:
        yield f"{where}: this name is taken by a folder of results/; choose another"


def _chat_contradictions(model: ModelEntry, where: str) -> Iterator[str]:
    """Keys that a model's way of prompting it does not go with."""
    if model.prompt == "raw":
        if model.system_prompt is not None:
            yield (
                f"{where}.system_prompt: only a chat has a system's turn, but prompt is raw; set "
                "prompt: chat, or remove it"
            )
    elif model.kind == "train":
        yield (
            f"{where}.prompt: chat, but a model that the study trains has no chat template; set raw"
        )
    elif model.bos != "tokenizer":
        yield (
            f"{where}.bos: {model.bos}, but prompt is chat, whose template says which tokens there "
            "are; remove it"
        )


def _training_contradictions(
    model: ModelEntry, training: TrainingEntry, tasks: Mapping[str, TaskEntry], where: str
) -> Iterator[str]:
    yield from _unknown_names(training.tasks, tasks, f"{where}.training.tasks")
    for task in training.tasks:
        if not tasks[task].is_generated:
            yield f"{where}.training.tasks: {task} has no template to draw problems from"
    yield from _two_chains(training.tasks, tasks, where)
    if training.hidden_size % (2 * training.heads):
        yield (
            f"{where}.training: hidden_size {training.hidden_size} must be a multiple of "
            f"2 x heads ({2 * training.heads})"
        )
    saved_layers(model.layers, training.layers)


def _two_chains(names: Sequence[str], tasks: Mapping[str, TaskEntry], where: str) -> Iterator[str]:
    """Tasks of a training that answer the same problems in different ways."""
    seen: dict[str, str] = {}
    for name in names:
        if name not in tasks or not tasks[name].is_generated:
            continue
        first = seen.setdefault(json.dumps(tasks[name].template_values), name)
        if tasks[first].chain != tasks[name].chain:
            yield (
                f"{where}.training.tasks: {first} and {name} have the same problems, but "
                f"tasks.{first}.chain is {tasks[first].chain} and tasks.{name}.chain is "
                f"{tasks[name].chain}: nothing tells the model which to write; train a model for "
                "each"
            )


def _never_cut(
    model: ModelEntry, training: TrainingEntry, tasks: Mapping[str, TaskEntry], where: str
) -> Iterator[str]:
    """A model that has seen no chain end early cannot know what forced answers ask of it."""
    asked = [name for name in model.tasks if name in tasks and tasks[name].can_be_cut]
    longer = [name for name in asked if tasks[name].chain != "none"]
    if not training.cut and longer:
        yield (
            f"{where}.training.cut: 0, but forced answers ask for the answer of {longer[0]} in the "
            "middle of its chain, which the model has never seen; set it, to 0.25 for example, or "
            "set forced_answers: false"
        )


def _unknown_names(
    names: Sequence[str], known: Mapping[str, Any], where: str, kind: str = "task"
) -> Iterator[str]:
    for name in names:
        if name not in known:
            nearest = difflib.get_close_matches(name, known, n=1, cutoff=0.0)
            yield f"{where}: unknown {kind} {name!r}; did you mean {nearest[0]!r}?"

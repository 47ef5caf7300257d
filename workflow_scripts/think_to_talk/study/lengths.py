"""Prompts longer than a model's positions, found before anything runs.

How many tokens a prompt has is known when it is tokenized. Before that it has at least one per
word, since tokenizers do not join words over a space: a model that is too short for that is refused
here, and the tokens job decides the rest. Both ask `models.positions`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from think_to_talk.errors import InputError
from think_to_talk.formulas.rows import first_shots
from think_to_talk.models.checkpoints import checkpoint_files
from think_to_talk.models.positions import UNUSED_ROWS, Length, check_length, smallest_limit
from think_to_talk.models.snapshots import cached_folder

if TYPE_CHECKING:
    from think_to_talk.study.entries import ModelEntry
    from think_to_talk.study.plan import StudyPlan


def length_warnings(study: StudyPlan) -> Iterator[str]:
    """A line for each model and task whose rows are longer than the model was trained on.

    Models without a config.json on this machine are left to the tokens job.
    Raises InputError, which names model and task, if the model cannot read such rows.
    """
    for name in study.controlled_models:
        entry = study.models[name]
        path = _config_file(entry)
        if path is None or not path.is_file():
            continue
        limit = smallest_limit(json.loads(path.read_text(encoding="utf-8")))
        for task in study.tasks_of(name):
            length = _least_length(study, entry, task)
            if limit is None or length.total <= limit - UNUSED_ROWS:
                continue
            try:
                warning = _closer_look(path, length)
            except InputError as error:
                raise InputError(f"models.{name} (tasks.{task}): {error}") from None
            if warning:
                yield f"models.{name} (tasks.{task}): {warning}"


def _config_file(entry: ModelEntry) -> Path | None:
    """A model's config.json, where there is one."""
    if entry.kind == "hub":
        return cached_folder(entry.repository, entry.revision) / "config.json"
    if entry.kind == "local":
        first = checkpoint_files(entry.path)[0]
        # A GGUF file has a config of its own.
        return None if first.suffix == ".gguf" else first.parent / "config.json"
    return None


def _least_length(study: StudyPlan, entry: ModelEntry, task: str) -> Length:
    """The fewest tokens that rows of a task can have."""
    context, source, target = study.sample(task)
    shots = first_shots(context, entry.shots)
    return Length(
        prompt=len((shots + source).split()),
        after=max(entry.max_new_tokens, len(target.split())),
        exact=False,
    )


def _closer_look(config: Path, length: Length) -> str | None:
    """What `check_length` says, with the library's config, whose code is not run."""
    # Here, since it takes seconds to import, and most models are never looked at so closely.
    from transformers import CONFIG_MAPPING, AutoConfig

    if json.loads(config.read_text(encoding="utf-8")).get("model_type") not in CONFIG_MAPPING:
        return None
    return check_length(AutoConfig.from_pretrained(config.parent, local_files_only=True), length)

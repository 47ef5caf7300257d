"""Stages that read numbers as single tokens, and tasks of which they cannot: found at planning."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from think_to_talk.study.entries import ModelEntry, published_entries
from think_to_talk.study.task_entries import TaskEntry

#: Keys of what reads numbers as single tokens, of the config's `interventions`.
_READS_NUMBERS_OF_PAIRS = ("patching", "free_writing", "inconsistent_chains")


def single_token_contradictions(
    config: Mapping[str, Any], tasks: Mapping[str, TaskEntry], models: Mapping[str, ModelEntry]
) -> Iterator[str]:
    """What cannot be done on a task whose numbers have several digits, for the study's own models.

    Their tokenizer writes a token per digit; that of another model is known once it is loaded, and
    the jobs that need single tokens refuse such a task themselves.
    """
    on = [f"interventions.{k}" for k in _READS_NUMBERS_OF_PAIRS if config["interventions"][k]]
    for name, model in models.items():
        studied = [task for task in model.tasks if task in tasks and tasks[task].is_generated]
        several = [task for task in studied if tasks[task].values["values"][1] > 9]
        if model.training is not None and several and on:
            yield (
                f"{on[0]}: reads numbers of one token, but models.{name} writes a token per digit "
                f"and tasks.{several[0]}.values go up to {tasks[several[0]].values['values'][1]}: "
                f"set {on[0]}: false, or study the task in a run of its own"
            )
    for name, published in published_entries(config).items():
        for task in published.files:
            if task in tasks and not tasks[task].has_single_characters:
                yield (
                    f"published_probes.{name}.files.{task}: published rows have single letters and "
                    f"digits, tasks.{task} has other names or values"
                )

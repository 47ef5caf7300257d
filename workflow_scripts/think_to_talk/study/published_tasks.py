"""Tasks that published probe rows cannot be of: found at planning."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from think_to_talk.study.entries import published_entries
from think_to_talk.study.task_entries import TaskEntry


def published_contradictions(
    config: Mapping[str, Any], tasks: Mapping[str, TaskEntry]
) -> Iterator[str]:
    """Published rows of tasks that have other names or values than letters and digits."""
    for name, published in published_entries(config).items():
        for task in published.files:
            if task in tasks and not tasks[task].has_single_characters:
                yield (
                    f"published_probes.{name}.files.{task}: published rows have single letters and "
                    f"digits, tasks.{task} has other names or values"
                )

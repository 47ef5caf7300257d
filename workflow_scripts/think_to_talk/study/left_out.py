"""What is left out of a study because a task does not allow it: lines for whoever plans it.

`snakemake` prints them where a run begins, `results/plan.md` and the study's page keep them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from think_to_talk.study.free_text_tasks import free_text_notes
from think_to_talk.study.unread_tasks import UNREAD, is_on, stage_name, why_unread

if TYPE_CHECKING:
    from think_to_talk.study.plan import StudyPlan


def unread_notes(study: StudyPlan) -> Iterator[str]:
    """A line for each stage that is switched on, and each reason why it leaves out tasks.

    Tasks in free text have a line of their own, with all that they lack.
    """
    for key in UNREAD:
        if not is_on(study.config, key):
            continue
        # {(why, task): its models}.
        left_out: dict[tuple[str, str], list[str]] = {}
        n_read = 0
        for model in study.controlled_models:
            for task in study.tasks_of(model):
                why = why_unread(key, study.tasks[task])
                n_read += why is None
                if why is not None and not study.tasks[task].is_free_text:
                    left_out.setdefault((why, task), []).append(model)
        lines: dict[tuple[str, tuple[str, ...]], list[str]] = {}
        for (why, task), models in left_out.items():
            lines.setdefault((why, tuple(models)), []).append(task)
        rest = "" if n_read else "; it has no other task, and does nothing"
        for (why, of_models), tasks in lines.items():
            where = f"{_listed('tasks', tasks)} of {_listed('models', of_models)}"
            yield f"{stage_name(key)} leaves out {where}: it {why}{rest}"


def _listed(part: str, names: Iterable[str]) -> str:
    return ", ".join(f"{part}.{name}" for name in names)


def left_out_notes(study: StudyPlan) -> list[str]:
    """A line for whatever is left out of a study because a task does not allow it."""
    return [*unread_notes(study), *free_text_notes(study)]

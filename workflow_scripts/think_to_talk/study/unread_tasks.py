"""Tasks that a stage cannot read, and why: the stage leaves these out, and reads the others.

Here is what is known at planning, from the configuration alone; `study.left_out` says it. What
tokens a pretrained model has is known once its tokenizer is loaded: then it is a job that finds
that it cannot read a task (`files.possibly_empty`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import reduce
from typing import Any

from think_to_talk.study.task_entries import TaskEntry

#: Why a stage cannot read a task, in words that follow the stage; None if it can.
Reason = Callable[[TaskEntry], str | None]


def _free_text(task: TaskEntry) -> str | None:
    return "reads texts of our grammar, and it is free text" if task.is_free_text else None


def _uncut(task: TaskEntry) -> str | None:
    if task.can_be_cut:
        return None
    return "cuts chains of thought, and the wording does not say how these answer (wording.cut)"


def _no_whole_chains(task: TaskEntry) -> str | None:
    if task.has_full_chains:
        return None
    return "compares whole chains of thought that end with the last variable, of a template"


def _uncounted(task: TaskEntry) -> str | None:
    if task.has_ceilings:
        return None
    return "begins where the text determines a value, and its values are too many to count that"


#: {the config's key of a stage: why it may be unable to read a task, in the order of saying}.
UNREAD: Mapping[str, tuple[Reason, ...]] = {
    "logit_lens": (_free_text,),
    "forced_answers": (_free_text, _uncut),
    "steering.enabled": (_free_text, _no_whole_chains, _uncounted),
}


def is_on(config: Mapping[str, Any], key: str) -> bool:
    """Whether a stage is switched on; key: its own, such as `interventions.patching`."""
    return bool(reduce(lambda part, name: part[name], key.split("."), config))


def stage_name(key: str) -> str:
    """What a stage is called in messages, given its key: `steering` is switched by `.enabled`."""
    return key.removesuffix(".enabled")


def why_unread(key: str, task: TaskEntry) -> str | None:
    """Why a stage cannot read a task, in words that follow the stage; None if it can.

    key: of the stage; one that has no reasons here reads every task.
    """
    reasons = (reason(task) for reason in UNREAD.get(key, ()))
    return next((why for why in reasons if why is not None), None)

"""Answer patterns: how the final answer of a chain of thought in free text is read.

A task's `free_text.answer_pattern` is a regular expression whose one group is the final answer,
where it matches for the last time.
"""

from __future__ import annotations

import re

from think_to_talk.errors import InputError


def check_pattern(pattern: str) -> None:
    """Raise InputError unless a pattern is a regular expression with one group."""
    try:
        groups = re.compile(pattern).groups
    except re.error as error:
        raise InputError(f"{pattern!r} is no regular expression ({error})") from None
    if groups != 1:
        raise InputError(
            f"{pattern!r} has {groups} groups, expected one, which is the final answer, such as "
            r"'answer is (\d+)'"
        )


def read_answer(chain: str, pattern: str) -> str | None:
    """The final answer of a chain of thought; None if the pattern matches nowhere."""
    found = re.findall(pattern, chain)
    return found[-1] if found else None

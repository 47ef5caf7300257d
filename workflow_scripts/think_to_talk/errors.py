"""Errors the user can fix: wrong input (InputError) and limits of the machine.

Every module raises InputError for a wrong config value, dataset, checkpoint or file. `job.py` and
`run/lock.py` print `user_message` of any exception as one line, without a traceback. An exception
that has no such message is a defect, and keeps its traceback.
"""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager

#: {number of a system error: what the user can do about it}.
_REMEDIES = {
    errno.ENOSPC: "make room on its disk and run the same command again",
    errno.EDQUOT: "make room within the quota, or have it raised, and run the same command again",
    errno.EROFS: "mount it writable, or give the study another folder with --directory",
    errno.EACCES: "see who owns it and its folder, and run as a user who may",
    errno.EPERM: "see who owns it and its folder, and run as a user who may",
    errno.EMFILE: "raise the limit, see `ulimit -n`, and run the same command again",
    errno.ENFILE: "close other programs, or raise the system's limit",
}

#: What is wrong with a model whose passes fail.
DOES_NOT_RUN = "the model does not run on a row of text"

#: What to do about a damaged result file.
REMAKE_HINT = "delete the file and run again; it will be regenerated"

_MORE_MEMORY = "run fewer jobs at a time, with a smaller batch_size or more memory"

#: How libraries written in Rust (safetensors, tokenizers) report a system error.
_SYSTEM_ERROR = re.compile(r"\(os error (\d+)\)")


class InputError(ValueError):
    """An input of the study is wrong: a config value, a dataset row, a checkpoint or a file.

    The message is one line: the file or config key, what was found, what was expected, what to do.
    """


class UnreadError(InputError):
    """A stage cannot read a task of a model: it leaves it out (`files.possibly_empty`).

    The message says what was found and what was expected, and neither stage, model nor task.
    """


@contextmanager
def located(where: str) -> Iterator[None]:
    """Say where an input is wrong: `where` begins the message of an InputError raised inside.

    An UnreadError passes: who catches it knows the place.
    """
    try:
        yield
    except UnreadError:
        raise
    except InputError as error:
        raise InputError(f"{where}: {error}") from None


@contextmanager
def one_line(what: str) -> Iterator[None]:
    """Whatever a library, or a model's code, raises inside becomes an InputError of one line."""
    try:
        yield
    except Exception as error:
        raise InputError(f"{what}: {said(error)}") from None


def said(error: Exception) -> str:
    """The kind of an error and the beginning of its message, in one line."""
    message = " ".join(str(error).split())[:200]
    return f"{type(error).__name__} ({message or 'without a message'})"


def system_error(error: Exception) -> int | None:
    """The number (errno) of the system error that an exception reports, or None."""
    if isinstance(error, OSError):
        return error.errno
    found = _SYSTEM_ERROR.search(str(error))
    return int(found[1]) if found else None


def user_message(error: Exception) -> str | None:
    """One line for the user: what went wrong and what to do. None if the error is a defect.

    The user can fix an InputError, a full or read-only disk, missing permissions, too many open
    files and too little memory.
    """
    if isinstance(error, InputError):
        return str(error)
    if _is_out_of_memory(error):
        reason = " ".join(str(error).split()) or type(error).__name__
        return f"out of memory: {reason[:300]} ({_MORE_MEMORY})"
    number = system_error(error)
    if number not in _REMEDIES:
        return None
    file = getattr(error, "filename", None)
    what = f"{os.strerror(number)} ({_REMEDIES[number]})"
    return f"{os.fsdecode(file)}: {what}" if isinstance(file, (str, bytes)) else what


def _is_out_of_memory(error: Exception) -> bool:
    """Whether Python, torch or the system ran out of memory. (Does not import torch.)"""
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return True
    return (
        isinstance(error, RuntimeError) and "can't allocate memory" in str(error)
    ) or system_error(error) == errno.ENOMEM

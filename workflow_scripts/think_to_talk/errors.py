"""Errors that whoever runs a study can mend: of what is given to it, and of the machine."""

from __future__ import annotations

import errno
import os
import re

#: What to do about an error of the system that is none of the program's.
_REMEDIES = {
    errno.ENOSPC: "make room on its disk and run the same command again",
    errno.EDQUOT: "make room within the quota, or have it raised, and run the same command again",
    errno.EROFS: "mount it writable, or give the study another folder with --directory",
    errno.EACCES: "see who owns it and its folder, and run as a user who may",
    errno.EPERM: "see who owns it and its folder, and run as a user who may",
    errno.EMFILE: "raise the limit, see `ulimit -n`, and run the same command again",
    errno.ENFILE: "close other programs, or raise the system's limit",
}
#: What to do about a damaged file that the study made.
ANEW = "delete the file and run again to make it anew"
_MORE_MEMORY = "run fewer jobs at a time, with a smaller batch_size or more memory"
#: How libraries in Rust (safetensors, tokenizers) end the message of an error of the system.
_SYSTEM_ERROR = re.compile(r"\(os error (\d+)\)")


class InputError(ValueError):
    """Something given to the study is wrong: a config value, a dataset row, a checkpoint, a file.

    The message names it, says what was found and what was expected, and what to do. Scripts print
    it as one line, without a traceback.
    """


def system_error(error: Exception) -> int | None:
    """The number of the system's error that an exception stands for, whoever raised it."""
    if isinstance(error, OSError):
        return error.errno
    found = _SYSTEM_ERROR.search(str(error))
    return int(found[1]) if found else None


def explained(error: Exception) -> str | None:
    """What went wrong and what to do, in one line, if the machine is to blame; None if it is not.

    A full disk, a folder that must not be written, too many open files or too little memory.
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
    """Whether Python, torch or the system had no memory left; torch is not imported for it."""
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return True
    return (
        isinstance(error, RuntimeError) and "can't allocate memory" in str(error)
    ) or system_error(error) == errno.ENOMEM

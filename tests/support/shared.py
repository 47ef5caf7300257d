"""What one process of the tests makes and all of them use, in this session and in later ones.

It is kept in the folder for temporary files, under a hash of all that it depends on: the repository
but for its tests, what tests make it with, and where Python is. So tests of one file begin at once,
and the services' tests need not make what the others have made.
"""

import hashlib
import os
import shutil
import sys
import tempfile
import time
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from filelock import FileLock

from support.repository import NOT_COPIED, REPOSITORY

_KEPT = Path(tempfile.gettempdir(), f"think-to-talk-tests-{os.getuid()}-made")

#: Of the tests, what makes studies and models.
_MAKERS = ("tests/conftest.py", "tests/support", "tests/workflow/conftest.py")

#: After so many seconds without use, what another state of the repository made is deleted.
_UNUSED = 12 * 3600


@contextmanager
def shared(name):
    """A path that no other process has meanwhile.

    The first time, nothing is there. What is made has to be whole when it is found, so that a test
    whose fixture failed does not hand a part to the next.
    """
    base = _base()
    with FileLock(base / f"{name}.lock"):
        yield base / name


@cache
def _base():
    """The folder of what this state of the repository makes."""
    digest = hashlib.sha256(f"{sys.version}\0{sys.prefix}".encode())
    for path in sorted(_sources()):
        content = path.read_bytes()
        digest.update(f"\0{path.relative_to(REPOSITORY)}\0{len(content)}\0".encode() + content)
    base = _KEPT / digest.hexdigest()[:16]
    base.mkdir(parents=True, exist_ok=True)
    os.utime(base)
    for other in _KEPT.iterdir():
        if time.time() - other.stat().st_mtime > _UNUSED:
            shutil.rmtree(other, ignore_errors=True)
    return base


def _sources():
    """All files on which what is made depends."""
    for parent, folders, names in os.walk(REPOSITORY):
        left_out = NOT_COPIED(parent, [*folders, *names])
        folders[:] = [folder for folder in folders if folder not in left_out]
        for path in (Path(parent, name) for name in names if name not in left_out):
            inside = path.relative_to(REPOSITORY).as_posix()
            if not inside.startswith("tests/") or inside.startswith(_MAKERS):
                yield path

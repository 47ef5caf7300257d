"""Atomic writes: a file has its name only when it is complete.

Every file of a study is written under a temporary name in its folder and renamed afterwards, so a
killed job leaves no incomplete result. `run/leftovers.py` deletes the temporary files.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from think_to_talk.errors import InputError, system_error

# Beginning of the names of temporary files and folders.
PARTIAL = ".partial-"


@contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """A temporary file in the folder of `path`, renamed to `path` if the block succeeds.

    A system error while it is written becomes an OSError that names `path`.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with _naming(path):
        handle, name = tempfile.mkstemp(prefix=PARTIAL, suffix=f".{path.name}", dir=path.parent)
        os.close(handle)
        try:
            yield Path(name)
            _publish(name, path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise


@contextmanager
def adding_to(folder: str | Path) -> Iterator[Path]:
    """A temporary folder in `folder`; its files are moved to `folder` if the block succeeds.

    A system error while they are written becomes an OSError that names `folder`.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    with (
        _naming(folder),
        tempfile.TemporaryDirectory(prefix=PARTIAL, dir=folder) as temporary,
    ):
        yield Path(temporary)
        for file in sorted(Path(temporary).iterdir()):
            _publish(file, folder / file.name)


def _publish(temporary: str | Path, path: Path) -> None:
    """Rename a complete file, and give it the permissions of a new file."""
    umask = os.umask(0)
    os.umask(umask)
    os.chmod(temporary, 0o666 & ~umask)
    os.replace(temporary, path)


@contextmanager
def _naming(path: Path) -> Iterator[None]:
    """Let system errors that name no file, or a temporary one, name `path` instead."""
    try:
        yield
    except InputError:
        raise
    except Exception as error:
        number = system_error(error)
        named = getattr(error, "filename", None)
        if number is None or (named is not None and PARTIAL not in str(named)):
            raise
        raise OSError(number, os.strerror(number), str(path)) from error


def write_text(path: str | Path, text: str) -> None:
    """Write a text file in UTF-8."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")

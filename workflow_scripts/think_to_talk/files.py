"""Files that appear complete or not at all."""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from think_to_talk.errors import InputError, system_error

# Names of files and folders that are being written start like this.
_PARTIAL = ".partial-"


@contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """A temporary file beside `path` (same suffix), renamed to it if the block ends well.

    An OSError of writing it names `path`.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with _naming(path):
        handle, name = tempfile.mkstemp(prefix=_PARTIAL, suffix=f".{path.name}", dir=path.parent)
        os.close(handle)
        try:
            yield Path(name)
            _publish(name, path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise


@contextmanager
def adding_to(folder: str | Path) -> Iterator[Path]:
    """A temporary folder in `folder`; the files in it are moved there if the block ends well.

    An OSError of writing them names `folder`.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    with (
        _naming(folder),
        tempfile.TemporaryDirectory(prefix=_PARTIAL, dir=folder) as temporary,
    ):
        yield Path(temporary)
        for file in sorted(Path(temporary).iterdir()):
            _publish(file, folder / file.name)


def _publish(temporary: str | Path, path: Path) -> None:
    """Give a complete file its name, and the permissions that any new file has."""
    umask = os.umask(0)
    os.umask(umask)
    os.chmod(temporary, 0o666 & ~umask)
    os.replace(temporary, path)


@contextmanager
def _naming(path: Path) -> Iterator[None]:
    """Errors of the system that name no file, or a temporary one, name `path` instead."""
    try:
        yield
    except InputError:
        raise
    except Exception as error:
        number = system_error(error)
        named = getattr(error, "filename", None)
        if number is None or (named is not None and _PARTIAL not in str(named)):
            raise
        raise OSError(number, os.strerror(number), str(path)) from error


def remove_partial(folder: str | Path) -> None:
    """Remove what jobs that were killed left half-written below a folder; no job may be running."""
    for path in list(Path(folder).rglob(f"{_PARTIAL}*")):
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


def bring_to_present(folder: str | Path) -> None:
    """Let files from the future be of now, in the order that they had; no job may be running.

    They were made while the clock was ahead. What is made of them from now on would always be older
    than they are, and be made again each time.
    """
    now = time.time_ns()
    times = {path: path.lstat().st_mtime_ns for path in Path(folder).rglob("*")}
    future = {path: made for path, made in times.items() if made > now}
    rank = {made: i for i, made in enumerate(sorted(set(future.values())))}
    for path, made in future.items():
        # A microsecond from one to the next: a time is a floating-point number for Snakemake.
        moved = now + 1000 * rank[made]
        os.utime(path, ns=(moved, moved), follow_symlinks=False)


def check_made(path: str | Path) -> None:
    """Raise an InputError if a file is from the future: what is made of it would stay older.

    A second is allowed for: clocks of file servers differ a little.
    """
    made = os.stat(path).st_mtime
    if made > time.time() + 1:
        when = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(made))
        raise InputError(
            f"{path}: is from the future ({when}), and what is made of it would be made again each "
            "time: set the clock right, or touch the file"
        )


def check_writable(folder: str | Path) -> None:
    """Raise an OSError if nothing could be written below a folder; it need not be there yet."""
    folder = Path(folder).absolute()
    there = next(path for path in (folder, *folder.parents) if path.exists())
    if not os.access(there, os.W_OK | os.X_OK):
        read_only = os.statvfs(there).f_flag & os.ST_RDONLY
        number = errno.EROFS if read_only else errno.EACCES
        raise OSError(number, os.strerror(number), str(there))


def write_text(path: str | Path, text: str) -> None:
    """Write a text file in UTF-8."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")

"""Jobs that begin with their libraries loaded: forks of one process that has imported them.

A script spends seconds on importing torch and transformers, which is more than a small job's own
work. Here one process, the *loader*, imports what the jobs of a run import, without running any of
the study's code. Each job is then a fork of it: a process of its own, with the environment,
terminal and log that it would have, which shares the libraries' memory.

`run/start_up.py` has Snakemake start jobs through `Loader.start`. This file is also the loader's
own program. A job's parent is its *keeper*, a fork that does nothing but wait for it, so
that the loader is free for the next:

    controller ── loader ── keeper ── job        (one keeper and one job per request)

A loader that ends, for want of memory say, takes no job with it. It starts no more: a `LoaderError`
says that jobs have to be started in the usual way.
"""

from __future__ import annotations

import atexit
import gc
import importlib
import json
import os
import runpy
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

#: Longest message between the controller and the loader, in bytes: names, or an environment.
_LONGEST = 2**20
_READY = b"ready"
_WAITED_FOR = b"waited for"

#: What tells the libraries of linear algebra how many threads to use, when they are loaded.
THREAD_VARIABLES = (
    *("OMP_NUM_THREADS", "GOTO_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"),
    *("VECLIB_MAXIMUM_THREADS", "NUMEXPR_NUM_THREADS"),
)


class LoaderError(Exception):
    """The loader has ended, or cannot take this job."""


@dataclass
class LoadedJob:
    """A job that runs. process: its number; connection: to its keeper."""

    process: int
    connection: socket.socket

    def wait(self) -> int:
        """Its exit status when it has ended; negative: the signal that ended it.

        Until this is called, the number is the job's, though it may have ended: its keeper lets go
        of it only then, as whoever measures the job looks it up first. A job whose keeper was
        killed is killed too: nobody would know when it ends.
        """
        status = b""
        with self.connection, suppress(OSError):
            self.connection.send(_WAITED_FOR)
            status = self.connection.recv(_LONGEST)
        if status:
            return int(status)
        with suppress(ProcessLookupError):
            os.kill(self.process, signal.SIGKILL)
        return -signal.SIGKILL


class Loader:
    """The process that imports libraries; it ends when this process does, or at `close`."""

    def __init__(self, names: Iterable[tuple[str, str | None]]) -> None:
        """Begin to import. names: pairs of a module and of a name in it, or None."""
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            # -P: the folder of this file is not where its modules come from. One thread: with
            # several, a process cannot be forked safely; a job that has more cores asks for them.
            self._process = subprocess.Popen(
                [sys.executable, "-P", __file__, str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                env={**os.environ, **dict.fromkeys(THREAD_VARIABLES, "1")},
            )
        self._control.send(json.dumps(sorted(names, key=str)).encode())

    def is_ready(self) -> bool:
        """Whether all is imported, so that a job starts at once."""
        flags = socket.MSG_PEEK | socket.MSG_DONTWAIT
        try:
            return self._control.recv(len(_READY), flags) == _READY
        except OSError:
            return False

    def start(self, script: str | Path, environment: Mapping[str, str]) -> LoadedJob:
        """Run a script as a program, when all is imported. Raises LoaderError."""
        request = json.dumps({"script": str(script), "environment": dict(environment)})
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            try:
                socket.send_fds(self._control, [request.encode()], [theirs.fileno()])
            except OSError as error:
                ours.close()
                raise LoaderError(str(error)) from None
        process = ours.recv(_LONGEST)
        if not process:
            ours.close()
            raise LoaderError("it ended before the job began")
        return LoadedJob(int(process), ours)

    def close(self) -> None:
        """End the loader, also while it imports. Jobs that run go on."""
        self._control.close()
        self._process.kill()
        self._process.wait()


@contextmanager
def run_loader(begin: Callable[[], Loader | None]) -> Iterator[Callable[[], Loader | None]]:
    """A function that returns the loader of a run, which `begin` starts when it is first called.

    Several threads may call it. The loader ends with the block.
    """
    lock = threading.Lock()
    begun: list[Loader | None] = []

    def find() -> Loader | None:
        with lock:
            if not begun:
                begun.append(begin())
            return begun[0]

    try:
        yield find
    finally:
        for loader in filter(None, begun):
            loader.close()


def _import(names: Iterable[tuple[str, str | None]]) -> None:
    """Import what there is. A job that needs something else says so itself."""
    for module, name in names:
        with suppress(ImportError, AttributeError):
            loaded = importlib.import_module(module)
            if name:
                getattr(loaded, name)
    # Objects that the garbage collector never visits stay in memory that all jobs share.
    gc.collect()
    gc.freeze()


def _next_job(control: socket.socket) -> dict[str, object]:
    """In the process of a new job: its script and environment. The loader itself never returns."""
    while True:
        try:
            request, connections, *_ = socket.recv_fds(control, _LONGEST, 1)
        except ConnectionResetError:
            request = b""
        if not request:
            os._exit(0)
        if os.fork() == 0:
            control.close()
            connection = socket.socket(fileno=connections[0])
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            job = os.fork()
            if job == 0:
                connection.close()
                signal.signal(signal.SIGINT, signal.default_int_handler)
                return json.loads(request)
            with suppress(OSError):
                connection.send(str(job).encode())
                connection.recv(len(_WAITED_FOR))
            _, status = os.waitpid(job, 0)
            with suppress(OSError):
                connection.send(str(os.waitstatus_to_exitcode(status)).encode())
            os._exit(0)
        os.close(connections[0])


def _become(script: str, environment: Mapping[str, str]) -> None:
    """Make this process what it would be if Python had been started with a script."""
    os.environ.clear()
    os.environ.update(environment)
    tempfile.tempdir = None
    # What `ps` shows: `tmp123.probes.py` as `job:probes`, in the 15 bytes that Linux keeps.
    Path("/proc/self/comm").write_text(f"job:{Path(script).stem.rpartition('.')[2]}"[:15])
    sys.argv = [script]
    sys.path.insert(0, str(Path(script).parent))
    threads = int(environment.get("OMP_NUM_THREADS", 1))
    if threads > 1:
        from threadpoolctl import threadpool_limits

        threadpool_limits(threads)


def _end() -> NoReturn:
    """End a job that succeeded, without freeing its objects one by one as Python does.

    Linux would first copy each page of them that the job shares with the loader, which takes longer
    than most jobs of a small study. `multiprocessing` ends its forks in the same way (CPython 3.11,
    `BaseProcess._bootstrap` and `popen_fork.Popen._launch`).
    """
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os._exit(0)


def _main() -> None:
    """The loader's program; each fork of it leaves through here as the job that it became."""
    control = socket.socket(fileno=int(sys.argv[1]))
    # Keepers are not waited for; the terminal's interrupt is the controller's and the jobs'.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _import(json.loads(control.recv(_LONGEST)))
    with suppress(BrokenPipeError):
        control.send(_READY)
    job = _next_job(control)
    _become(str(job["script"]), job["environment"])  # type: ignore[arg-type]
    try:
        runpy.run_path(str(job["script"]), run_name="__main__")
    except SystemExit as ending:
        if ending.code not in (None, 0):
            raise
    _end()


if __name__ == "__main__":
    _main()

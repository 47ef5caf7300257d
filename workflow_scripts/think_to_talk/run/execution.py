"""What is done before and after the jobs of a run.

`rules/setup/execution.smk` hands over what is Snakemake's. This is not in a workflow file, since
Snakemake attributes every exception that is raised during execution to the innermost line of one.
"""

from __future__ import annotations

import logging
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any


def prepared(execute: Callable[..., None], prepare: Callable[..., None]) -> Callable[..., None]:
    """A function that calls `prepare`, then `execute`, both with its keyword arguments."""

    def execute_prepared(**settings: Any) -> None:
        prepare(**settings)
        return execute(**settings)

    return execute_prepared


def concluded(
    execute: Callable[..., None],
    applies: Callable[..., bool],
    on_success: Callable[[], None],
    on_error: Callable[[bool], None],
) -> Callable[..., None]:
    """A function that calls `execute`, then tells how it ended.

    applies: whether the arguments of `execute` ask for that.
    on_success: called when all is made, also where nothing was to be done.
    on_error: called when `execute` raises; its argument is whether the user interrupted the run.
    """

    def execute_concluded(**settings: Any) -> None:
        if not applies(**settings):
            return execute(**settings)
        with _interrupts() as interrupts:
            try:
                execute(**settings)
            except Exception:
                on_error(bool(interrupts))
                raise
        on_success()
        return None

    return execute_concluded


def with_handler(
    execute: Callable[..., None], logger: logging.Logger, begin: Callable[..., Any]
) -> Callable[..., None]:
    """A function that calls `execute` with another handler of a logger.

    begin: given the arguments of `execute`, it returns the handler and the one that it replaces
        meanwhile; both None to replace none.
    """

    def execute_shown(**settings: Any) -> None:
        handler, before = begin(**settings)
        if handler is None:
            return execute(**settings)
        logger.removeHandler(before)
        logger.addHandler(handler)
        try:
            return execute(**settings)
        finally:
            logger.removeHandler(handler)
            handler.close()
            logger.addHandler(before)

    return execute_shown


@contextmanager
def _interrupts() -> Iterator[list[int]]:
    """The interrupts (Ctrl-C) that arrive meanwhile; each raises KeyboardInterrupt, as usual."""
    received: list[int] = []

    def note(number: int, frame: Any) -> None:
        received.append(number)
        signal.default_int_handler(number, frame)

    in_main_thread = threading.current_thread() is threading.main_thread()
    # A run in the background of a script ignores them.
    if not in_main_thread or signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        yield received
        return
    before = signal.signal(signal.SIGINT, note)
    try:
        yield received
    finally:
        signal.signal(signal.SIGINT, before)

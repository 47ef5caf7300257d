"""A cache per object for methods with arguments, which every job of the workflow asks for again.

`functools.cached_property` is for methods without arguments; `functools.cache` on a method keeps
every object alive. `study.plan` and `study.needs` use this.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeVar

S = TypeVar("S")
P = ParamSpec("P")
R = TypeVar("R")


def cached_method(method: Callable[Concatenate[S, P], R]) -> Callable[Concatenate[S, P], R]:
    """Keep the method's results on its object, per arguments (which must be hashable)."""
    name = f"_results_of_{method.__name__}"

    @wraps(method)
    def cached(self: S, *args: P.args, **kwargs: P.kwargs) -> R:
        results: dict[Any, R] = vars(self).setdefault(name, {})
        key = (args, tuple(sorted(kwargs.items())))
        if key not in results:
            results[key] = method(self, *args, **kwargs)
        return results[key]

    return cached

"""Measuring: times taken in turn, what the hardware allows, and peak memory."""

from __future__ import annotations

import json
import math
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode

BENCHMARKS = Path(__file__).resolve().parent
REPOSITORY = BENCHMARKS.parent


@dataclass(frozen=True)
class Row:
    """A line of the table.

    ours, other: as measured, with units. ratio: how many times better ours is, or None. target:
    what was aimed at. reached: whether it was, or None if nothing was aimed at.
    """

    part: str
    what: str
    ours: str
    other: str = ""
    ratio: float | None = None
    target: str = ""
    reached: bool | None = None


def seconds(work: Callable[[], object]) -> float:
    """The time that `work` takes."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def in_turn(
    ours: Callable[[], object], other: Callable[[], object], rounds: int
) -> tuple[float, float]:
    """Median seconds of both: rounds of ours, of the other, of ours again.

    A disturbance of the machine meets both; neither is slowed by what the other left in memory.
    """
    first = [seconds(ours) for _ in range(rounds)]
    second = [seconds(other) for _ in range(rounds)]
    first += [seconds(ours) for _ in range(rounds)]
    return median(first), median(second)


@dataclass(frozen=True)
class Machine:
    """What the hardware allows on `threads` cores.

    matmul: operations per second of fp32 matrix products. bandwidth: bytes of memory moved per
    second by a copy, read and written ones together.
    """

    threads: int
    matmul: float
    bandwidth: float

    @classmethod
    def measured(cls, tiny: bool) -> Machine:
        """The best of a few tries each."""
        n = 1024 if tiny else 3072
        a, b, c = torch.randn(n, n), torch.randn(n, n), torch.empty(n, n)
        product = min(seconds(lambda: torch.mm(a, b, out=c)) for _ in range(5))
        size = 2**24 if tiny else 2**28
        source, copied = torch.ones(size), torch.zeros(size)
        moved = min(seconds(lambda: copied.copy_(source)) for _ in range(5))
        return cls(torch.get_num_threads(), 2 * n**3 / product, 2 * 4 * size / moved)


class _Bytes(TorchDispatchMode):
    """Adds up the operands and results of matrix products and attention."""

    _COUNTED = ("mm", "addmm", "bmm", "baddbmm", "linear", "_scaled_dot_product")

    def __init__(self) -> None:
        super().__init__()
        self.total = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        if func.overloadpacket.__name__.startswith(self._COUNTED):
            results = result if isinstance(result, tuple) else (result,)
            tensors = [t for t in (*args, *results) if isinstance(t, torch.Tensor)]
            self.total += sum(t.numel() * t.element_size() for t in tensors)
        return result


def floors(machine: Machine, work: Callable[[], object]) -> dict[str, float]:
    """Seconds that `work` takes at least, by its arithmetic and by its memory traffic.

    flops: of its matrix products and attention, at the measured rate of large ones. bytes: their
    operands and results, each moved once, at the measured bandwidth.
    """
    with FlopCounterMode(display=False) as flops:
        work()
    with _Bytes() as moved:
        work()
    return {
        "flops": flops.get_total_flops() / machine.matmul,
        "bytes": moved.total / machine.bandwidth,
    }


def share_of_floor(part: str, what: str, took: float, least: Mapping[str, float]) -> Row:
    """The line on how close `took` seconds are to the larger of the floors."""
    kind = max(least, key=lambda name: least[name])
    share = least[kind] / took
    return Row(
        part,
        f"{what}: share of the floor (arithmetic {least['flops']:.2f} s, memory "
        f"{least['bytes']:.2f} s)",
        f"{share:.0%} of {took:.2f} s",
        "",
        None,
        "≥ 50 %",
        share >= 0.5,
    )


def peak_memory() -> int:
    """Bytes of main memory that this process has had at most.

    (`ru_maxrss` of a process begins at its parent's.)
    """
    status = Path("/proc/self/status").read_text()
    return 1024 * int(next(line for line in status.splitlines() if "VmHWM" in line).split()[1])


def alone(function: str, **arguments: Any) -> Any:
    """The result of `module:function` of this folder in a fresh process, which has its own peak."""
    run = subprocess.run(
        [sys.executable, str(BENCHMARKS / "measure.py"), function, json.dumps(arguments)],
        capture_output=True,
        text=True,
        cwd=REPOSITORY,
    )
    if run.returncode:
        raise RuntimeError(f"{function} {arguments} failed:\n{run.stderr[-3000:]}")
    return json.loads(run.stdout.splitlines()[-1])


def slope(points: Sequence[Mapping[str, float]], x: str, y: str) -> float:
    """The exponent of y ~ x^slope, from the first to the last point."""
    first, last = points[0], points[-1]
    return math.log(last[y] / first[y]) / math.log(last[x] / first[x])


if __name__ == "__main__":
    import importlib

    module, _, name = sys.argv[1].partition(":")
    sys.path[:0] = [str(REPOSITORY / "workflow_scripts")]
    print(json.dumps(getattr(importlib.import_module(module), name)(**json.loads(sys.argv[2]))))

"""Measure what this workflow costs, compared with what its users would otherwise run.

Prints a table in Markdown, and writes it with all that was measured to `runs/bench/`: table.md,
table.json and growth.png.

    python benchmarks/run.py               # everything: 15 minutes or more on two cores
    python benchmarks/run.py probes sgd    # some parts; those that need the study run it once
    python benchmarks/run.py --tiny        # to see that it runs, in a minute; figures mean little
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

sys.path[:0] = [str(Path(__file__).resolve().parent.parent / "workflow_scripts")]
# Progress of single jobs would only be noise here.
os.environ["TQDM_DISABLE"] = "1"

import torch

from bench import Bench
from growth import draw, growth, paper_size
from measure import REPOSITORY, Machine, Row, seconds
from parts import PARTS
from scale import paper_estimate
from think_to_talk.pages.tables import markdown_table


def main(arguments: list[str]) -> None:
    """Run the parts that the command line names."""
    details: dict[str, Any] = {}
    parts: dict[str, Callable[[Bench], list[Row]]] = {
        **PARTS,
        "growth": partial(growth, details=details),
        "paper-size": partial(paper_size, details=details),
        "paper-scale": partial(paper_estimate, details=details),
    }
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("parts", nargs="*", metavar="part", help=", ".join(parts))
    parser.add_argument("--tiny", action="store_true", help="small sizes")
    parser.add_argument("--folder", type=Path, default=REPOSITORY / "runs/bench")
    options = parser.parse_args(arguments)
    if unknown := set(options.parts) - set(parts):
        parser.error(f"no part {', '.join(sorted(unknown))}; there are {', '.join(parts)}")
    folder: Path = options.folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    bench = Bench(options.tiny, folder, Machine.measured(options.tiny))
    rows: list[Row] = []
    for name in options.parts or parts:
        print(f"{name} …", end="", file=sys.stderr, flush=True)
        took = seconds(partial(_add, rows, parts[name], bench))
        print(f" {took:.0f} s", file=sys.stderr, flush=True)
        # After each part: one that fails loses none of the others.
        _write(bench, rows, details)
    print(_markdown(bench, rows))


def _write(bench: Bench, rows: list[Row], details: dict[str, Any]) -> None:
    """What has been measured so far, in the benchmark's folder."""
    folder = bench.folder
    (folder / "table.md").write_text(_markdown(bench, rows) + "\n", encoding="utf-8")
    machine = asdict(bench.machine) | _environment()
    content = {"machine": machine, "rows": [asdict(row) for row in rows], **details}
    (folder / "table.json").write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    if "growth" in details:
        draw(details["growth"], folder / "growth.png")


def _add(rows: list[Row], part: Callable[[Bench], list[Row]], bench: Bench) -> None:
    rows += part(bench)


def _environment() -> dict[str, str]:
    cpu = next(
        (
            line.partition(": ")[2].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith("model name")
        ),
        platform.processor(),
    )
    return {"cpu": cpu, "python": platform.python_version(), "torch": torch.__version__}


def _markdown(bench: Bench, rows: list[Row]) -> str:
    cells = [["part", "what", "ours", "the alternative", "ratio", "target", ""]]
    for row in rows:
        ratio = "" if row.ratio is None else f"{row.ratio:.3g} ×"
        reached = {None: "", True: "yes", False: "no"}[None if bench.tiny else row.reached]
        cells.append([row.part, row.what, row.ours, row.other, ratio, row.target, reached])
    machine = bench.machine
    return (
        f"{machine.threads} cores of {_environment()['cpu']}: "
        f"{machine.matmul / 1e9:.0f} GFLOPS in fp32 matrix products, "
        f"{machine.bandwidth / 1e9:.0f} GB/s of memory bandwidth.\n\n" + markdown_table(cells)
    )


if __name__ == "__main__":
    main(sys.argv[1:])

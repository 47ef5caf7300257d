"""The workflow as a whole: the default study, runs with nothing to do, datasets."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys

from alternatives import rejection_sampled
from bench import Bench, default_config, snakemake
from measure import (
    Row,
    seconds,
)
from think_to_talk.formulas.datasets import generate_splits


def study(bench: Bench) -> list[Row]:
    """The default study from nothing, and its share that is not this workflow's computation."""
    shutil.rmtree(bench.study, ignore_errors=True)
    wall = bench.snakemake()
    worked = 0.0
    for log in (bench.study / "results/logs").rglob("*.log"):
        for took, cores in re.findall(r"finished in ([\d.]+) s on (\d+) core", log.read_text()):
            worked += float(took) * int(cores)
    # The class of a model is imported when it is loaded, in the middle of the work.
    lazily = _import_seconds("from transformers import LlamaForCausalLM") - _import_seconds(
        "import torch"
    )
    jobs = [
        job
        for rule in ("hidden_states", "patching", "inconsistent_chains")
        for job in (bench.results / "benchmarks" / rule).rglob("*.tsv")
    ]
    outside = 1 - (worked - lazily * len(jobs)) / (2 * wall)
    return [
        Row("study", "default study, wall time", f"{wall:.0f} s", "", None, "≤ 180 s", wall <= 180),
        Row(
            "study",
            "core time outside of our own computation: starting, imports, planning, idling",
            f"{outside:.0%}",
            "",
            None,
            "≤ 20 %",
            outside <= 0.2,
        ),
    ]


def _import_seconds(statement: str) -> float:
    command = [sys.executable, "-c", statement]
    return min(seconds(lambda: subprocess.run(command, check=True)) for _ in range(2))


def no_op(bench: Bench) -> list[Row]:
    """`snakemake -n` when nothing is to be done, and on the paper's study."""
    bench.finish_study()
    finished = min(bench.snakemake("-n") for _ in range(2))
    paper = snakemake(
        "-n", "--directory", str(bench.folder / "paper"), "--configfile", "studies/paper.yaml"
    )
    return [
        Row(
            "no-op", "snakemake -n, finished study", f"{finished:.1f} s", "", None, "≤ 1.5 s",
            finished <= 1.5,
        ),
        Row(
            "no-op", "snakemake -n, paper's study", f"{paper:.1f} s", "", None, "≤ 4 s",
            paper <= 4,
        ),
    ]  # fmt: skip


def formulas(bench: Bench) -> list[Row]:
    """All splits of the paper's five levels, against rejection sampling."""
    config = default_config()
    sizes = {"train": 100, "valid": 2000, "test": 2000, "probing_train": 10_000}
    if bench.tiny:
        sizes = {split: n // 50 for split, n in sizes.items()}
    tasks = {name: config["tasks"][name] for name in sorted(config["tasks"])}
    total = len(tasks) * sum(sizes.values())
    took = seconds(lambda: [generate_splits(task, sizes, 42) for task in tasks.values()])
    # Rejection gets slower the more rows there are already; at a tenth of them it is at its best.
    rows = total // 10 // len(tasks)
    rejected = seconds(lambda: [rejection_sampled(level, rows, 42) for level in tasks])
    rejection_rate = rows * len(tasks) / rejected
    return [
        Row(
            "formulas",
            f"{total:,} rows, all splits of five levels",
            f"{took:.2f} s",
            f"{total / rejection_rate:.1f} s by rejection sampling (from a tenth of the rows)",
            total / took / rejection_rate,
            "≤ 5 s",
            took <= 5,
        )
    ]

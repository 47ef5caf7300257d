"""How the cost of probing grows, on synthetic hidden states, up to the paper's size."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch

from bench import IDENTITY, LBFGS, Bench
from measure import Row, alone, peak_memory, slope
from think_to_talk.files.jsonl import write_jsonl
from think_to_talk.files.shards import write_shard
from think_to_talk.probes.fitting import fit_task
from think_to_talk.probes.settings import ProbeSettings
from think_to_talk.tokens.layout import Layout

#: What a point has where it is not what varies.
BASE = {"rows": 2000, "positions": 8, "layers": 1, "width": 256}
CURVES = {
    "rows": [1000, 2000, 4000, 8000, 16_000, 32_000],
    "positions": [4, 8, 16, 32, 64],
    "layers": [1, 2, 4, 8],
    "width": [128, 256, 512, 1024, 2048, 4096],
}
#: The paper's level 5: rows to train on and to test, positions, width of an 8 B model.
PAPER = {"rows": 10_000, "positions": 60, "layers": 1, "width": 4096}
#: Parts of the expressions, as by default.
FOLDS = 4
#: Variables of a problem.
VARIABLES = 3
#: Rows of a shard.
_SHARD = 2000


def write_split(
    folder: Path, split: str, rows: int, point: dict[str, int]
) -> tuple[list[Path], Path]:
    """Shards of hidden states in bf16 in which each variable is readable to a degree; the dataset.

    The positions go from noise to one where nearly all answers can be read off.
    """
    generator = torch.Generator().manual_seed(len(split))
    positions, width, layers = point["positions"], point["width"], list(range(point["layers"]))
    answers = torch.randint(0, 10, (rows, VARIABLES), generator=generator)
    fixed = torch.Generator().manual_seed(0)
    directions = torch.randn(VARIABLES, 10, width, generator=fixed) / width**0.5
    strength = torch.linspace(0, 12, positions)[:, None]
    half = positions // 2
    symbols = (*"A" * (half - 1), "?", *"A" * (positions - half))
    layout = Layout(symbols, tuple(range(positions)), (True,) * positions, half)
    metadata = {
        **IDENTITY,
        "task": "synthetic",
        "split": split,
        "layers": json.dumps(layers),
        "layout": layout.dumps(),
        "tokens": json.dumps(symbols),
    }
    paths = []
    for start in range(0, rows, _SHARD):
        numbers = torch.arange(start, min(start + _SHARD, rows))
        n = len(numbers)
        shapes: dict[str, Any] = {
            "input_length": (torch.int32, (n,)),
            "correct": (torch.uint8, (n,)),
            "row": (torch.int64, (n,)),
        }
        for layer in layers:
            shapes[f"layer.{layer}"] = (torch.bfloat16, (n, positions, width))
        # In the order of their names, too.
        paths.append(folder / f"{split}-{start:06}.safetensors")
        shown = sum(directions[v][answers[numbers, v]] for v in range(VARIABLES))
        with write_shard(paths[-1], shapes, metadata) as stored:
            stored["input_length"].fill_(positions)
            stored["correct"].fill_(1)
            stored["row"].copy_(numbers)
            for layer in layers:
                for row, state in zip(shown, stored[f"layer.{layer}"], strict=True):
                    state.copy_(torch.randn(positions, width, generator=generator) + strength * row)
    dataset = folder / f"{split}.jsonl"
    write_jsonl(dataset, (problem(row) for row in answers.tolist()))
    return paths, dataset


def problem(answers: Sequence[int]) -> dict[str, Any]:
    """A dataset row whose variables have these values, each as a sum or difference of numbers."""
    names = "abc"[: len(answers)]
    equations = [
        f"{name} = {operand} {'+' if value >= operand else '-'} {abs(value - operand)}"
        for number, (name, value) in enumerate(zip(names, answers, strict=True))
        for operand in [(sum(answers) + 3 * number) % 10]
    ]
    return {
        "source": f"{' , '.join(equations)} ; {names[-1]} =?",
        "intermediate_questions": [f"{name} =" for name in names],
        "intermediate_answers": list(answers),
    }


def probe(folder: str, point: dict[str, int], test_rows: int) -> dict[str, float]:
    """Seconds and peak memory of probing synthetic hidden states that are in the folder."""
    place = Path(folder)
    splits = {
        split: (sorted(place.glob(f"{split}-*.safetensors")), place / f"{split}.jsonl")
        for split in ("probing_train", "test")
    }
    settings = ProbeSettings("lbfgs", "all", 20, FOLDS, LBFGS)
    before, start = peak_memory(), time.perf_counter()
    fit_task(
        splits["probing_train"][0],
        splits["test"][0],
        splits["probing_train"][1],
        splits["test"][1],
        settings,
        {**IDENTITY, "task": "synthetic"},
        place / "rows.jsonl",
        place / "weights.safetensors",
    )
    return {
        **point,
        "test_rows": test_rows,
        "seconds": time.perf_counter() - start,
        "memory": peak_memory(),
        "memory_before": before,
    }


def synthesise(folder: str, point: dict[str, int], test_rows: int) -> None:
    """Write the hidden states that `probe` reads."""
    write_split(Path(folder), "probing_train", point["rows"], point)
    write_split(Path(folder), "test", test_rows, point)


def measured(bench: Bench, point: dict[str, int], test_rows: int) -> dict[str, float]:
    """One point of a curve, its probing in a separate process."""
    with TemporaryDirectory(dir=bench.folder) as folder:
        synthesise(folder, point, test_rows)
        return alone("growth:probe", folder=folder, point=point, test_rows=test_rows)


def curves(bench: Bench) -> dict[str, list[dict[str, float]]]:
    """{what varies: points}."""
    found = {}
    for name, values in CURVES.items():
        base = {key: value // 4 or 1 for key, value in BASE.items()} if bench.tiny else BASE
        chosen = values[:2] if bench.tiny else values
        found[name] = [measured(bench, {**base, name: value}, 200) for value in chosen]
    return found


def growth(bench: Bench, details: dict[str, Any]) -> list[Row]:
    """Curves of time and memory; their exponents."""
    details["growth"] = curves(bench)
    table = []
    for name, points in details["growth"].items():
        exponent = slope(points, name, "seconds")
        first, last = points[0], points[-1]
        table.append(
            Row(
                "growth",
                f"probing {first[name]:,} to {last[name]:,} {name}: time ~ {name}^p, peak memory "
                f"{first['memory'] / 2**20:.0f} to {last['memory'] / 2**20:.0f} MB",
                f"p = {exponent:.2f}, {first['seconds']:.1f} to {last['seconds']:.1f} s",
                "",
                None,
                "linear: p ≤ 1.1",
                exponent <= 1.1,
            )
        )
    return table


def measured_paper_size(bench: Bench, details: dict[str, Any]) -> dict[str, float]:
    """One layer at the paper's size, measured once in a run."""
    if "paper_size" not in details:
        point = {key: value // 50 or 1 for key, value in PAPER.items()} if bench.tiny else PAPER
        details["paper_size"] = measured(bench, point, 40 if bench.tiny else 2000)
    return details["paper_size"]


def paper_size(bench: Bench, details: dict[str, Any]) -> list[Row]:
    """Time and memory of probing one layer at the paper's size."""
    found = measured_paper_size(bench, details)
    gigabytes = found["memory"] / 2**30
    return [
        Row(
            "paper size",
            f"probing one layer: {found['rows']:,} rows, {found['positions']} positions, width "
            f"{found['width']:,}, {VARIABLES} variables, bf16",
            f"{found['seconds']:.0f} s, {gigabytes:.1f} GB",
            "",
            None,
            "≤ 120 s, ≤ 4 GB",
            found["seconds"] <= 120 and gigabytes <= 4,
        )
    ]


def draw(curves: dict[str, list[dict[str, float]]], path: Path) -> None:
    """Time and peak memory of each curve, on logarithmic axes."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(2, len(curves), figsize=(12, 5.5), sharey="row")
    for (above, below), (name, points) in zip(axes.T, curves.items(), strict=True):
        x = [point[name] for point in points]
        taken = [point["seconds"] for point in points]
        above.loglog(x, taken, "o-", base=2, label="measured", color="#1f5a96")
        linear = [taken[0] * value / x[0] for value in x]
        above.loglog(x, linear, ":", base=2, label="linear", color="#888888")
        above.yaxis.set_major_formatter("{x:,g}")
        below.semilogx(
            x, [point["memory"] / 2**20 for point in points], "o-", base=2, color="#1f5a96"
        )
        below.set_ylim(bottom=0)
        below.set_xlabel(name)
        for axis in (above, below):
            axis.set_xticks(x, [f"{value:,}" for value in x], rotation=45)
            axis.minorticks_off()
            axis.grid(alpha=0.3)
        fixed = [f"{key} {points[0][key]:,}" for key in BASE if key != name]
        above.set_title(", ".join(fixed), fontsize=8)
    axes[0, 0].set_ylabel("seconds")
    axes[1, 0].set_ylabel("peak memory, MB")
    axes[0, 0].legend(frameon=False)
    figure.suptitle("What probing costs: time and memory as rows, positions, layers and width grow")
    figure.tight_layout()
    figure.savefig(path, dpi=110)
    plt.close(figure)

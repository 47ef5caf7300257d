"""Reading shards, against a plain `read()`."""

from __future__ import annotations

import shutil
from pathlib import Path

import torch

from bench import Bench
from measure import (
    Row,
    alone,
    in_turn,
    peak_memory,
)
from think_to_talk.files.shards import Shards, write_shard


def shards(bench: Bench) -> list[Row]:
    """One layer of a level of 10,000 rows, against reading the same bytes."""
    rows, n_shards = (400, 2) if bench.tiny else (10_000, 5)
    folder = bench.folder / "shards"
    folder.mkdir(exist_ok=True)
    shape = (rows // n_shards, 75, 128)
    for i in range(n_shards):
        shapes = {f"layer.{layer}": (torch.float32, shape) for layer in (0, 1)}
        with write_shard(folder / f"{i}.safetensors", shapes, {"layers": "[0, 1]"}) as stored:
            for tensor in stored.values():
                tensor.normal_()
    found = alone("reading:read_layer", folder=str(folder), rounds=1 if bench.tiny else 7)
    shutil.rmtree(folder)
    ratio, memory = found["took"] / found["plain"], found["memory"] / found["bytes"]
    return [
        Row(
            "shards",
            f"time to read one layer, {found['bytes'] / 2**20:.0f} MB",
            f"{found['took']:.3f} s",
            f"{found['plain']:.3f} s for a plain read()",
            found["plain"] / found["took"],
            "≤ 1.3 × its time",
            ratio <= 1.3,
        ),
        Row(
            "shards",
            "peak memory of it, in slices asked for",
            f"{memory:.2f}",
            "",
            None,
            "≤ 1.10",
            memory <= 1.1,
        ),
    ]


def read_layer(folder: str, rounds: int) -> dict[str, float]:
    """Median seconds of reading a layer of all shards by ours and plainly; memory of ours."""
    paths = sorted(Path(folder).glob("*.safetensors"))
    opened = Shards.open(paths, {})
    opened.read("layer.1", slice(0, 1))
    before = peak_memory()
    layer = opened.read("layer.1")
    memory = peak_memory() - before
    size = layer.nbytes
    del layer
    each = size // len(paths)

    def plain() -> list[bytes]:
        read = []
        for path in paths:
            with open(path, "rb") as file:
                file.seek(-each, 2)
                read.append(file.read(each))
        return read

    took, other = in_turn(lambda: opened.read("layer.1"), plain, rounds)
    return {"took": took, "plain": other, "memory": memory, "bytes": size}

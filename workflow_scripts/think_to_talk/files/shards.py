"""Safetensors shards: written piece by piece, complete or not at all, and read in slices.

`safetensors.torch.save_file` wants all tensors in memory. A shard of hidden states can be larger
than that, so `write_shard` lays the file out first and hands out tensors that are backed by it.
Reading is the safetensors library's own `safe_open`.
"""

from __future__ import annotations

import json
import mmap
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open

from think_to_talk.errors import REMAKE_HINT, InputError, user_message
from think_to_talk.files.atomic import replacing

FORMAT_VERSION = "1"

#: Read at a time; a file's pages stay mapped, and count as memory, as long as it is open.
_BLOCK_BYTES = 16 * 2**20

#: Names of torch types in a safetensors header.
_DTYPES = {
    torch.float32: "F32",
    torch.bfloat16: "BF16",
    torch.float16: "F16",
    torch.int64: "I64",
    torch.int32: "I32",
    torch.uint8: "U8",
    torch.bool: "BOOL",
}


@contextmanager
def write_shard(
    path: str | Path,
    tensors: Mapping[str, tuple[torch.dtype, tuple[int, ...]]],
    metadata: Mapping[str, str],
) -> Iterator[dict[str, torch.Tensor]]:
    """Tensors of the given types and shapes, zero at first, that are stored at `path`.

    Writing to them writes to the file's pages, which the kernel can evict: memory stays bounded
    whatever the shard's size. The file gets its name when the block ends without an error. As with
    every output, that says that its writer was not interrupted; it does not wait for the disk.
    """
    layout: dict[str, Any] = {}
    size = 0
    for name, (dtype, shape) in tensors.items():
        end = size + prod(shape) * dtype.itemsize
        layout[name] = {"dtype": _DTYPES[dtype], "shape": shape, "data_offsets": [size, end]}
        size = end
    header = {"__metadata__": {"format_version": FORMAT_VERSION, **metadata}, **layout}
    encoded = json.dumps(header).encode()
    encoded += b" " * (-len(encoded) % 8)
    start = 8 + len(encoded)
    with replacing(path) as temporary, open(temporary, "r+b") as file:
        file.write(len(encoded).to_bytes(8, "little") + encoded)
        file.truncate(start + size)
        # Reserved now, so that a full disk is an error here and not a bus error later.
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(file.fileno(), 0, start + size)
        with mmap.mmap(file.fileno(), 0) as pages:
            yield {
                name: _view(pages, dtype, shape, start + layout[name]["data_offsets"][0])
                for name, (dtype, shape) in tensors.items()
            }


def _view(
    pages: mmap.mmap, dtype: torch.dtype, shape: tuple[int, ...], offset: int
) -> torch.Tensor:
    if prod(shape) == 0:
        return torch.empty(shape, dtype=dtype)
    return torch.frombuffer(pages, dtype=dtype, count=prod(shape), offset=offset).view(shape)


@dataclass(frozen=True)
class Shards:
    """Shards of one task and split, read as if their rows were one tensor."""

    paths: tuple[Path, ...]
    metadata: dict[str, str]

    @classmethod
    def open(cls, paths: Iterable[str | Path], expected: Mapping[str, str]) -> Shards:
        """Check the shards' headers; `expected` metadata (model, task ...) must be there.

        Raises InputError naming the file, what was found, what was expected and what to do.
        """
        files = tuple(map(Path, paths))
        metadata: dict[str, str] = {}
        wanted = {"format_version": FORMAT_VERSION, **expected}
        for path in files:
            with _open(path) as shard:
                metadata = shard.metadata() or {}
            for key, value in wanted.items():
                if metadata.get(key) != value:
                    raise InputError(
                        f"{path}: {key} is {metadata.get(key)!r}, expected {value!r}: {REMAKE_HINT}"
                    )
        return cls(files, metadata)

    def read(self, name: str, positions: slice | None = None) -> torch.Tensor:
        """The tensor `name` of all rows, or its slice of `positions` (the second axis).

        Takes the memory of the result, and of one block. Raises InputError if a shard lacks it, or
        if shards disagree.
        """
        n_rows, kinds = [], set()
        for path in self.paths:
            with _open(path) as shard:
                _check_stored(shard, name, path)
                n_rows.append(shard.get_slice(name).get_shape()[0])
                row = _slice(shard, name, slice(0, 0), positions)
                kinds.add((row.dtype, row.shape[1:]))
        if len(kinds) > 1:
            found = " and ".join(sorted(f"{list(shape)} of {dtype}" for dtype, shape in kinds))
            raise InputError(
                f"{self.paths[0].parent}: rows of {name} are {found}, expected one kind: "
                "delete the folder and run again; it will be regenerated"
            )
        dtype, shape = kinds.pop()
        result = torch.empty((sum(n_rows), *shape), dtype=dtype)
        block = max(1, _BLOCK_BYTES // max(1, prod(shape) * dtype.itemsize))
        parts = result.split(n_rows)
        for path, part in zip(self.paths, parts, strict=True):
            for start in range(0, len(part), block):
                # Opened anew for each block, so that the pages that were read are given back.
                with _open(path) as shard:
                    rows = slice(start, min(start + block, len(part)))
                    part[rows] = _slice(shard, name, rows, positions)
        return result

    @property
    def layers(self) -> list[int]:
        """The saved layers (0 is the embedding output)."""
        return json.loads(self.metadata["layers"])


def _check_stored(shard: safe_open, name: str, path: Path) -> None:
    stored = sorted(shard.keys())
    if name not in stored:
        raise InputError(f"{path}: no tensor {name!r}, but {', '.join(stored)}: {REMAKE_HINT}")


def _slice(shard: safe_open, name: str, rows: slice, positions: slice | None) -> torch.Tensor:
    stored = shard.get_slice(name)
    return stored[rows] if positions is None else stored[rows, positions]


def _open(path: Path) -> safe_open:
    try:
        return safe_open(path, "pt")
    except (SafetensorError, OSError) as error:
        why = user_message(error) or f"not a readable safetensors file ({error}): {REMAKE_HINT}"
        raise InputError(f"{path}: {why}") from None

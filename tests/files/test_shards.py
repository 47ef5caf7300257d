"""Shards: real safetensors files that appear complete or not at all and are read in slices."""

import json
import subprocess
import sys

import pytest
import torch
from safetensors import safe_open

from think_to_talk.errors import InputError
from think_to_talk.files import shards
from think_to_talk.files.shards import Shards, write_shard

CONTENT = {
    "layer.0": torch.arange(24, dtype=torch.float32).view(2, 3, 4),
    "layer.2": torch.arange(24).view(2, 3, 4).to(torch.bfloat16),
    "row": torch.tensor([5, 6]),
    "none": torch.zeros(0, dtype=torch.int32),
}


def write(path, content=CONTENT, **metadata):
    shapes = {name: (tensor.dtype, tuple(tensor.shape)) for name, tensor in content.items()}
    with write_shard(path, shapes, {"layers": "[0, 2]", **metadata}) as stored:
        for name, tensor in content.items():
            stored[name].copy_(tensor)


def test_the_library_reads_what_is_written(tmp_path):
    write(tmp_path / "a.safetensors", model="tiny")
    with safe_open(tmp_path / "a.safetensors", "pt") as shard:
        assert set(shard.keys()) == set(CONTENT)
        for name, tensor in CONTENT.items():
            assert torch.equal(shard.get_tensor(name), tensor)
            assert shard.get_tensor(name).dtype == tensor.dtype
        assert shard.metadata() == {"format_version": "1", "layers": "[0, 2]", "model": "tiny"}


def test_shards_are_read_as_if_they_were_one(tmp_path):
    paths = [tmp_path / "a.safetensors", tmp_path / "b.safetensors"]
    for path in paths:
        write(path)
    shards = Shards.open(paths, {})
    assert shards.layers == [0, 2]
    both = torch.cat([CONTENT["layer.0"]] * 2)
    assert torch.equal(shards.read("layer.0"), both)
    assert torch.equal(shards.read("layer.0", slice(1, 3)), both[:, 1:3])


def fail_while_writing(path):
    with write_shard(path, {"x": (torch.float32, (2,))}, {}) as stored:
        stored["x"][0] = 1.0
        raise RuntimeError


def test_nothing_is_left_when_writing_fails(tmp_path):
    with pytest.raises(RuntimeError):
        fail_while_writing(tmp_path / "a")
    assert list(tmp_path.iterdir()) == []


def test_an_existing_shard_survives_a_failure(tmp_path):
    write(tmp_path / "a")
    before = (tmp_path / "a").read_bytes()
    with pytest.raises(RuntimeError):
        fail_while_writing(tmp_path / "a")
    assert (tmp_path / "a").read_bytes() == before


@pytest.mark.parametrize("damage", ["cut", "garbage", "missing"])
def test_a_damaged_shard_is_named(tmp_path, damage):
    path = tmp_path / "a.safetensors"
    write(path)
    content = path.read_bytes()
    if damage == "missing":
        path.unlink()
    else:
        path.write_bytes(content[: len(content) // 2] if damage == "cut" else b"x" * 100)
    with pytest.raises(InputError, match=r"a\.safetensors: not a readable .* run again"):
        Shards.open([path], {})


def test_a_shard_of_another_model_or_format_is_refused(tmp_path):
    path = tmp_path / "a.safetensors"
    write(path, model="tiny")
    Shards.open([path], {"model": "tiny"})
    with pytest.raises(InputError, match="model is 'tiny', expected 'other'"):
        Shards.open([path], {"model": "other"})
    write(path, format_version="0")
    with pytest.raises(InputError, match="format_version is '0', expected '1'"):
        Shards.open([path], {})


def test_a_shard_that_lacks_a_tensor_is_named(tmp_path):
    write(tmp_path / "a.safetensors")
    with pytest.raises(InputError, match=r"a\.safetensors: no tensor 'layer\.9', but layer\.0, .*"):
        Shards.open([tmp_path / "a.safetensors"], {}).read("layer.9")


def test_memory_stays_bounded_whatever_the_number_of_rows(tmp_path):
    """512 MB are written a row at a time; memory that the kernel cannot take back stays small."""
    program = f"""
import sys; sys.path.insert(0, "workflow_scripts")
import torch
from think_to_talk.files.shards import Shards, write_shard
def private():
    status = open("/proc/self/status").read().split()
    return int(status[status.index("RssAnon:") + 1])
rows = 1000
before = private()
with write_shard({str(tmp_path / "big")!r}, {{"x": (torch.float32, (rows, 128, 1024))}}, {{}}) as s:
    for row in range(rows):
        s["x"][row] = row
    print(private() - before)
    del s
shard = Shards.open([{str(tmp_path / "big")!r}], {{}})
part = shard.read("x", slice(0, 2))
assert part.shape == (rows, 2, 1024) and (part[:, 0, 0] == torch.arange(rows)).all()
print(private() - before)
"""
    output = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    ).stdout
    written, read = json.loads(f"[{output.strip().replace(chr(10), ',')}]")
    assert written < 20_000, "kB while writing"
    assert read < 40_000, "kB after reading a slice of 8 MB"


def test_shards_of_two_kinds_are_not_mixed(tmp_path):
    paths = [tmp_path / "a.safetensors", tmp_path / "b.safetensors"]
    write(paths[0])
    write(paths[1], {"layer.0": CONTENT["layer.0"].to(torch.bfloat16)})
    with pytest.raises(InputError, match=r"rows of layer.0 are \[3, 4\] of torch.bfloat16 and"):
        Shards.open(paths, {}).read("layer.0")


def test_shards_are_read_in_blocks(tmp_path, monkeypatch):
    """A file's pages are given back after each block: here, of one row."""
    monkeypatch.setattr(shards, "_BLOCK_BYTES", 16)
    write(tmp_path / "a.safetensors")
    read = Shards.open([tmp_path / "a.safetensors"], {})
    for name in CONTENT:
        assert torch.equal(read.read(name), CONTENT[name])

"""Splits of hidden states as the stage before the probes writes them."""

import json

import torch

from think_to_talk.files.jsonl import write_jsonl
from think_to_talk.files.shards import write_shard
from think_to_talk.tokens.layout import Layout

LAYOUT = Layout(
    tuple("A=#;A=?A=#⏎"), (*range(5), 6, 7, 8, 8, 9, 10), (*[True] * 7, False, *[True] * 3), 6
)
N_POSITIONS = 11
TOKENS = "a=1;a=?_a=1"
IDENTITY = {"model": "m", "seed": "1", "task": "t"}
LBFGS = {"penalty": 1e-3, "tolerance": 1e-3, "max_iterations": 500}


def write_split(
    folder,
    split,
    rows,
    states,
    *,
    length=None,
    correct=None,
    shards=2,
    last_layer="before_norm",
):
    """Shards and dataset of a split; their paths.

    states: {layer: hidden states [rows, positions, hidden]}. length: [rows] positions of each row.
    correct: [rows] whether the chain is. last_layer: what is stored of it.
    """
    n, n_positions = next(iter(states.values())).shape[:2]
    length = torch.full((n,), n_positions) if length is None else length
    correct = torch.ones(n, dtype=torch.uint8) if correct is None else correct
    metadata = {**IDENTITY, "split": split, "layers": json.dumps(list(states))}
    metadata |= {
        "last_layer": last_layer,
        "layout": LAYOUT.dumps(),
        "tokens": json.dumps(list(TOKENS)),
    }
    paths = []
    for shard, chosen in enumerate(torch.arange(n).chunk(shards)):
        content = {
            "input_length": length[chosen].int(),
            "correct": correct[chosen],
            "row": chosen,
            **{f"layer.{layer}": state[chosen] for layer, state in states.items()},
        }
        paths.append(folder / f"{split}-{shard}.safetensors")
        shapes = {name: (t.dtype, tuple(t.shape)) for name, t in content.items()}
        with write_shard(paths[-1], shapes, metadata) as stored:
            for name, tensor in content.items():
                stored[name].copy_(tensor)
    dataset = folder / f"{split}.jsonl"
    write_jsonl(dataset, rows)
    return paths, dataset

"""Hidden-state shards: a model's hidden states and generations for the rows of a token shard."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from think_to_talk.generation import Decoded, VerifiedDecoder
from think_to_talk.jsonl import write_jsonl
from think_to_talk.progress import progress
from think_to_talk.shards import write_shard

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from think_to_talk.tokens import TokenShard


def write_hidden_states(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    tokens: TokenShard,
    dataset: Sequence[Mapping[str, Any]],
    *,
    layers: Sequence[int],
    max_new_tokens: int,
    batch_size: int,
    cot: str,
    identity: Mapping[str, str],
    hidden_path: str | Path,
    generations_path: str | Path,
) -> None:
    """Decode the rows of a token shard; write their hidden states and what was generated.

    dataset: all rows of the split, which the shard's row numbers index. cot: `generated` for
    greedy decoding, `gold` for the gold chain of thought, teacher-forced. identity: metadata
    (model, revision, seed, task, split).

    The shard holds for each saved layer `layer.{l}` [rows, positions, hidden] in the model's
    dtype, `input_ids` [rows, positions] (-1 after a row's end), `input_length` [rows], `correct`
    [rows] and `row` [rows]. Positions are those of problem and gold chain.
    """
    n_rows, n_problem = tokens.problem.shape
    n_positions = tokens.layout.n_positions
    hidden_size = model.config.get_text_config().hidden_size
    shapes: dict[str, tuple[torch.dtype, tuple[int, ...]]] = {
        "input_ids": (torch.int32, (n_rows, n_positions)),
        "input_length": (torch.int32, (n_rows,)),
        "correct": (torch.uint8, (n_rows,)),
        "row": (torch.int64, (n_rows,)),
    }
    for layer in layers:
        shapes[f"layer.{layer}"] = (model.dtype, (n_rows, n_positions, hidden_size))
    metadata = {
        **identity,
        "layers": json.dumps(list(layers)),
        "layout": tokens.layout.dumps(),
        "tokens": json.dumps(tokens.tokens),
    }
    decoder = VerifiedDecoder(
        model, layers, tokens.stop_ids, tokens.prefix, max_new_tokens, batch_size
    )
    generations: dict[int, dict[str, Any]] = {}
    description = (
        f"decoding {identity['model']}, seed {identity['seed']}, {identity['task']} "
        f"{identity['split']} {Path(hidden_path).stem}"
    )
    with (
        write_shard(hidden_path, shapes, metadata) as stored,
        progress(n_rows, description, "rows") as bar,
    ):
        stored["row"].copy_(tokens.row)
        stored["input_ids"][:, :n_problem] = tokens.problem
        finished = decoder.decode(tokens.problem, tokens.gold, teacher_forced=cot == "gold")
        for batch in finished:
            texts = tokenizer.batch_decode(batch.generated, skip_special_tokens=True)
            for row, ids, exact, text in zip(
                batch.rows, batch.generated, batch.exact, texts, strict=True
            ):
                number = int(tokens.row[row])
                example = dataset[number]
                # A gold chain is shown to the model whole: whether it would have written it is
                # what its predictions say.
                correct = exact if cot == "gold" else is_correct(text, example)
                generations[row] = {
                    "row": number,
                    "source": example["source"],
                    "generation": text.split("\n")[0].strip(),
                    "scratchpad": example["scratchpad"],
                    "correct": correct,
                    "ended": ids[-1] in tokens.stop_ids,
                    "n_tokens": len(ids),
                }
                stored["correct"][row] = correct
            _store_batch(stored, batch, n_problem)
            bar.update(len(batch.rows))
    write_jsonl(generations_path, (generations[row] for row in range(n_rows)))


def is_correct(generation: str, example: Mapping[str, Any]) -> bool:
    """Whether a generation, up to its newline, is the gold scratchpad, spaces ignored."""
    written = generation.split("\n")[0].replace(" ", "")
    return written == example["scratchpad"].replace(" ", "")


def _store_batch(stored: Mapping[str, torch.Tensor], batch: Decoded, n_problem: int) -> None:
    """Store ids, lengths and hidden states; a generation is cut at the shard's last position."""
    n_chain = stored["input_ids"].shape[1] - n_problem
    shown = [ids[:n_chain] for ids in batch.generated]
    lengths = torch.tensor([n_problem + len(ids) for ids in shown])
    padded = torch.tensor([ids + [-1] * (n_chain - len(ids)) for ids in shown])
    for rows, places in _runs(batch.rows):
        stored["input_ids"][rows, n_problem:] = padded[places]
        stored["input_length"][rows] = lengths[places]
        for layer, states in batch.hidden.items():
            stored[f"layer.{layer}"][rows] = states[places]


def _runs(rows: Sequence[int]) -> Iterator[tuple[slice, slice]]:
    """Runs of consecutive row numbers, and where in the list they are.

    Slices are copied several times faster than rows by number.
    """
    for _, run in groupby(enumerate(rows), lambda item: item[1] - item[0]):
        first, *rest = run
        (place, row), n = first, 1 + len(rest)
        yield slice(row, row + n), slice(place, place + n)

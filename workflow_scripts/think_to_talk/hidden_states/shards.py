"""Hidden-state shards: a model's hidden states and generations for the rows of a token shard.

A token shard (`tokens/shards.py`) is decoded by `hidden_states/decoding.py` and stored here;
`probes/fitting.py` reads the shards. Correctness is an exact match of the chain of thought, as in
the paper (Kudo et al., arXiv:2412.01113). A correct chain in other tokens than the gold chain's has
its hidden states at other positions: it counts for the model's accuracy, but not for probes.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from think_to_talk.errors import InputError
from think_to_talk.files.jsonl import write_jsonl
from think_to_talk.files.shards import write_shard
from think_to_talk.formulas.answer_patterns import read_answer
from think_to_talk.formulas.rows import is_correct
from think_to_talk.hidden_states.decoding import Decoded, VerifiedDecoder
from think_to_talk.hidden_states.facts import ModelFacts
from think_to_talk.hidden_states.finite import check_finite
from think_to_talk.hidden_states.passes import Passes
from think_to_talk.hidden_states.ragged import SymbolStates, decode_by_length
from think_to_talk.progress import progress
from think_to_talk.tokens.generations import is_aligned, textless_stops, written_texts
from think_to_talk.tokens.spans import span_texts

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from think_to_talk.tokens.shards import TokenShard


def write_hidden_states(
    model: PreTrainedModel,
    facts: ModelFacts,
    tokenizer: PreTrainedTokenizerBase,
    tokens: TokenShard,
    dataset: Sequence[Mapping[str, Any]],
    *,
    layers: Sequence[int],
    last_layer: str = "before_norm",
    max_new_tokens: int,
    batch_size: int,
    cot: str,
    stored_dtype: str | None = None,
    identity: Mapping[str, str],
    hidden_path: str | Path,
    generations_path: str | Path,
) -> None:
    """Decode the rows of a token shard; write their hidden states and generations.

    facts: how the model may be run.
    tokens: the token shard.
    dataset: all rows of the split, which the shard's row numbers index.
    layers: the layers that are stored.
    last_layer: of the last layer, the state `before_norm` or `after_norm`, as of `Passes`.
    max_new_tokens: the length at which a generation is cut.
    batch_size: rows at a time.
    cot: `generated` for greedy decoding, `gold` for the gold chain of thought, teacher-forced.
    stored_dtype: number format to which hidden states are rounded; None for the model's own.
    identity: metadata (model, revision, seed, task, split).
    hidden_path: the shard that is written.
    generations_path: JSON Lines file of the generations (schemas/generation_row.schema.yaml).

    The shard holds for each saved layer `layer.{l}` [rows, positions, hidden], `input_ids` [rows,
    positions] (-1 after a row's end), `input_length` [rows], `correct` [rows] (whether the
    generation is correct and aligned with the gold chain) and `row` [rows]. Positions are those of
    problem and gold chain: tokens, or symbols where rows do not tokenize alike.
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
    dtype = getattr(torch, stored_dtype) if stored_dtype else model.dtype
    for layer in layers:
        shapes[f"layer.{layer}"] = (dtype, (n_rows, n_positions, hidden_size))
    metadata = {
        **identity,
        "layers": json.dumps(list(layers)),
        "last_layer": last_layer,
        "layout": tokens.layout.dumps(),
        "tokens": json.dumps(tokens.tokens),
    }
    if tokens.ragged is not None:
        metadata["positions"] = "symbols"
    passes = Passes(model, facts, tokens.prefix, batch_size, last_layer)
    decoder = VerifiedDecoder(passes, layers, tokens.stop_ids, max_new_tokens)
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
        endings = textless_stops(tokenizer, tokens.stop_ids)
        given = cot == "gold"
        symbols = None
        if tokens.ragged is None:
            stored["input_ids"][:, :n_problem] = tokens.problem
            finished = decoder.decode(
                tokens.problem, tokens.gold, teacher_forced=given, endings=endings
            )
        else:
            symbols = SymbolStates(tokenizer, tokens, tokens.ragged)
            finished = decode_by_length(
                decoder, tokens, tokens.ragged, teacher_forced=given, endings=endings
            )
        for batch in finished:
            try:
                check_finite(batch.hidden)
            except InputError as error:
                raise InputError(f"models.{identity['model']}: {error}") from None
            alone = dict(symbols.store(stored, batch)) if symbols else {}
            texts = written_texts(tokenizer, batch.generated, tokens.stop_ids)
            for row, ids, exact, text in zip(
                batch.rows, batch.generated, batch.exact, texts, strict=True
            ):
                number = int(tokens.row[row])
                example = dataset[number]
                # A gold chain is given to the model whole: it counts as correct if the model
                # predicts each of its tokens.
                correct = exact if cot == "gold" else is_correct(text, example)
                aligned = correct and (
                    exact
                    or (
                        alone[row]
                        if symbols
                        else is_aligned(tokenizer, ids, tokens.gold[row].tolist())
                    )
                )
                generations[row] = {
                    "row": number,
                    "source": example["source"],
                    "generation": text,
                    "scratchpad": example["scratchpad"],
                    "correct": correct,
                    "aligned": aligned,
                    "ended": ids[-1] in tokens.stop_ids,
                    "n_tokens": len(ids),
                    **_of_free_text(None if given else text, example, stored["input_length"][row]),
                }
                stored["correct"][row] = aligned
            if symbols is None:
                _store_batch(stored, batch, n_problem)
            bar.update(len(batch.rows))
    write_jsonl(generations_path, (generations[row] for row in range(n_rows)))
    _warn_of_misaligned(generations.values(), generations_path)


def _of_free_text(
    text: str | None, example: Mapping[str, Any], n_spans: torch.Tensor
) -> dict[str, Any]:
    """What generations of free text have beside: the final answer, and the spans as they are.

    text: that the model wrote; None if it was given the gold chain.
    n_spans: [] those that have hidden states.
    """
    if "spans" not in example:
        return {}
    pattern = example.get("answer_pattern")
    unread = pattern is None or text is None
    return {
        "final_answer": None if unread else read_answer(str(text), str(pattern)),
        "spans": span_texts(example)[: int(n_spans)],
    }


def _warn_of_misaligned(generations: Iterable[Mapping[str, Any]], path: str | Path) -> None:
    """Say how many correct generations are left out of the rows that probes count as correct."""
    correct = [row for row in generations if row["correct"]]
    misaligned = sum(not row["aligned"] for row in correct)
    if misaligned and "final_answer" in correct[0]:
        warnings.warn(
            f"{path}: {misaligned} of {len(correct)} generations with the right answer are other "
            "chains than the gold one: probes do not count them as correct (aligned: false)",
            stacklevel=3,
        )
    elif misaligned:
        warnings.warn(
            f"{path}: {misaligned} of {len(correct)} correct generations are written in other "
            "tokens than the gold chain, so their hidden states stand at other positions: probes "
            "do not count them as correct (aligned: false)",
            stacklevel=3,
        )


def _store_batch(stored: Mapping[str, torch.Tensor], batch: Decoded, n_problem: int) -> None:
    """Store ids, lengths and hidden states; a generation is cut at the shard's last position."""
    n_chain = stored["input_ids"].shape[1] - n_problem
    stored_ids = [ids[:n_chain] for ids in batch.generated]
    lengths = torch.tensor([n_problem + len(ids) for ids in stored_ids])
    padded = torch.tensor([ids + [-1] * (n_chain - len(ids)) for ids in stored_ids])
    for rows, places in _consecutive(batch.rows):
        stored["input_ids"][rows, n_problem:] = padded[places]
        stored["input_length"][rows] = lengths[places]
        for layer, states in batch.hidden.items():
            stored[f"layer.{layer}"][rows] = states[places]


def _consecutive(rows: Sequence[int]) -> Iterator[tuple[slice, slice]]:
    """Slices of consecutive row numbers, each with its slice of the list.

    Copying a slice is several times faster than copying rows by number.
    """
    for _, run in groupby(enumerate(rows), lambda item: item[1] - item[0]):
        first, *rest = run
        (place, row), n = first, 1 + len(rest)
        yield slice(row, row + n), slice(place, place + n)

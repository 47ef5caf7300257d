"""The logit lens on a task: which number the model's own head reads at each layer and position.

The rows are those of `probes.fitting`, of the same test rows; but nothing is trained, so accuracy
cannot come from memorised values. A head reads one token: numbers of several tokens are read, and
scored, by their first one (`tokens.number_beginnings`). The logits come from `logit_lens.head`;
`figures` and `timing` read the rows as they read those of probes.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from think_to_talk.errors import located
from think_to_talk.files.shards import Shards
from think_to_talk.formulas.symbols import N_CLASSES
from think_to_talk.hidden_states.facts import ModelFacts
from think_to_talk.logit_lens.head import Head
from think_to_talk.probes.accuracy import NO_PREDICTION, chance, describe, scored
from think_to_talk.probes.splits import Split
from think_to_talk.progress import progress
from think_to_talk.tokens.number_beginnings import NumberBeginnings

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

#: Bytes of hidden states, about, up to which positions are read together.
_CHUNK_BYTES = 64 * 2**20


def lens_rows(
    model: PreTrainedModel,
    facts: ModelFacts,
    tokenizer: PreTrainedTokenizerBase,
    hidden_paths: Sequence[str | Path],
    token_paths: Sequence[str | Path],
    dataset: str | Path,
    *,
    batch_size: int,
    n_classes: int = N_CLASSES,
    identity: Mapping[str, Any],
) -> list[dict[str, Any]]:
    """A row per saved layer, position and variable (schemas/logit_lens_row.schema.yaml).

    A last layer that was saved after the final norm is given to the head alone.

    model: the causal language model that the hidden states are of.
    facts: how it may be run.
    tokenizer: the model's.
    hidden_paths, token_paths: hidden-state and token shards of the split test.
    dataset: of that split, with the labels.
    batch_size: rows at a time.
    n_classes: values of the task's variables, from 0 on.
    identity: model, seed and task, as in the rows of tables.
    Raises InputError if shards and dataset do not fit together, UnreadError if numbers have no
    tokens of their own, or the lens cannot be applied to the model.
    """
    expected = {**{key: str(value) for key, value in identity.items()}, "split": "test"}
    test = Split.open(hidden_paths, dataset, expected, only_correct=False, labels="answers")
    layers, last = test.shards.layers, model.config.get_text_config().num_hidden_layers
    stored = dict.fromkeys(layers, "before_norm")
    if last in stored:
        stored[last] = test.shards.metadata["last_layer"]
    tokens = Shards.open(token_paths, expected)
    texts = json.loads(test.shards.metadata["tokens"])
    numbers = NumberBeginnings.of(tokenizer, tokens, test.layout, test.problems, texts, n_classes)
    with located(f"models.{identity['model']}"):
        heads = {kind: Head(model, facts, batch_size, kind) for kind in set(stored.values())}
    numbers.warn_of_missing(identity["task"], set(test.labels.flatten().tolist()))
    n_positions = test.layout.n_positions
    row_bytes = len(test.rows) * test.hidden_size * model.dtype.itemsize
    # Not more logits than decoding has had room for: those of the chain, and of the token before.
    chunk = min(max(1, _CHUNK_BYTES // row_bytes), n_positions - test.layout.n_problem + 1)
    sample_ids = test.rows.tolist()
    description = f"logit lens of {identity['model']}, seed {identity['seed']}, {identity['task']}"
    rows = []
    with progress(len(layers) * n_positions, description, "positions") as bar:
        for layer in layers:
            for start in range(0, n_positions, chunk):
                positions = range(start, min(start + chunk, n_positions))
                for position, read in _read(heads[stored[layer]], numbers, test, layer, positions):
                    rows.append(
                        {
                            **identity,
                            "layer": layer,
                            **describe(test, position),
                            **read,
                            **({} if numbers.are_whole else {"reads": "first token"}),
                            "n_test": len(test.rows),
                            "sample_ids": sample_ids,
                        }
                    )
                bar.update(len(positions))
    return rows


def _read(
    head: Head, numbers: NumberBeginnings, test: Split, layer: int, positions: range
) -> Iterator[tuple[int, dict[str, Any]]]:
    """(position, what is read there of a variable) for some positions of a layer."""
    states = test.shards.read(f"layer.{layer}", slice(positions.start, positions.stop))
    log_probabilities = head.read(states, numbers.first.log_probabilities).transpose(0, 1)
    # Sums of rounded shares may exceed one.
    mass = log_probabilities.exp().sum(dim=-1).clamp(max=1)
    predictions = log_probabilities.argmax(dim=-1)
    reached = test.reaches(positions)
    predictions[~reached] = NO_PREDICTION
    labels = torch.tensor(numbers.stands_for)[test.labels]
    for i, position in enumerate(positions):
        here = mass[i][reached[i]]
        for variable, answers in enumerate(labels):
            yield (
                position,
                {
                    "intermediate_answer": variable,
                    "variable": variable,
                    **scored(predictions[i], answers),
                    "chance": chance(answers),
                    "digit_mass": here.mean().item() if len(here) else None,
                    "answer": answers.tolist(),
                },
            )

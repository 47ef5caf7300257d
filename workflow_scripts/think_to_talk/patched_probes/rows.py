"""Rates of probes on patched runs: how often a probe says the source's value after a patch.

Pairs of problems come from `formulas/counterfactuals.py`, predictions from `patched_probes.runs`;
`timing.patched` sums the rows up for the table and the figure.

Method: hidden states of one problem's run replace those of the other's, as in activation patching
(`interventions.patching`); then the task's own probes are applied to the patched run. Where a value
can be read in both unpatched runs, and reads as the source's after the patch at states that were
not replaced themselves, what is readable there is computed from what was replaced. Where it stays
the target's, it comes from elsewhere. Counted are the pairs whose chains the model writes correctly
in both unpatched runs (each teacher-forced on its own gold chain) and in whose two problems the
variable has different values.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import torch

from think_to_talk.errors import InputError, located
from think_to_talk.formulas.rows import base_row
from think_to_talk.hidden_states.facts import ModelFacts
from think_to_talk.hidden_states.passes import Passes
from think_to_talk.intervals import share
from think_to_talk.interventions.specs import Spec, directed, from_config
from think_to_talk.interventions.tokenized_pairs import RUNS, PairAxis, Rows, kept_numbers
from think_to_talk.patched_probes.runs import PatchedReader, Readings
from think_to_talk.probes.stored import StoredProbes
from think_to_talk.progress import progress
from think_to_talk.tokens.chat import Chat
from think_to_talk.tokens.layout import Layout
from think_to_talk.tokens.task_positions import TaskPositions

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

#: Of the keys of a place, what pairs of problems have in common with the problems of a task. A
#: symbol is `+` in place of `±` where all pairs have that operator.
_SAME = ("relative_position", "equation", "symbol_index")


def patched_probe_rows(
    model: PreTrainedModel,
    facts: ModelFacts,
    tokenizer: PreTrainedTokenizerBase,
    edits: Mapping[str, Rows],
    probes: StoredProbes,
    specs: Mapping[str, Mapping[str, Any]],
    *,
    shots: int | str,
    bos: str = "tokenizer",
    chat: Chat | None = None,
    positions: TaskPositions | None = None,
    last_layer: str = "before_norm",
    batch_size: int,
    identity: Mapping[str, Any],
) -> Iterator[dict[str, Any]]:
    """A row per edit, spec, layer, position and variable (schemas/patched_probe_row.schema.yaml).

    There are no rows of positions before the first patched one, of probes that were not fitted, and
    of variables without a pair to count.

    facts: how the model may be run.
    edits: {name: pair rows}.
    probes: of the task.
    specs: the config's, beside the directed ones: {name: entry}.
    shots, bos, chat: as of `tokens.prompts.tokenize`.
    positions: of the task; None for those that the pairs share.
    last_layer: the state of the last layer that probes read, as of `Passes`.
    batch_size: pairs at a time.
    identity: model, seed and task.
    Raises InputError if the positions are not those of the probes.
    """
    n_layers = model.config.get_text_config().num_hidden_layers
    description = "probes on patched runs of {model}, seed {seed}, {task}".format(**identity)
    axis = PairAxis.of(tokenizer, edits.values(), shots, bos, chat, positions)
    with located(f"tasks.{identity['task']}.edits"):
        _check_layout(probes, axis.layout)
    with progress(sum(map(len, edits.values())), description, "pairs") as bar:
        for edit, pairs in edits.items():
            groups = axis.groups(pairs)
            numbers = kept_numbers(groups, range(len(pairs)), f"{description}, edit {edit}")
            bar.update(len(pairs) - len(numbers))
            if not groups:
                continue
            tried = [
                spec
                for spec in (
                    *directed(axis.layout, n_layers, axis.number_tokens),
                    *from_config(specs, axis.layout, n_layers, axis.number_tokens),
                )
                # A short chain has no earlier part.
                if spec.positions
            ]
            passes = Passes(model, facts, groups[0].prefix, batch_size, last_layer)
            reader = PatchedReader(passes, probes)
            batches = []
            for batch in (batch for group in groups for batch in reader.readings(group, tried)):
                batches.append(batch)
                bar.update(len(batch.solved))
            readings = Readings.joined(batches)
            if not readings.solved.any():
                warnings.warn(
                    "{model} on {task} (seed {seed})".format(**identity)
                    + f", edit {edit}: of no pair the model writes both chains; it has no rows",
                    stacklevel=2,
                )
            read = [pairs[place] for group in groups for place in group.kept]
            for row in rows_of_edit(read, tried, probes, readings):
                yield {**identity, "edit": edit, **row}


def _check_layout(probes: StoredProbes, layout: Layout) -> None:
    """Raise InputError if a layout does not have the positions of the probes."""
    found = [layout.place(position) for position in range(layout.n_positions)]
    if _compared(found) != _compared(probes.places):
        raise InputError(
            f"problems and chains of pairs have {len(found)} positions, those that the probes read "
            f"{len(probes.places)}, or other symbols end at them; expected the same: give the "
            "positions of the probes' task"
        )


def _compared(places: Sequence[Mapping[str, Any]]) -> list[list[Any]]:
    return [[place[key] for key in _SAME] for place in places]


def rows_of_edit(
    pairs: Rows, specs: Sequence[Spec], probes: StoredProbes, readings: Readings
) -> Iterator[dict[str, Any]]:
    """Rows of one edit, without its name.

    specs: those of the readings.
    readings: of the pairs.
    """
    values = dict(zip(RUNS, (_values(map(base_row, pairs)), _values(pairs)), strict=True))
    counted = (values["base"] != values["edited"]) & readings.solved
    numbers, fitted = counted.sum(dim=1).tolist(), probes.fitted.tolist()
    right = {run: _hits(readings.unpatched[run], values[run], counted).tolist() for run in RUNS}
    for spec, patched in zip(specs, readings.patched, strict=True):
        first = min(spec.positions)
        moved, kept = (
            _hits(patched, values[run], counted).tolist() for run in (spec.source, spec.target)
        )
        for i, layer in enumerate(probes.layers):
            for j, position in enumerate(range(first, len(probes.places))):
                for variable, n in enumerate(numbers):
                    if not n or not fitted[i][position][variable]:
                        continue
                    is_moved, is_kept = moved[i][j][variable], kept[i][j][variable]
                    yield {
                        "kind": spec.kind,
                        "spec": spec.name,
                        "source": spec.source,
                        "layer": layer,
                        "position": position,
                        **probes.places[position],
                        "variable": variable,
                        "patched": layer in spec.layers and position in spec.positions,
                        "n": n,
                        **share("moved", is_moved, n),
                        "kept": is_kept / n,
                        "other": (n - is_moved - is_kept) / n,
                        **{
                            f"{name}_accuracy": right[run][i][position][variable] / n
                            for name, run in (("source", spec.source), ("target", spec.target))
                        },
                    }


def _values(rows: Iterator[Mapping[str, Any]] | Rows) -> torch.Tensor:
    """The values [variables, rows] of each problem's variables."""
    return torch.tensor([row["intermediate_answers"] for row in rows]).T


def _hits(predictions: torch.Tensor, values: torch.Tensor, counted: torch.Tensor) -> torch.Tensor:
    """Counted pairs in which probes say these values [layers, positions, variables].

    predictions: [layers, positions, variables, pairs].
    values, counted: [variables, pairs].
    """
    return ((predictions == values) & counted).sum(dim=-1)

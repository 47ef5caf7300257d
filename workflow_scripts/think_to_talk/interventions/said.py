"""What the runs of a task's pairs say in place of answers: tokens, or whole numbers.

Where each answer is a token, one pass reads all answers of a run (`interventions.patched_runs`),
else numbers are read as wholes (`interventions.whole_numbers`). Either way `interventions.patching`
compares codes: ids of tokens, or codes of numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import torch

from think_to_talk.hidden_states.passes import Passes
from think_to_talk.interventions.patched_runs import Answers, Outputs, Patcher
from think_to_talk.interventions.specs import Spec
from think_to_talk.interventions.tokenized_pairs import RUNS, PairAxis, Reading, TokenizedPairs
from think_to_talk.interventions.whole_numbers import CACHES, Number, NumberPatcher, Numbers
from think_to_talk.tokens.further_digits import further_digits

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from think_to_talk.hidden_states.facts import ModelFacts


@dataclass(frozen=True)
class Said:
    """What the runs of pairs say, as codes.

    gold: {run: [pairs, places]} what is right, in each place of the chain that is read.
    outputs: what is said.
    texts: {code: it as text}.
    """

    gold: dict[str, torch.Tensor]
    outputs: Outputs
    texts: dict[int, str]


#: Specs with positions in tokens, and of each {forced: what is read there}.
_InTokens = tuple[list[Spec], list[dict[int, Reading]]]


def said(
    model: PreTrainedModel,
    facts: ModelFacts,
    axis: PairAxis,
    groups: Sequence[TokenizedPairs],
    specs: Sequence[Spec],
    batch_size: int,
    advance: Callable[[int], Any],
) -> Said:
    """What the runs of pairs say, unpatched and under each spec.

    groups: the pairs, at least one. Their order is that of the pairs, over all groups.
    specs: in positions of the axis.
    batch_size: rows at a time.
    advance: is told how many pairs have been tried.
    """
    in_tokens = [_in_tokens(axis, pairs, specs) for pairs in groups]
    readings = [reading for _, of_specs in in_tokens for of in of_specs for reading in of.values()]
    if axis.longest == 1 and all(reading.n == 1 for reading in readings):
        passes = Passes(model, facts, groups[0].prefix, batch_size)
        parts = [
            _single_tokens(Patcher(passes), pairs, of_specs, advance)
            for pairs, (of_specs, _) in zip(groups, in_tokens, strict=True)
        ]
        codes = [part.tokens.unique() for _, outputs in parts for part in _every(outputs)]
        spelled: dict[Number, int] = {(code,): code for code in torch.cat(codes).unique().tolist()}
    else:
        passes = Passes(model, facts, groups[0].prefix, max(1, batch_size // CACHES))
        numbers = Numbers(torch.tensor(further_digits(axis.tokenizer, axis.number)))
        patcher = NumberPatcher(passes, numbers, axis.longest)
        parts = [
            _whole_numbers(patcher, pairs, *of, advance)
            for pairs, of in zip(groups, in_tokens, strict=True)
        ]
        spelled = numbers.codes
    order = torch.tensor([place for pairs in groups for place in pairs.kept]).argsort()
    gold = {run: torch.cat([of_part[run] for of_part, _ in parts])[order] for run in RUNS}
    outputs = Outputs.joined(outputs for _, outputs in parts).ordered(order)
    written = axis.tokenizer.batch_decode([list(tokens) for tokens in spelled])
    texts = {code: text.strip() for code, text in zip(spelled.values(), written, strict=True)}
    return Said(gold, outputs, texts)


def _every(outputs: Outputs) -> list[Answers]:
    return [*outputs.patched, *outputs.unpatched.values()]


def _in_tokens(axis: PairAxis, pairs: TokenizedPairs, specs: Sequence[Spec]) -> _InTokens:
    n_problem = pairs.layout.n_problem
    readings = [{t: axis.reading(pairs, n_problem + t) for t in spec.forced} for spec in specs]
    return [replace(spec, positions=pairs.tokens_of(spec.positions)) for spec in specs], readings


def _single_tokens(
    patcher: Patcher,
    pairs: TokenizedPairs,
    specs: Sequence[Spec],
    advance: Callable[[int], Any],
) -> tuple[dict[str, torch.Tensor], Outputs]:
    """Gold codes and outputs of a group, in whose places single tokens are read.

    They are the last tokens of their positions, which may have others before, as words do.
    """
    last = [end - pairs.n_problem for end in pairs.ends[pairs.layout.n_problem :]]
    in_tokens = [replace(spec, forced=tuple(last[t] for t in spec.forced)) for spec in specs]
    outputs = _joined(patcher.outputs(pairs.runs, pairs.n_problem, in_tokens), advance)
    unpatched = {run: outputs.unpatched[run].at(last) for run in RUNS}
    gold = {run: ids[:, last] for run, ids in pairs.chains.items()}
    return gold, Outputs(unpatched, outputs.patched)


def _whole_numbers(
    patcher: NumberPatcher,
    pairs: TokenizedPairs,
    specs: Sequence[Spec],
    readings: Sequence[Mapping[int, Reading]],
    advance: Callable[[int], Any],
) -> tuple[dict[str, torch.Tensor], Outputs]:
    """Gold codes and outputs of a group, in whose places whole numbers are read."""
    outputs = _joined(patcher.outputs(pairs, specs, readings), advance)
    gold = {}
    for run, ids in pairs.runs.items():
        gold[run] = torch.full((len(ids), pairs.layout.n_positions), -1)
        for t, reading in {t: r for of_spec in readings for t, r in of_spec.items()}.items():
            gold[run][:, t] = patcher.numbers.gold(ids, reading)
    return gold, outputs


def _joined(batches: Any, advance: Callable[[int], Any]) -> Outputs:
    found = []
    for batch in batches:
        found.append(batch)
        advance(len(batch))
    return Outputs.joined(found)

"""Rates of activation patching: how often replaced hidden states change a model's answers.

Pairs of problems come from `formulas/counterfactuals.py`, next tokens of patched runs from
`interventions/patched_runs.py`; the rows feed the patching figures and the table of interventions.

Method: hidden states of the base problem's run replace those of the edited problem's run (or the
other way round), at the layers and positions of a spec. An answer then becomes the source's
(success), stays the patched run's (unchanged), or becomes something else; rates come with Wilson
95 % intervals. As in the paper (Kudo et al., arXiv:2412.01113), extended by a grid over all layers
and equations. A number of several tokens is read as a whole (`interventions.whole_numbers`).

Beside the rates, the normalised logit difference (Zhang and Nanda, arXiv:2309.16042) says how far a
patch moves the model, also where its answer does not change: 0 as unpatched, 1 as the source's run.
Two controls: patches from a random donor, an unrelated problem with another answer, and edits of a
distractor, on which no answer depends, so that a patch must change nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING, Any

import torch

from think_to_talk.formulas.rows import base_row
from think_to_talk.formulas.symbols import sentences, text_symbols
from think_to_talk.hidden_states.facts import ModelFacts
from think_to_talk.intervals import mean, share
from think_to_talk.interventions.donors import Fits, donors
from think_to_talk.interventions.patched_runs import Answers
from think_to_talk.interventions.said import Said, said
from think_to_talk.interventions.specs import Answer, Spec, SpecSettings, answers
from think_to_talk.interventions.tokenized_pairs import RUNS, PairAxis, Rows, kept_numbers
from think_to_talk.progress import progress
from think_to_talk.tokens.chat import Chat
from think_to_talk.tokens.task_positions import TaskPositions

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


@dataclass(frozen=True)
class PatchingSettings(SpecSettings):
    """Which hidden states are patched, and where they come from.

    random_donor: whether each patch is also tried from an unrelated problem.
    """

    random_donor: bool = False


def patching_rows(
    model: PreTrainedModel,
    facts: ModelFacts,
    tokenizer: PreTrainedTokenizerBase,
    edits: Mapping[str, Rows],
    settings: PatchingSettings,
    *,
    shots: int | str,
    bos: str = "tokenizer",
    chat: Chat | None = None,
    positions: TaskPositions | None = None,
    batch_size: int,
    identity: Mapping[str, Any],
) -> Iterator[dict[str, Any]]:
    """A row per edit, donor, spec, answer and choice of pairs.

    See schemas/patching_row.schema.yaml. Pairs whose two problems have the same number in place of
    an answer are left out of its rates, unless the edit is a distractor's: it never changes any.

    facts: how the model may be run.
    edits: {name: pair rows}.
    settings: which hidden states are patched.
    shots, bos, chat: as of `tokens.prompts.tokenize`.
    positions: of the task; None for those that the pairs share.
    batch_size: rows at a time.
    identity: model, seed and task.
    """
    n_layers = model.config.get_text_config().num_hidden_layers
    axis = PairAxis.of(tokenizer, edits.values(), shots, bos, chat, positions)
    tried = [
        (edit, donor, pairs)
        for edit, numbered in edits.items()
        for donor, pairs in donors(numbered, settings.random_donor, _fitting(axis, numbered))
    ]
    name = f"{identity['model']}, seed {identity['seed']}, {identity['task']}"
    with progress(sum(len(pairs) for *_, pairs in tried), f"patching {name}", "pairs") as bar:
        for edit, donor, pairs in tried:
            groups = axis.groups(list(pairs.values()))
            numbers = kept_numbers(groups, list(pairs), f"patching {name}, edit {edit}")
            bar.update(len(pairs) - len(numbers))
            if not groups:
                continue
            specs = settings.all_specs(axis.layout, n_layers, axis.number_tokens)
            if donor == "random":
                specs = [spec for spec in specs if spec.source == "base"]
            found = said(model, facts, axis, groups, specs, batch_size, bar.update)
            for row in _rows_of_edit({n: pairs[n] for n in numbers}, axis, specs, found):
                yield {**identity, "edit": edit, "donor": donor, **row}


def _fitting(axis: PairAxis, pairs: Rows) -> Fits:
    """Whether hidden states of one pair's base problem fit into another's edited run."""
    problems = axis.of_pairs(pairs)

    def fits(edited: int, base: int) -> bool:
        ends = problems[edited][1].ends
        return ends is not None and ends == problems[base][0].ends

    return fits


def _rows_of_edit(
    numbered: Mapping[int, Mapping[str, Any]], axis: PairAxis, specs: Sequence[Spec], found: Said
) -> Iterator[dict[str, Any]]:
    """Rows of one edit and donor, without their names: per spec, answer and choice of pairs.

    numbered: {number: pair}. found: what the runs of the same pairs say.
    """
    numbers, pairs = torch.tensor(list(numbered)), list(numbered.values())
    answer_at = {answer.forced: answer for answer in answers(axis.layout, axis.number_tokens)}
    variables = {forced: answered_variable(pairs, answer) for forced, answer in answer_at.items()}
    gold, outputs = found.gold, found.outputs
    unpatched = {run: answers.tokens for run, answers in outputs.unpatched.items()}
    # An edit of a distractor changes no number of the chain.
    distractor = all(pair["target"] == pair["base_target"] for pair in pairs)
    for spec, patched in zip(specs, outputs.patched, strict=True):
        described = spec.described(axis.layout)
        for column, t in enumerate(spec.forced):
            differs = (gold["base"][:, t] != gold["edited"][:, t]) | distractor
            solved = differs.clone()
            for run in RUNS:
                solved &= unpatched[run][:, t] == gold[run][:, t]
            if not differs.any():
                continue
            moved = [] if distractor else _moved(patched, outputs.unpatched, spec, column, solved)
            for which, mask in (("solved", solved), ("all", differs)):
                codes = patched.tokens[mask, column]
                rates = _rates(codes, gold[spec.source][mask, t], gold[spec.target][mask, t])
                yield {
                    **described,
                    "answer_equation": answer_at[t].equation if t in answer_at else None,
                    "forced": t,
                    "variable": variables.get(t),
                    "rows": which,
                    "n": len(codes),
                    **(_without_success(rates) if distractor else rates),
                    # Of all pairs, some have no distance between the runs to divide by.
                    **mean("logit_difference", moved if which == "solved" else [], (-inf, inf)),
                    **_accuracies(unpatched, gold, mask, t),
                    "pairs": numbers[mask].tolist(),
                    "outputs": [found.texts[code] for code in codes.tolist()],
                }


def _rates(
    found: torch.Tensor, of_source: torch.Tensor, of_target: torch.Tensor
) -> dict[str, float | None]:
    """Shares of answers that are the source's, the target's or neither.

    found: [pairs] codes of the patched run's answers.
    of_source, of_target: [pairs] codes of the two runs' gold answers.
    """
    n, success, unchanged = len(found), found == of_source, found == of_target
    return {
        **share("success", int(success.sum()), n),
        **share("unchanged", int(unchanged.sum()), n),
        **share("other", int((~success & ~unchanged).sum()), n),
    }


def _without_success(rates: Mapping[str, float | None]) -> dict[str, float | None]:
    """The rates where source and target have the same number: none can become the source's."""
    return {key: None if key.startswith("success") else value for key, value in rates.items()}


def _moved(
    patched: Answers,
    unpatched: Mapping[str, Answers],
    spec: Spec,
    column: int,
    solved: torch.Tensor,
) -> list[float]:
    """How far a patch moves the logit difference: 0 as unpatched, 1 as in the source's run.

    patched, unpatched: of the pairs. column: of the spec's forced lengths. solved: [pairs] which
    pairs both runs solve: there the logit of a run's own number is the highest. Of these, pairs
    whose differences are all 0 (ties in a coarse dtype) are left out, and those of which a run
    finds the other's number of several tokens more probable, though it writes its own.
    """
    differences = {run: unpatched[run].differences[solved, spec.forced[column]] for run in RUNS}
    source, target = differences[spec.source], differences[spec.target]
    moved = (patched.differences[solved, column] - target) / (source - target)
    own = (differences["base"] >= 0) & (differences["edited"] <= 0)
    return moved[own & (source != target)].tolist()


def _accuracies(
    unpatched: Mapping[str, torch.Tensor],
    gold: Mapping[str, torch.Tensor],
    mask: torch.Tensor,
    t: int,
) -> dict[str, float | None]:
    """The accuracy of both runs without patching, at position t of the chain.

    unpatched, gold: {run: [pairs, places]}.
    mask: [pairs] which pairs are counted.
    """
    shares: dict[str, float | None] = {}
    for run in RUNS:
        hits = int((unpatched[run][mask, t] == gold[run][mask, t]).sum())
        shares |= share(f"{run}_accuracy", hits, int(mask.sum()))
    return shares


def answered_variable(pairs: Rows, answer: Answer) -> int | None:
    """The variable that equals an equation's last number in all pairs; None if there is none."""
    rows = [*map(base_row, pairs), *pairs]
    written = [sentences(row["scratchpad"])[answer.equation] for row in rows]
    numbers = [int([s for s in text_symbols(text) if s.isdigit()][-1]) for text in written]
    for variable in range(len(rows[0]["intermediate_answers"])):
        if numbers == [row["intermediate_answers"][variable] for row in rows]:
            return variable
    return None

"""Free writing after a patch of the problem: does the model then write the other problem's chain?

The pairs are those of patching (`interventions.patching`), the specs those that patch nothing but
the problem (`interventions.specs`); the rows feed the table of interventions and its figure.

Method: hidden states of the base problem's run replace those of the edited problem's run in the
problem, and the model writes its whole chain of thought by greedy decoding. Success: it is the base
problem's chain. Patching proper is teacher-forced: there the chain that is given states the edited
problem's numbers, so that an answer may stay the same whatever the problem's states hold. Source:
the interventions that the published code calls `v1` and `v2` (Kudo et al., arXiv:2412.01113).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from itertools import groupby
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from think_to_talk.formulas.rows import base_row, is_correct
from think_to_talk.formulas.stated_values import final_answer
from think_to_talk.hidden_states.facts import ModelFacts
from think_to_talk.hidden_states.free_writing import FreeWriter, Run
from think_to_talk.hidden_states.passes import Context, Passes
from think_to_talk.intervals import share
from think_to_talk.interventions.specs import Spec, SpecSettings, of_the_problem
from think_to_talk.interventions.tokenized_pairs import (
    RUNS,
    PairAxis,
    Rows,
    TokenizedPairs,
    kept_numbers,
)
from think_to_talk.progress import progress
from think_to_talk.tokens.chat import Chat
from think_to_talk.tokens.generations import written_texts
from think_to_talk.tokens.layout import Layout
from think_to_talk.tokens.stop_ids import stop_ids
from think_to_talk.tokens.task_positions import TaskPositions

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


#: What writes: a run, unpatched, or one under a spec.
Key = str | Spec


def free_writing_rows(
    model: PreTrainedModel,
    facts: ModelFacts,
    tokenizer: PreTrainedTokenizerBase,
    edits: Mapping[str, Rows],
    settings: SpecSettings,
    *,
    shots: int | str,
    bos: str = "tokenizer",
    chat: Chat | None = None,
    positions: TaskPositions | None = None,
    batch_size: int,
    identity: Mapping[str, Any],
    end_ids: Sequence[int] = (),
) -> Iterator[dict[str, Any]]:
    """A row per edit, spec and choice of pairs (schemas/free_writing_row.schema.yaml).

    facts: how the model may be run.
    edits: {name: pair rows}. An edit after which no chain differs, such as a distractor's, is left
        out: there is no other chain to write.
    settings: which hidden states are patched.
    shots, bos, chat: as of `tokens.prompts.tokenize`.
    positions: of the task; None for those that the pairs share.
    batch_size: rows at a time.
    identity: model, seed and task.
    end_ids: end-of-sequence ids of the checkpoint, beside the tokenizer's own.
    """
    n_layers = model.config.get_text_config().num_hidden_layers
    stops = frozenset(stop_ids(tokenizer, end_ids, chat))
    description = f"free writing {identity['model']}, seed {identity['seed']}, {identity['task']}"
    axis = PairAxis.of(tokenizer, edits.values(), shots, bos, chat, positions)
    with progress(sum(map(len, edits.values())), description, "pairs") as bar:
        for edit, pairs in edits.items():
            if all(pair["target"] == pair["base_target"] for pair in pairs):
                bar.update(len(pairs))
                continue
            groups = axis.groups(pairs)
            numbers = kept_numbers(groups, range(len(pairs)), f"{description}, edit {edit}")
            bar.update(len(pairs) - len(numbers))
            if not groups:
                continue
            specs = settings.all_specs(axis.layout, n_layers, axis.number_tokens)
            specs = of_the_problem(specs, axis.layout)
            passes = Passes(model, facts, groups[0].prefix, batch_size)
            keys: list[Key] = [*RUNS, *specs]
            texts: dict[Key, dict[int, str]] = {key: {} for key in keys}
            for group in groups:
                patcher = FreePatcher(FreeWriter(passes, stops), group, axis.further_tokens)
                write = partial(patcher.written, specs=specs)
                for batch, found in passes.in_batches(list(range(len(group.kept))), write):
                    for key, ids in found.items():
                        written = written_texts(tokenizer, ids, stops)
                        places = (group.kept[place] for place in batch)
                        texts[key] |= dict(zip(places, written, strict=True))
                    bar.update(len(batch))
            for row in _rows_of_edit({n: pairs[n] for n in numbers}, axis.layout, specs, texts):
                yield {**identity, "edit": edit, **row}


class FreePatcher:
    """Runs that write freely after patches of the problem.

    writer: writes on.
    tokens: the pairs.
    further: tokens that a chain may be longer than the gold one.
    """

    def __init__(self, writer: FreeWriter, tokens: TokenizedPairs, further: int = 0) -> None:
        self.writer = writer
        self.tokens = tokens
        self.further = further

    @torch.inference_mode()
    def written(self, pairs: list[int], specs: Sequence[Spec]) -> dict[Key, list[list[int]]]:
        """{run, unpatched, or spec: ids that the model writes for each of the pairs}."""
        n_problem, passes = self.tokens.n_problem, self.writer.passes
        ids = {run: self.tokens.runs[run][pairs] for run in RUNS}
        found: dict[Key, list[list[int]]] = {
            run: self._write(passes.prefix(*ids[run].shape), ids[run], [None], 0, {})[0]
            for run in RUNS
        }
        states: dict[str, dict[int, Tensor]] = {run: {} for run in RUNS}
        for run in RUNS:
            layers = sorted({at for spec in specs if spec.source == run for at in spec.layers})
            if layers:
                passes.forward(
                    ids[run][:, :n_problem],
                    1,
                    passes.prefix(len(pairs), n_problem),
                    layers=layers,
                    hook=states[run].__setitem__,
                )

        def beginning(spec: Spec) -> int:
            return min(self.tokens.tokens_of(spec.positions))

        for source in RUNS:
            of_source = sorted((spec for spec in specs if spec.source == source), key=beginning)
            if not of_source:
                continue
            target = ids[of_source[0].target]
            context, reached = passes.prefix(*target.shape), 0
            for start, group in groupby(of_source, key=beginning):
                context = passes.continued(context, target[:, reached:start])
                reached, some = start, list(group)
                written = self._write(context, target, some, start, states[source])
                found |= dict(zip(some, written, strict=True))
        return found

    def _write(
        self,
        context: Context,
        ids: Tensor,
        specs: Sequence[Spec | None],
        start: int,
        states: Mapping[int, Tensor],
    ) -> list[list[list[int]]]:
        """[spec][pair] ids that are written; without a spec, nothing is replaced.

        context: the tokens of the pairs before `start`.
        ids: [pairs, positions] of the run that is patched.
        states: {layer: [pairs, positions of the problem, hidden]} of the other run.
        """
        n_problem, tokens = self.tokens.n_problem, self.tokens
        runs = [
            Run(
                row,
                ids[row, start:n_problem],
                ids[row, n_problem:],
                _replaced(spec, tokens, row, start, states) if spec else {},
                self.further,
            )
            for spec in specs
            for row in range(len(ids))
        ]
        self.writer.write(context, runs)
        written = [run.written for run in runs]
        return [written[first : first + len(ids)] for first in range(0, len(runs), len(ids))]


def _replaced(
    spec: Spec, pairs: TokenizedPairs, row: int, start: int, states: Mapping[int, Tensor]
) -> dict[int, tuple[Tensor, Tensor]]:
    """{layer: (tokens behind `start`, states)} that a spec replaces in a pair's run."""
    tokens = list(pairs.tokens_of(spec.positions))
    at = torch.tensor(tokens) - start
    return {layer: (at, states[layer][row, tokens]) for layer in spec.layers}


def _rows_of_edit(
    pairs: Mapping[int, Mapping[str, Any]],
    layout: Layout,
    specs: Sequence[Spec],
    texts: Mapping[Key, Mapping[int, str]],
) -> Iterator[dict[str, Any]]:
    """Rows of one edit, without their names: per spec and choice of pairs.

    pairs: by their numbers.
    texts: {run, unpatched, or spec: {number of a pair: the chain that is written}}.
    """
    gold = {i: {"base": base_row(pair), "edited": pair} for i, pair in pairs.items()}
    solved = [i for i in pairs if all(is_correct(texts[run][i], gold[i][run]) for run in RUNS)]
    for spec in specs:
        described = spec.described(layout)
        for which, numbers in (("solved", solved), ("all", list(pairs))):
            found = [(texts[spec][i], gold[i][spec.source], gold[i][spec.target]) for i in numbers]
            success = sum(is_correct(text, source) for text, source, _ in found)
            unchanged = sum(is_correct(text, target) for text, _, target in found)
            answered = sum(
                final_answer(text, source) == source["original_answer"] for text, source, _ in found
            )
            n = len(numbers)
            yield {
                **described,
                "rows": which,
                "n": n,
                **share("success", success, n),
                **share("unchanged", unchanged, n),
                **share("other", n - success - unchanged, n),
                **share("answer", answered, n),
                "pairs": numbers,
                "outputs": [text for text, _, _ in found],
            }

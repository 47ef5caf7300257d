"""Activation patching: a model's next tokens when hidden states of another run replace its own.

Activation patching (Meng et al., arXiv:2202.05262; Zhang and Nanda, arXiv:2309.16042) runs the
model on one problem while chosen hidden states are those of its run on another. If the answer
becomes the other problem's, the model uses what these hidden states hold. The specs
(`interventions/specs.py`) say which are replaced; `interventions/patching.py` makes rates of the
next tokens that are computed here.

Many specs are tried on the same pairs, and most of their computation is the same. The few-shot
examples are run once. Up to the first patched position a patched run's key-value cache is the
unpatched one, shared by all specs that start there; below the first patched layer its hidden states
are, so a pass starts at that layer. One teacher-forced pass over the rest gives the next token
after every length of the chain at once. Rows and specs share batches.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

import torch

from think_to_talk.hidden_states.passes import Context, Passes
from think_to_talk.interventions.specs import Spec
from think_to_talk.interventions.tokenized_pairs import RUNS


@dataclass(frozen=True)
class Answers:
    """What a run of each pair says next, in some places.

    tokens: [pairs, places] ids of the most likely tokens, or codes of whole numbers
        (`interventions.whole_numbers`).
    differences: [pairs, places] of the logits of the two runs' gold tokens there, base less edited,
        or of the log-probabilities of the two numbers.
    """

    tokens: torch.Tensor
    differences: torch.Tensor

    @classmethod
    def of(cls, logits: torch.Tensor, gold: Mapping[str, torch.Tensor]) -> Answers:
        """Read logits [pairs, places, vocabulary]; gold: {run: [pairs, places]} ids."""
        base, edited = (
            logits.gather(-1, gold[run].to(logits.device)[..., None])[..., 0] for run in RUNS
        )
        return cls(logits.argmax(dim=-1).cpu(), (base - edited).float().cpu())

    @classmethod
    def joined(cls, parts: Iterable[Answers]) -> Answers:
        """Those of the pairs of all parts, in their order."""
        parts = list(parts)
        return cls(
            torch.cat([part.tokens for part in parts]),
            torch.cat([part.differences for part in parts]),
        )

    def at(self, places: Sequence[int]) -> Answers:
        """A copy of those in some of the places."""
        return Answers(self.tokens[:, list(places)], self.differences[:, list(places)])

    def ordered(self, order: torch.Tensor) -> Answers:
        """Those of the pairs in another order."""
        return Answers(self.tokens[order], self.differences[order])

    def put(self, place: int, other: Answers, other_place: int) -> None:
        """Replace those in a place by others."""
        self.tokens[:, place] = other.tokens[:, other_place]
        self.differences[:, place] = other.differences[:, other_place]


@dataclass(frozen=True)
class Outputs:
    """What the runs of some pairs say.

    unpatched: {run: answers in place of each position of the chain}.
    patched: for each spec, after each forced length.
    """

    unpatched: dict[str, Answers]
    patched: list[Answers]

    def __len__(self) -> int:
        """Number of pairs."""
        return len(self.unpatched[RUNS[0]].tokens)

    @classmethod
    def joined(cls, parts: Iterable[Outputs]) -> Outputs:
        """The outputs of the pairs of all parts, in their order."""
        parts = list(parts)
        return cls(
            {run: Answers.joined(part.unpatched[run] for part in parts) for run in RUNS},
            [Answers.joined(spec) for spec in zip(*(part.patched for part in parts), strict=True)],
        )

    def ordered(self, order: torch.Tensor) -> Outputs:
        """Those of the pairs in another order."""
        unpatched = {run: answers.ordered(order) for run, answers in self.unpatched.items()}
        return Outputs(unpatched, [answers.ordered(order) for answers in self.patched])


class Patcher:
    """Patched runs of pairs that share a prefix.

    passes: a model's passes behind the few-shot examples, in batches.
    """

    def __init__(self, passes: Passes) -> None:
        self.passes = passes

    def outputs(
        self, runs: Mapping[str, torch.Tensor], n_problem: int, specs: Sequence[Spec]
    ) -> Iterator[Outputs]:
        """The next tokens of all pairs, unpatched and under each spec; batches of pairs, in order.

        runs: `base` and `edited`, token ids [pairs, positions] of problem and gold chain.
        n_problem: positions before the chain.
        specs: which hidden states are replaced; each is tried on all pairs.
        """

        def patch(rows: list[int]) -> Outputs:
            return self._patch({run: ids[rows] for run, ids in runs.items()}, n_problem, specs)

        for _, batch in self.passes.in_batches(list(range(len(runs["base"]))), patch):
            yield batch

    @torch.inference_mode()
    def _patch(
        self, runs: dict[str, torch.Tensor], n_problem: int, specs: Sequence[Spec]
    ) -> Outputs:
        """The outputs of one batch of pairs; arguments as of `outputs`."""
        states: dict[str, dict[int, torch.Tensor]] = {}
        gold = {run: ids[:, n_problem:] for run, ids in runs.items()}
        unpatched = {}
        for run, ids in runs.items():
            copied = {layer for spec in specs if spec.source == run for layer in spec.layers}
            starts = {self._start(spec) for spec in specs if spec.target == run and spec.layers}
            layers = sorted(copied | (starts - {0}))
            states[run], unpatched[run] = self._unpatched(ids, n_problem, layers, gold)
        # Answers before the patched positions are the unpatched ones; passes replace the others.
        patched = [unpatched[spec.target].at(spec.forced) for spec in specs]
        for source in RUNS:
            active = [
                (spec, result)
                for spec, result in zip(specs, patched, strict=True)
                if spec.source == source and spec.layers and spec.positions
            ]
            self._patch_from(states, runs, n_problem, active)
        return Outputs(unpatched, patched)

    def _unpatched(
        self,
        ids: torch.Tensor,
        n_problem: int,
        layers: Sequence[int],
        gold: Mapping[str, torch.Tensor],
    ) -> tuple[dict[int, torch.Tensor], Answers]:
        """Hidden states {layer: [rows, positions, hidden]}, and answers to each chain token."""
        states: dict[int, torch.Tensor] = {}
        read = torch.arange(n_problem - 1, ids.shape[1] - 1)
        prefix = self.passes.prefix(len(ids), ids.shape[1])
        logits, _ = self.passes.forward(ids, read, prefix, layers=layers, hook=states.__setitem__)
        return states, Answers.of(logits, gold)

    def _patch_from(
        self,
        states: Mapping[str, Mapping[int, torch.Tensor]],
        runs: Mapping[str, torch.Tensor],
        n_problem: int,
        active: list[tuple[Spec, Answers]],
    ) -> None:
        """Compute the results of specs with the same source, which are written in place.

        states: {run: {layer: [pairs, positions, hidden]}} of the unpatched runs.
        runs, n_problem: as of `outputs`.
        active: specs with their results after each forced length.
        """
        if not active:
            return
        ids = runs[active[0][0].target]
        context, reached = self.passes.prefix(len(ids), ids.shape[1]), 0
        together = max(1, self.passes.batch_size // len(ids))
        beginning = self._beginning
        for (start, _), group in groupby(sorted(active, key=beginning), key=beginning):
            context = self.passes.continued(context, ids[:, reached:start])
            reached = start
            waiting = list(group)
            while waiting:
                some, waiting = waiting[:together], waiting[together:]
                self._patched_pass(states, runs, n_problem, context, some)

    def _start(self, spec: Spec) -> int:
        """The layer at which a spec's passes start: 0, unless the blocks below can be skipped."""
        facts = self.passes.facts
        return min(spec.layers) if facts.starts_at_layer and facts.continues_cache else 0

    def _beginning(self, item: tuple[Spec, Answers]) -> tuple[int, int]:
        """The first position that is patched, and the layer at which the pass starts."""
        return min(item[0].positions), self._start(item[0])

    def _patched_pass(
        self,
        states: Mapping[str, Mapping[int, torch.Tensor]],
        runs: Mapping[str, torch.Tensor],
        n_problem: int,
        context: Context,
        group: Sequence[tuple[Spec, Answers]],
    ) -> None:
        """One pass of pairs times specs, from the first patched position and layer of all of them.

        states, runs, n_problem: as of `_patch_from`.
        context: the tokens before the first patched position.
        group: specs with the same first position and layer, with their results.
        """
        start, layer = self._beginning(group[0])
        source, target = states[group[0][0].source], states[group[0][0].target]
        ids = runs[group[0][0].target]
        n_rows, n_specs = len(ids), len(group)
        reading = {n_problem - 1 + t for spec, _ in group for t in spec.forced}
        read = sorted(position for position in reading if position >= start)
        if not read:
            return
        tokens = ids[:, start : read[-1] + 1].repeat_interleave(n_specs, dim=0)
        replaced_at = _replaced_positions([spec for spec, _ in group], start, tokens.shape[1])

        def replace(at: int, hidden: torch.Tensor) -> torch.Tensor:
            taken = source[at][:, None, start : read[-1] + 1].to(hidden.device)
            chosen = replaced_at[at].to(hidden.device)[None, :, :, None]
            return torch.where(chosen, taken, hidden.unflatten(0, (n_rows, n_specs))).flatten(0, 1)

        started = None
        if layer:
            state = target[layer][:, start : read[-1] + 1].repeat_interleave(n_specs, dim=0)
            started = (layer, state)
        logits, _ = self.passes.forward(
            tokens,
            torch.tensor(read) - start,
            context.repeated(n_specs, tokens.shape[1]),
            layers=replaced_at,
            hook=replace,
            start=started,
        )
        following = torch.tensor(read) + 1
        gold = {run: of_run[:, following] for run, of_run in runs.items()}
        place = {position: i for i, position in enumerate(read)}
        for i, (spec, result) in enumerate(group):
            said = Answers.of(logits.unflatten(0, (n_rows, n_specs))[:, i], gold)
            for j, t in enumerate(spec.forced):
                if n_problem - 1 + t in place:
                    result.put(j, said, place[n_problem - 1 + t])


def _replaced_positions(
    specs: Sequence[Spec], start: int, n_positions: int
) -> dict[int, torch.Tensor]:
    """{layer: [specs, positions] whether the state is replaced}; positions count from `start`."""
    layers = sorted({layer for spec in specs for layer in spec.layers})
    replaced_at = {
        layer: torch.zeros(len(specs), n_positions, dtype=torch.bool) for layer in layers
    }
    for i, spec in enumerate(specs):
        inside = torch.tensor([p - start for p in spec.positions if p - start < n_positions])
        for layer in spec.layers:
            replaced_at[layer][i, inside] = True
    return replaced_at

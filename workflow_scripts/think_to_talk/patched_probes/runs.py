"""What stored probes read in the runs of pairs: both unpatched, and one under each patching spec.

A spec (`interventions.specs`) says which hidden states of one run, the source, replace those of the
other, the target. All runs are teacher-forced on their own problem and gold chain. Below a patched
layer, and before the first patched position, a patched run is as unpatched: its passes start at
that position, from a key-value cache that the specs of a batch share, behind the few-shot prefix
that all batches share (`hidden_states.passes`). Probes are applied as the states appear, so that
those of patched runs need not be kept.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch

from think_to_talk.hidden_states.passes import Context, Passes
from think_to_talk.interventions.specs import Spec
from think_to_talk.interventions.tokenized_pairs import RUNS, TokenizedPairs
from think_to_talk.probes.stored import StoredProbes


@dataclass(frozen=True)
class Readings:
    """What probes read in the runs of some pairs.

    solved: [pairs] whether both unpatched runs write their gold chains, token by token.
    unpatched: {run: [layers, positions, variables, pairs]} digits.
    patched: for each spec, the same of the target's run from the first patched position on.
    """

    solved: torch.Tensor
    unpatched: dict[str, torch.Tensor]
    patched: list[torch.Tensor]

    @classmethod
    def joined(cls, parts: Iterable[Readings]) -> Readings:
        """Those of the pairs of all parts, in their order."""
        parts = list(parts)
        return cls(
            torch.cat([part.solved for part in parts]),
            {run: torch.cat([part.unpatched[run] for part in parts], dim=-1) for run in RUNS},
            [
                torch.cat(of_spec, dim=-1)
                for of_spec in zip(*(part.patched for part in parts), strict=True)
            ],
        )


class PatchedReader:
    """Applies stored probes to the runs of pairs.

    passes: a model's passes behind the few-shot examples, which read the last layer as the probes
        do.
    probes: of the pairs' task.
    """

    def __init__(self, passes: Passes, probes: StoredProbes) -> None:
        self.passes = passes
        self.probes = probes

    def readings(self, pairs: TokenizedPairs, specs: Sequence[Spec]) -> Iterator[Readings]:
        """The readings of all pairs; batches of pairs, in order.

        pairs: `base` and `edited`, token ids [pairs, tokens] of problem and gold chain.
        specs: which hidden states are replaced, of one position and layer or more.
        """

        def read(rows: list[int]) -> Readings:
            return self._read({run: ids[rows] for run, ids in pairs.runs.items()}, pairs, specs)

        for _, batch in self.passes.in_batches(list(range(len(pairs.runs["base"]))), read):
            yield batch

    @torch.inference_mode()
    def _read(
        self, runs: dict[str, torch.Tensor], pairs: TokenizedPairs, specs: Sequence[Spec]
    ) -> Readings:
        """The readings of one batch of pairs; arguments as of `readings`.

        runs: of the batch.
        """
        solved = torch.ones(len(runs["base"]), dtype=torch.bool)
        states: dict[str, dict[int, torch.Tensor]] = {}
        unpatched = {}
        for run, ids in runs.items():
            copied = {layer for spec in specs if spec.source == run for layer in spec.layers}
            states[run], unpatched[run], right = self._unpatched(ids, pairs, copied)
            solved &= right
        patched: dict[int, torch.Tensor] = {}
        for source in RUNS:
            numbered = [(i, spec) for i, spec in enumerate(specs) if spec.source == source]
            patched |= self._patched(states[source], runs, pairs, numbered)
        return Readings(solved, unpatched, [patched[i] for i in range(len(specs))])

    def _unpatched(
        self, ids: torch.Tensor, pairs: TokenizedPairs, copied: set[int]
    ) -> tuple[dict[int, torch.Tensor], torch.Tensor, torch.Tensor]:
        """Of one run of each pair: states, what probes read, and whether the chain is written.

        copied: layers whose states [pairs, tokens, hidden] are returned.
        """
        n_problem, ends = pairs.n_problem, list(pairs.ends)
        states: dict[int, torch.Tensor] = {}
        read: dict[int, torch.Tensor] = {}

        def look(layer: int, hidden: torch.Tensor) -> None:
            if layer in copied:
                states[layer] = hidden
            if layer in self.probes.layers:
                read[layer] = self.probes.predict(layer, hidden[:, ends], 0)

        logits, _ = self.passes.forward(
            ids,
            torch.arange(n_problem - 1, ids.shape[1] - 1),
            self.passes.prefix(len(ids), ids.shape[1]),
            layers=sorted(copied | set(self.probes.layers)),
            hook=look,
        )
        right = logits.argmax(dim=-1).cpu() == ids[:, n_problem:]
        return states, self._stacked(read), right.all(dim=1)

    def _patched(
        self,
        source: Mapping[int, torch.Tensor],
        runs: Mapping[str, torch.Tensor],
        pairs: TokenizedPairs,
        specs: Sequence[tuple[int, Spec]],
    ) -> dict[int, torch.Tensor]:
        """{number of a spec: what probes read in the patched runs}, of specs with one source.

        source: {layer: [pairs, tokens, hidden]} of the source's unpatched runs.
        """
        found: dict[int, torch.Tensor] = {}
        if not specs:
            return found
        ids = runs[specs[0][1].target]
        context, reached = self.passes.prefix(len(ids), ids.shape[1]), 0
        for number, spec in sorted(specs, key=lambda item: min(item[1].positions)):
            start = min(pairs.tokens_of(spec.positions))
            context = self.passes.continued(context, ids[:, reached:start])
            reached = start
            behind = context.repeated(1, ids.shape[1] - start)
            found[number] = self._patched_pass(source, ids[:, start:], behind, pairs, spec)
        return found

    def _patched_pass(
        self,
        source: Mapping[int, torch.Tensor],
        ids: torch.Tensor,
        context: Context,
        pairs: TokenizedPairs,
        spec: Spec,
    ) -> torch.Tensor:
        """What probes read [layers, positions, variables, pairs] from the first patched one on.

        source: as of `_patched`.
        ids: [pairs, tokens from the first patched one on] of the target.
        context: what precedes.
        """
        read: dict[int, torch.Tensor] = {}
        places = torch.tensor(pairs.tokens_of(spec.positions))
        start, first = int(places.min()), min(spec.positions)
        ends = [end - start for end in pairs.ends[first:]]

        def replace(layer: int, hidden: torch.Tensor) -> torch.Tensor | None:
            replaced = None
            if layer in spec.layers:
                hidden = replaced = hidden.clone()
                replaced[:, places - start] = source[layer][:, places].to(hidden.device)
            if layer in self.probes.layers:
                read[layer] = self.probes.predict(layer, hidden[:, ends], first)
            return replaced

        layers = sorted({*spec.layers, *self.probes.layers})
        self.passes.forward(ids, 1, context, layers=layers, hook=replace)
        return self._stacked(read)

    def _stacked(self, read: Mapping[int, torch.Tensor]) -> torch.Tensor:
        """[layers, positions, variables, pairs], layers in the order of the probes."""
        return torch.stack([read[layer] for layer in self.probes.layers])

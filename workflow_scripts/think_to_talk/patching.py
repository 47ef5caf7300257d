"""Activation patching: a model's next token when hidden states of another run are put into it.

Many specs are tried on the same pairs, and most of what they compute is the same. The few-shot
examples are run once. A run's own key-value cache up to the first patched position is the
unpatched one, shared by all specs that start there; so are its hidden states below the first
patched layer, where a pass begins. And one pass over the rest, teacher-forced, gives the next token
after every length of the chain at once. Rows and specs share batches.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

import torch

from think_to_talk.caches import with_room
from think_to_talk.hooks import begun_at, captured, replaced, returns_tuple
from think_to_talk.passes import Passes
from think_to_talk.specs import RUNS, Spec

if TYPE_CHECKING:
    from transformers import Cache, PreTrainedModel


@dataclass(frozen=True)
class Outputs:
    """What the runs of some pairs say next, as token ids.

    unpatched: {run: [rows, chain tokens]} for each token of the chain, given all before it.
    patched: for each spec [rows, forced lengths].
    """

    unpatched: dict[str, torch.Tensor]
    patched: list[torch.Tensor]


class Patcher(Passes):
    """Patched runs of pairs that share a prefix; see `Passes` for what it is made of."""

    def __init__(self, model: PreTrainedModel, prefix: Sequence[int], batch_size: int) -> None:
        super().__init__(model, prefix, batch_size)
        self._wrap = returns_tuple(model)

    def outputs(
        self,
        runs: Mapping[str, torch.Tensor],
        n_problem: int,
        specs: Sequence[Spec],
        done: Callable[[int], object] = lambda rows: None,
    ) -> Outputs:
        """The next tokens of all pairs, unpatched and under each spec.

        runs: `base` and `edited`, token ids [rows, positions] of problem and gold chain. n_problem:
        positions before the chain. done: called with the number of rows that are finished.
        """

        def patch(rows: list[int]) -> Outputs:
            return self._patch({run: ids[rows] for run, ids in runs.items()}, n_problem, specs)

        parts = []
        for rows, part in self.in_batches(list(range(len(runs["base"]))), patch):
            parts.append(part)
            done(len(rows))
        return Outputs(
            {run: torch.cat([part.unpatched[run] for part in parts]) for run in RUNS},
            [torch.cat(spec) for spec in zip(*(part.patched for part in parts), strict=True)],
        )

    @torch.inference_mode()
    def _patch(
        self, runs: dict[str, torch.Tensor], n_problem: int, specs: Sequence[Spec]
    ) -> Outputs:
        """One batch of pairs."""
        states: dict[str, dict[int, torch.Tensor]] = {}
        unpatched = {}
        for run, ids in runs.items():
            put = {layer for spec in specs if spec.source == run for layer in spec.layers}
            begun = {min(spec.layers) for spec in specs if spec.target == run and spec.layers}
            layers = sorted(put | (begun - {0}))
            states[run], unpatched[run] = self._unpatched(ids, n_problem, layers)
        # Until a pass says otherwise: what comes before the patch stays as it is.
        patched = [unpatched[spec.target][:, list(spec.forced)] for spec in specs]
        for source in RUNS:
            active = [
                (spec, result)
                for spec, result in zip(specs, patched, strict=True)
                if spec.source == source and spec.layers and spec.positions
            ]
            self._patch_from(states, runs, n_problem, active)
        return Outputs(unpatched, patched)

    def _unpatched(
        self, ids: torch.Tensor, n_problem: int, layers: Sequence[int]
    ) -> tuple[dict[int, torch.Tensor], torch.Tensor]:
        """Hidden states {layer: [rows, positions, hidden]} and next tokens [rows, chain tokens]."""
        states: dict[int, torch.Tensor] = {}
        read = torch.arange(n_problem - 1, ids.shape[1] - 1)
        with captured(self.model, layers, states.__setitem__):
            cache = self.prefix_of(len(ids))
            logits = self.forward(ids, read, cache=cache, keep_cache=False).logits
        return states, logits.argmax(dim=-1).cpu()

    def _patch_from(
        self,
        states: Mapping[str, Mapping[int, torch.Tensor]],
        runs: Mapping[str, torch.Tensor],
        n_problem: int,
        active: list[tuple[Spec, torch.Tensor]],
    ) -> None:
        """Fill in the results of specs that have one source."""
        if not active:
            return
        ids = runs[active[0][0].target]
        cache, reached = self.prefix_of(len(ids)), 0
        together = max(1, self.batch_size // len(ids))
        for (start, _), group in groupby(sorted(active, key=_beginning), key=_beginning):
            if start > reached:
                between = ids[:, reached:start]
                cache = self.forward(between, 1, cache=cache, keep_cache=True).past_key_values
                reached = start
            waiting = list(group)
            while waiting:
                some, waiting = waiting[:together], waiting[together:]
                self._patched_pass(states, ids, n_problem, cache, some)

    def _patched_pass(
        self,
        states: Mapping[str, Mapping[int, torch.Tensor]],
        ids: torch.Tensor,
        n_problem: int,
        cache: Cache | None,
        group: Sequence[tuple[Spec, torch.Tensor]],
    ) -> None:
        """One pass of rows times specs, from the position and the layer where all patches begin."""
        start, layer = _beginning(group[0])
        source, target = states[group[0][0].source], states[group[0][0].target]
        n_rows, n_specs = len(ids), len(group)
        reading = {n_problem - 1 + t for spec, _ in group for t in spec.forced}
        read = sorted(position for position in reading if position >= start)
        if not read:
            return
        tokens = ids[:, start : read[-1] + 1].repeat_interleave(n_specs, dim=0)
        where = _where([spec for spec, _ in group], start, tokens.shape[1])

        def replace(at: int, hidden: torch.Tensor) -> torch.Tensor:
            taken = source[at][:, None, start : read[-1] + 1].to(hidden.device)
            chosen = where[at].to(hidden.device)[None, :, :, None]
            return torch.where(chosen, taken, hidden.unflatten(0, (n_rows, n_specs))).flatten(0, 1)

        with ExitStack() as stack:
            if layer:
                begun = target[layer][:, start : read[-1] + 1].repeat_interleave(n_specs, dim=0)
                stack.enter_context(begun_at(self.model, layer, begun, self._wrap))
            stack.enter_context(replaced(self.model, where, replace))
            roomy = cache and with_room(cache, tokens.shape[1], n_specs)
            logits = self.forward(
                tokens, torch.tensor(read) - start, cache=roomy, keep_cache=False
            ).logits
        predicted = logits.argmax(dim=-1).cpu().unflatten(0, (n_rows, n_specs))
        place = {position: i for i, position in enumerate(read)}
        for i, (spec, result) in enumerate(group):
            for j, t in enumerate(spec.forced):
                if n_problem - 1 + t in place:
                    result[:, j] = predicted[:, i, place[n_problem - 1 + t]]


def _beginning(item: tuple[Spec, torch.Tensor]) -> tuple[int, int]:
    """The first position and the first layer that are patched."""
    return min(item[0].positions), min(item[0].layers)


def _where(specs: Sequence[Spec], start: int, n_positions: int) -> dict[int, torch.Tensor]:
    """{layer: [specs, positions] whether the state is replaced}, positions counted from `start`."""
    layers = sorted({layer for spec in specs for layer in spec.layers})
    where = {layer: torch.zeros(len(specs), n_positions, dtype=torch.bool) for layer in layers}
    for i, spec in enumerate(specs):
        inside = torch.tensor([p - start for p in spec.positions if p - start < n_positions])
        for layer in spec.layers:
            where[layer][i, inside] = True
    return where

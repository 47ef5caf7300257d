"""Runs whose hidden states are replaced up to where something is read, and what follows them.

`interventions.whole_numbers` passes beginnings of runs once, and several continuations of each.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from think_to_talk.hidden_states.hooks import Hook
from think_to_talk.hidden_states.passes import Context, Passes
from think_to_talk.interventions.specs import Spec


@dataclass(frozen=True)
class Patch:
    """Hidden states that replace those of runs; each run is of a pair, under a spec.

    states: {layer: [pairs, tokens, hidden]} of the source's runs.
    replaced: {layer: [specs, tokens] whether the state is replaced}.
    """

    states: Mapping[int, Tensor]
    replaced: Mapping[int, Tensor]

    @classmethod
    def of(cls, states: Mapping[int, Tensor], specs: Sequence[Spec], n_tokens: int) -> Patch:
        """The patch of specs whose positions are tokens, in runs of so many tokens."""
        layers = sorted({layer for spec in specs for layer in spec.layers})
        replaced = {layer: torch.zeros(len(specs), n_tokens, dtype=torch.bool) for layer in layers}
        for i, spec in enumerate(specs):
            for layer in spec.layers:
                replaced[layer][i, list(spec.positions)] = True
        return cls(states, replaced)

    @property
    def layers(self) -> list[int]:
        """The layers at which it replaces states."""
        return list(self.replaced)

    def hook(self, pairs: Tensor, specs: Tensor, first: int, end: int) -> Hook:
        """What replaces the states of a pass.

        pairs, specs: [rows] of the pass.
        first: token at which it begins. end: from which on no state is replaced.
        """

        def replace(layer: int, hidden: Tensor) -> Tensor | None:
            chosen = self.replaced[layer][specs, first:end]
            if not chosen.any():
                return None
            changed = hidden.clone()
            taken = self.states[layer][pairs, first:end].to(hidden.device)
            here = changed[:, : end - first]
            here[:] = torch.where(chosen.to(hidden.device)[..., None], taken, here)
            return changed

        return replace


@dataclass(frozen=True)
class Begun:
    """Runs up to what is read.

    context: the tokens before `start`.
    ids: [rows, tokens] from `start` on.
    pairs, specs: [rows] of each run.
    patch: what is replaced in them.
    end: token from which on nothing is replaced, also of what follows.
    """

    context: Context
    ids: Tensor
    pairs: Tensor
    specs: Tensor
    patch: Patch
    start: int
    end: int

    def followed_by(self, passes: Passes, rows: Tensor, ids: Tensor) -> Tensor:
        """Logits [rows, tokens + 1, vocabulary] of what follows, from the end of the beginning on.

        rows: of the beginning, each any number of times.
        ids: [rows, tokens] behind it.
        """
        tokens = torch.cat([self.ids[rows], ids], dim=1)
        end = min(self.end, self.start + tokens.shape[1])
        logits, _ = passes.forward(
            tokens,
            ids.shape[1] + 1,
            self.context.repeated(1, tokens.shape[1]).select(rows.tolist()),
            layers=self.patch.layers,
            hook=self.patch.hook(self.pairs[rows], self.specs[rows], self.start, end),
        )
        return logits

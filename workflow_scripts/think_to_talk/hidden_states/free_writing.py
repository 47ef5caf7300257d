"""Free writing: what a model writes by itself after hidden states of its run have been replaced.

Steering (`steering.steered_runs`) moves one state of a run, patches of the problem
(`interventions.free_writing`) replace many. From there on the model is given nothing.

Runs that begin at the same position share the key-value cache of the tokens before it. As in
verified decoding (`hidden_states.decoding`), one pass over a draft, the gold chain, shows how far a
run writes it; from there on it is decoded by tokens.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from think_to_talk.hidden_states.passes import Context, Passes


@dataclass
class Run:
    """One run, whose states are replaced in what it is given.

    row: of the context that it follows.
    given: ids [tokens] behind the context.
    draft: ids [tokens] of the chain that it may write.
    further: tokens that it may write beyond as many as the draft has, where numbers may be longer.
    replaced: {layer: (positions in `given` [n], states [n, hidden])}.
    written: ids that the model writes, up to what ends the generation, or `limit`.
    """

    row: int
    given: Tensor
    draft: Tensor
    replaced: Mapping[int, tuple[Tensor, Tensor]]
    further: int = 0
    written: list[int] = field(default_factory=list)

    @property
    def limit(self) -> int:
        """Tokens at which its generation is cut."""
        return len(self.draft) + self.further


@dataclass(frozen=True)
class FreeWriter:
    """Lets a model write on in runs behind a context.

    passes: a model's passes, in batches.
    stop_ids: ids of the tokens that end a generation.
    """

    passes: Passes
    stop_ids: frozenset[int]

    @torch.inference_mode()
    def write(self, context: Context, runs: Sequence[Run]) -> None:
        """Write on in all runs, which are given as many tokens, and have drafts of one length.

        context: the tokens of some rows before; it stays as it is.
        """
        for some in self._chunks(runs):
            tokens = torch.stack([torch.cat([run.given, run.draft]) for run in some])
            n_given = len(some[0].given)
            read = torch.arange(n_given - 1, tokens.shape[1] - 1)
            logits, _ = self._forward(context, some, tokens, read, keep_cache=False)
            predicted = logits.argmax(dim=-1).cpu()
            drafts = tokens[:, n_given:]
            agrees = (predicted == drafts).long().cumprod(dim=1).sum(dim=1).tolist()
            for run, n, draft, said in zip(some, agrees, drafts, predicted, strict=True):
                run.written = [*draft[:n].tolist(), *said[n : n + 1].tolist()]
        # Runs with a similar first divergence go together: fewer steps repeat known tokens.
        unfinished = sorted(
            (run for run in runs if not self._ended(run)), key=lambda run: len(run.written)
        )
        for some in self._chunks(unfinished):
            self._decode(context, some)

    def _chunks(self, runs: Sequence[Run]) -> Iterator[Sequence[Run]]:
        for first in range(0, len(runs), self.passes.batch_size):
            yield runs[first : first + self.passes.batch_size]

    def _ended(self, run: Run) -> bool:
        """Whether a run's generation has come to its end."""
        return run.written[-1] in self.stop_ids or len(run.written) >= run.limit

    def _decode(self, context: Context, runs: Sequence[Run]) -> None:
        """Decode runs token by token, from where the shortest of them has come to.

        Longer ones are fed what they have written until it is used up.
        """
        steps = self.passes.facts.steps_cache
        done = min(len(run.written) for run in runs)
        known = [[*run.given.tolist(), *run.written[:done]] for run in runs]
        logits, after = self._forward(context, runs, torch.tensor(known), 1, keep_cache=steps)
        while True:
            said = logits[:, -1].argmax(dim=-1).tolist()
            for run, tokens, token in zip(runs, known, said, strict=True):
                if len(run.written) == done and not self._ended(run):
                    run.written.append(token)
                # What stands behind the end of a generation is read by nobody.
                tokens.append(run.written[done] if done < len(run.written) else 0)
            done += 1
            if all(map(self._ended, runs)):
                return
            if steps:
                last = torch.tensor(known)[:, -1:]
                logits, after = self.passes.forward(last, 1, after, keep_cache=True)
            else:
                logits, _ = self._forward(context, runs, torch.tensor(known), 1, keep_cache=False)

    def _forward(
        self,
        context: Context,
        runs: Sequence[Run],
        tokens: Tensor,
        read: int | Tensor,
        *,
        keep_cache: bool,
    ) -> tuple[Tensor, Context]:
        """One pass over tokens [runs, n] that begin with what each run is given.

        read, keep_cache: as of `Passes.forward`.
        """
        layers = sorted({layer for run in runs for layer in run.replaced})

        def replace(layer: int, hidden: Tensor) -> Tensor:
            changed = hidden.clone()
            for i, run in enumerate(runs):
                if layer in run.replaced:
                    positions, states = run.replaced[layer]
                    changed[i, positions.to(hidden.device)] = states.to(hidden)
            return changed

        room = tokens.shape[1] + max(run.limit for run in runs)
        of_runs = context.repeated(1, room).select([run.row for run in runs])
        return self.passes.forward(
            tokens, read, of_runs, keep_cache=keep_cache, layers=layers, hook=replace
        )

"""Greedy decoding with hidden states, by verification of the gold chain of thought.

The prompts come from token shards (`tokens/shards.py`); `hidden_states/shards.py` stores what is
decoded here, and inconsistent chains are continued with it.

Method: one teacher-forced pass over prompt and gold chain gives the prediction and hidden state of
every position at once. Up to the first prediction that differs from the gold, greedy decoding
writes exactly the gold, so only rows that diverge are decoded token by token, from there on. This
is the verification step of speculative decoding (Leviathan et al., arXiv:2211.17192) with the gold
chain as the draft. When a model diverges so often that verification costs more than it saves, the
remaining rows are decoded token by token from the start.

All rows of a batch have the same prompt length. Padding follows a shorter generation, where a
causal model does not attend to it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial

import torch

from think_to_talk.hidden_states.passes import Passes
from think_to_talk.hidden_states.verification import VerificationYield

#: Rows of the first batch, which shows how often the model writes the gold chain.
_PILOT_ROWS = 8


@dataclass(frozen=True)
class Decoded:
    """A batch of finished rows.

    rows: their numbers.
    generated: token ids of each row, up to and including the token that ends it.
    exact: whether greedy decoding writes the gold chain, token by token, and ends it.
    hidden: {layer: [rows, positions, hidden]} on the CPU, of problem and generation; positions
        after a row's end hold zeros.
    """

    rows: list[int]
    generated: list[list[int]]
    exact: list[bool]
    hidden: dict[int, torch.Tensor]


class VerifiedDecoder:
    """Greedy decoding of rows that share a prefix.

    passes: a model's passes behind the few-shot examples, in batches.
    layers: the layers whose hidden states are kept.
    stop_ids: ids of the tokens that end a generation.
    max_new_tokens: the length at which a generation is cut.
    """

    def __init__(
        self,
        passes: Passes,
        layers: Sequence[int],
        stop_ids: Sequence[int],
        max_new_tokens: int,
    ) -> None:
        self.passes = passes
        self.layers = list(layers)
        self.stop_ids = set(stop_ids)
        self.max_new_tokens = max_new_tokens

    def decode(
        self,
        problem: torch.Tensor,
        gold: torch.Tensor,
        *,
        teacher_forced: bool = False,
        endings: Collection[int] = (),
        kept: int | None = None,
    ) -> Iterator[Decoded]:
        """Decode all rows and yield them in batches as they are finished, in no fixed order.

        Generations longer than the gold keep their hidden states up to its length, or `kept`.

        problem: [rows, positions] token ids.
        gold: [rows, tokens] ids of the gold chain, up to its newline.
        teacher_forced: every row's generation is the gold, whatever the model would write.
        endings: ids that an exact generation may have in place of the gold's last token.
        kept: generated tokens whose hidden states are kept, at least those of the gold.
        """
        draft = gold[:, : self.max_new_tokens]
        n_problem, n_gold = problem.shape[1], gold.shape[1]
        n_kept = n_gold if kept is None else kept
        ends = torch.tensor(list(endings), dtype=torch.long)
        measured = VerificationYield.on(self.passes.model.device.type)
        waiting = list(range(len(problem)))
        open_rows: list[tuple[int, list[int]]] = []

        def verify(numbers: list[int]) -> tuple[torch.Tensor, dict[int, torch.Tensor]]:
            return self._verify(problem[numbers], draft[numbers], n_problem + n_kept)

        def decode_on(batch: list[tuple[int, list[int]]]) -> Decoded:
            return self._continue(problem, batch, gold, endings, n_kept)

        while waiting and (teacher_forced or measured.pays(n_problem, draft.shape[1])):
            size = self.passes.batch_size if teacher_forced or measured.rows else _PILOT_ROWS
            numbers, waiting = waiting[:size], waiting[size:]
            for batch, (predicted, hidden) in self.passes.in_batches(numbers, verify):
                rows = torch.tensor(batch)
                agrees = (predicted == draft[rows]).long().cumprod(dim=1).sum(dim=1)
                measured.add(agrees, draft.shape[1])
                verified = agrees == draft.shape[1]
                ended = agrees.ge(n_gold - 1) & torch.isin(predicted[:, -1], ends)
                exact = (verified | ended) & (draft.shape[1] == n_gold)
                keep = torch.ones_like(verified) if teacher_forced else verified
                if keep.any():
                    yield Decoded(
                        rows=rows[keep].tolist(),
                        generated=draft[rows[keep]].tolist(),
                        exact=exact[keep].tolist(),
                        hidden=_only(hidden, keep),
                    )
                for i in torch.nonzero(~keep).flatten().tolist():
                    n = int(agrees[i])
                    known = [*draft[rows[i], :n].tolist(), int(predicted[i, n])]
                    open_rows.append((int(rows[i]), known))
        open_rows += [(row, []) for row in waiting]
        # Rows with a similar first divergence go together: fewer steps repeat known tokens.
        open_rows.sort(key=lambda row: len(row[1]))
        for _, decoded in self.passes.in_batches(open_rows, decode_on):
            yield decoded

    def _ended(self, generated: list[int]) -> bool:
        stopped = bool(generated) and generated[-1] in self.stop_ids
        return stopped or len(generated) >= self.max_new_tokens

    def _pass(
        self, ids: torch.Tensor, n_logits: int, n_positions: int
    ) -> tuple[torch.Tensor, dict[int, torch.Tensor]]:
        """Logits and hidden states of one pass over prefix and ids, padded with zero positions.

        Returns ([rows, n_logits, vocabulary], {layer: [rows, n_positions, hidden]} on the CPU).
        """
        states = _States(len(ids), n_positions, self.layers)
        with torch.inference_mode():
            context = self.passes.prefix(*ids.shape)
            logits, _ = self.passes.forward(
                ids, n_logits, context, layers=self.layers, hook=states.store
            )
            hidden = states.until(torch.full((len(ids),), ids.shape[1]))
        return logits, hidden

    def _verify(
        self, problem: torch.Tensor, gold: torch.Tensor, n_positions: int
    ) -> tuple[torch.Tensor, dict[int, torch.Tensor]]:
        """Greedy predictions for each gold token given those before it, and the hidden states."""
        ids = torch.cat([problem, gold], dim=1)
        logits, hidden = self._pass(ids, gold.shape[1] + 1, n_positions)
        return logits[:, :-1].argmax(dim=-1).cpu(), hidden

    @torch.inference_mode()
    def _continue(
        self,
        problem: torch.Tensor,
        rows: list[tuple[int, list[int]]],
        gold: torch.Tensor,
        endings: Collection[int],
        n_kept: int,
    ) -> Decoded:
        """Continue each row's generation from its known first tokens to its end.

        Decoding starts where the shortest row's known tokens end; longer ones are fed their known
        tokens until those are used up.

        problem: [rows, positions] token ids of all rows.
        rows: (number, known first tokens of the generation) of each row of the batch.
        gold: [rows, tokens] ids of all rows.
        endings: ids that an exact generation may have in place of the gold's last token.
        n_kept: generated tokens whose hidden states are kept.
        """
        numbers, known = [number for number, _ in rows], [tokens for _, tokens in rows]
        problem, gold = problem[numbers], gold[numbers]
        generated = [list(row) for row in known]
        start = min(map(len, known))
        shared = torch.tensor([row[:start] for row in known], dtype=problem.dtype)
        states = _States(len(rows), problem.shape[1] + n_kept, self.layers)
        run = partial(self.passes.forward, layers=self.layers, hook=states.store)
        ids = torch.cat([problem, shared], dim=1)
        room = problem.shape[1] + self.max_new_tokens
        prefix = self.passes.prefix(len(rows), room)
        steps = self.passes.facts.steps_cache
        logits, context = run(ids, 1, prefix, keep_cache=steps)
        if prefix.cache is None:
            context = context.repeated(1, room - ids.shape[1])
        for t in range(start, self.max_new_tokens):
            predicted = logits[:, -1].argmax(dim=-1).tolist()
            for row, token in zip(states.active, predicted, strict=True):
                if len(generated[row]) == t and not self._ended(generated[row]):
                    generated[row].append(token)
            # The last token is fed as well if its hidden state is kept.
            running = [
                i
                for i, row in enumerate(states.active)
                if len(generated[row]) > t and (t < n_kept or not self._ended(generated[row]))
            ]
            if not running:
                break
            # Finished rows stay until they are half of the batch: dropping them copies the cache.
            if len(running) <= len(states.active) // 2:
                context = context.select(running)
                states.active = [states.active[i] for i in running]
            step = [generated[row][t] if t < len(generated[row]) else 0 for row in states.active]
            logits, context = run(torch.tensor(step)[:, None], 1, context, keep_cache=steps)
        lengths = torch.tensor([problem.shape[1] + len(row) for row in generated])
        exact = [
            ids[:-1] == row[:-1] and len(ids) == len(row) and ids[-1] in {row[-1], *endings}
            for ids, row in zip(generated, gold.tolist(), strict=True)
        ]
        return Decoded(numbers, generated, exact, states.until(lengths))


def _only(hidden: dict[int, torch.Tensor], keep: torch.Tensor) -> dict[int, torch.Tensor]:
    """Hidden states of the rows marked in keep [rows]; no copy if all are."""
    return hidden if keep.all() else {layer: state[keep] for layer, state in hidden.items()}


@dataclass
class _States:
    """Hidden states of rows, gathered over consecutive passes.

    rows: number of rows.
    positions: number of positions that are kept.
    layers: the layers that each pass stores.
    active: the rows in the batch of the next pass.
    hidden: {layer: [rows, positions, hidden]} on the CPU.
    """

    rows: int
    positions: int
    layers: Sequence[int]
    active: list[int] = field(init=False)
    hidden: dict[int, torch.Tensor] = field(default_factory=dict)
    _reached: dict[int, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.active = list(range(self.rows))

    def store(self, layer: int, state: torch.Tensor) -> None:
        """Append a layer's states [active rows, positions of a pass, hidden]."""
        if layer not in self.hidden:
            shape = (self.rows, self.positions, state.shape[-1])
            self.hidden[layer] = state.new_empty(shape, device="cpu")
        start = self._reached.get(layer, 0)
        end = min(start + state.shape[1], self.positions)
        self._reached[layer] = end
        if end > start:
            # Copying a slice is faster than copying rows by number.
            rows = slice(None) if len(self.active) == self.rows else self.active
            self.hidden[layer][rows, start:end] = state[:, : end - start].cpu()

    def until(self, lengths: torch.Tensor) -> dict[int, torch.Tensor]:
        """All states, set to zero from each row's length on; lengths: [rows].

        Raises AssertionError if the passes did not reach a layer, or not so far.
        """
        wanted = min(int(lengths.max()), self.positions)
        short = {layer: n for layer, n in self._reached.items() if n < wanted}
        assert not short, (short, wanted)
        assert len(self.hidden) == len(self.layers)
        beyond = torch.arange(self.positions) >= lengths[:, None]
        if beyond.any():
            for state in self.hidden.values():
                state[beyond] = 0
        return self.hidden

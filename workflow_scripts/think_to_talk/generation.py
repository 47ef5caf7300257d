"""Greedy decoding with hidden states, by verification.

The gold chain of thought is usually what the model would write. One teacher-forced pass over
prompt and gold gives every position's prediction and hidden state at once: up to the first
prediction that differs from the gold, greedy decoding would have written exactly the gold. Only
the rows that diverge are decoded token by token, from there on. A model that diverges so often that
passing over the gold does not pay is decoded token by token from the start.

All rows of a batch have the same prompt length, and what pads a shorter generation comes after it,
where a causal model does not look.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import torch

from think_to_talk.caches import with_room
from think_to_talk.hooks import captured
from think_to_talk.passes import Passes

if TYPE_CHECKING:
    from transformers import Cache, PreTrainedModel

#: Rows of the first batch, which shows how often the model writes the gold chain.
_PILOT_ROWS = 8
#: What decoding a token costs, in tokens of a teacher-forced pass: a GPU decodes at the speed of
#: its memory, a CPU nearly at that of its arithmetic.
_STEP_COST = {"cpu": 2.0, "cuda": 20.0}


@dataclass(frozen=True)
class Decoded:
    """A batch of finished rows.

    rows: their numbers. generated: token ids, up to and including the newline that ends them.
    exact: whether greedy decoding writes the gold chain, token by token.
    hidden: {layer: [rows, positions, hidden]} on the CPU, of problem and generation; positions
        after a row's own end hold zeros.
    """

    rows: list[int]
    generated: list[list[int]]
    exact: list[bool]
    hidden: dict[int, torch.Tensor]


@dataclass
class _Experience:
    """What verification has brought so far, from which follows whether it pays.

    step_cost: of a decoded token, in tokens of a pass. Sums over rows: agreed, tokens of the gold
    that the model would have written; verified, rows of which it would have written all.
    """

    step_cost: float
    rows: int = 0
    verified: int = 0
    agreed: int = 0

    def add(self, agreed: torch.Tensor, n_gold: int) -> None:
        """agreed: [rows] tokens at the start of each row's gold that the model predicts."""
        self.rows += len(agreed)
        self.verified += int((agreed == n_gold).sum())
        self.agreed += int(agreed.sum())

    def pays(self, n_problem: int, n_gold: int) -> bool:
        """Whether a pass over problem and gold costs less than the decoding that it saves.

        It saves the decoding of what agrees; a row that diverges is passed again up to there.
        """
        if not self.rows:
            return True
        saved = self.step_cost * self.agreed + n_problem * self.verified
        again = self.agreed - self.verified * n_gold
        return saved > self.rows * (n_problem + n_gold) + again


class VerifiedDecoder(Passes):
    """Greedy decoding of rows that share a prefix.

    model: a causal language model. layers: the hidden states wanted. stop_ids: tokens that end a
    generation. prefix: ids of the few-shot examples; run once, its key-value cache reused.
    batch_size: rows at a time; halved, with a warning, whenever memory runs out.
    """

    def __init__(
        self,
        model: PreTrainedModel,
        layers: Sequence[int],
        stop_ids: Sequence[int],
        prefix: Sequence[int],
        max_new_tokens: int,
        batch_size: int,
    ) -> None:
        super().__init__(model, prefix, batch_size)
        self.layers = list(layers)
        self.stop_ids = set(stop_ids)
        self.max_new_tokens = max_new_tokens

    def decode(
        self, problem: torch.Tensor, gold: torch.Tensor, *, teacher_forced: bool = False
    ) -> Iterator[Decoded]:
        """Decode all rows and yield them in batches as they are finished, in no fixed order.

        problem: [rows, positions] token ids. gold: [rows, tokens] ids of the gold chain, to its
        newline. Generations longer than the gold keep their hidden states up to its length.
        teacher_forced: every row's generation is the gold, whatever the model would write.
        """
        gold_shown = gold[:, : self.max_new_tokens]
        n_problem, n_gold = problem.shape[1], gold.shape[1]
        experience = _Experience(_STEP_COST.get(self.model.device.type, max(_STEP_COST.values())))
        waiting = list(range(len(problem)))
        open_rows: list[tuple[int, list[int]]] = []

        def verify(numbers: list[int]) -> tuple[torch.Tensor, dict[int, torch.Tensor]]:
            return self._verify(problem[numbers], gold_shown[numbers], n_problem + n_gold)

        def go_on(batch: list[tuple[int, list[int]]]) -> Decoded:
            return self._continue(problem, batch, gold)

        while waiting and (teacher_forced or experience.pays(n_problem, gold_shown.shape[1])):
            size = self.batch_size if teacher_forced or experience.rows else _PILOT_ROWS
            numbers, waiting = waiting[:size], waiting[size:]
            for batch, (predicted, hidden) in self.in_batches(numbers, verify):
                rows = torch.tensor(batch)
                agrees = (predicted == gold_shown[rows]).long().cumprod(dim=1).sum(dim=1)
                experience.add(agrees, gold_shown.shape[1])
                verified = agrees == gold_shown.shape[1]
                exact = verified & (gold_shown.shape[1] == n_gold)
                keep = torch.ones_like(verified) if teacher_forced else verified
                if keep.any():
                    yield Decoded(
                        rows=rows[keep].tolist(),
                        generated=gold_shown[rows[keep]].tolist(),
                        exact=exact[keep].tolist(),
                        hidden=_only(hidden, keep),
                    )
                for i in torch.nonzero(~keep).flatten().tolist():
                    n = int(agrees[i])
                    known = [*gold_shown[rows[i], :n].tolist(), int(predicted[i, n])]
                    open_rows.append((int(rows[i]), known))
        open_rows += [(row, []) for row in waiting]
        # Rows with a similar first divergence go together: fewer steps repeat known tokens.
        open_rows.sort(key=lambda row: len(row[1]))
        for _, decoded in self.in_batches(open_rows, go_on):
            yield decoded

    def _ended(self, generated: list[int]) -> bool:
        stopped = bool(generated) and generated[-1] in self.stop_ids
        return stopped or len(generated) >= self.max_new_tokens

    def _prefix(self, rows: int, tokens: int) -> Cache | None:
        """The prefix's key-value cache for so many rows, with memory for so many tokens more."""
        return self.prefix_cache and with_room(self.prefix_cache, tokens, rows)

    def _pass(
        self, ids: torch.Tensor, n_logits: int, n_positions: int
    ) -> tuple[torch.Tensor, dict[int, torch.Tensor]]:
        """Logits and hidden states of one pass over prefix + ids, positions filled up with zeros.

        Returns ([rows, n_logits, vocabulary], {layer: [rows, n_positions, hidden]} on the CPU).
        """
        states = _States(len(ids), n_positions)
        with torch.inference_mode(), captured(self.model, self.layers, states.store):
            output = self.forward(ids, n_logits, cache=self._prefix(*ids.shape), keep_cache=False)
            hidden = states.until(torch.full((len(ids),), ids.shape[1]))
        return output.logits, hidden

    def _verify(
        self, problem: torch.Tensor, gold: torch.Tensor, n_positions: int
    ) -> tuple[torch.Tensor, dict[int, torch.Tensor]]:
        """Greedy predictions for each gold token given those before it, and the hidden states."""
        ids = torch.cat([problem, gold], dim=1)
        logits, hidden = self._pass(ids, gold.shape[1] + 1, n_positions)
        return logits[:, :-1].argmax(dim=-1).cpu(), hidden

    @torch.inference_mode()
    def _continue(
        self, problem: torch.Tensor, rows: list[tuple[int, list[int]]], gold: torch.Tensor
    ) -> Decoded:
        """Decode on from the known first tokens of each row's generation, to its end.

        The steps start where the shortest row's known tokens end; a longer one is fed what is known
        of it till then. Hidden states are kept of as many generated tokens as the gold has.
        """
        numbers, known = [number for number, _ in rows], [tokens for _, tokens in rows]
        problem, gold = problem[numbers], gold[numbers]
        n_gold = gold.shape[1]
        generated = [list(row) for row in known]
        start = min(map(len, known))
        begun = torch.tensor([row[:start] for row in known], dtype=problem.dtype)
        states = _States(len(rows), problem.shape[1] + n_gold)
        with captured(self.model, self.layers, states.store):
            ids = torch.cat([problem, begun], dim=1)
            room = problem.shape[1] + self.max_new_tokens
            output = self.forward(ids, 1, cache=self._prefix(len(rows), room), keep_cache=True)
            cache = output.past_key_values
            if self.prefix_cache is None:
                cache = with_room(cache, room - ids.shape[1])
            for t in range(start, self.max_new_tokens):
                predicted = output.logits[:, -1].argmax(dim=-1).tolist()
                for row, token in zip(states.active, predicted, strict=True):
                    if len(generated[row]) == t and not self._ended(generated[row]):
                        generated[row].append(token)
                # The last token is fed too, if its hidden state is wanted.
                running = [
                    i
                    for i, row in enumerate(states.active)
                    if len(generated[row]) > t and (t < n_gold or not self._ended(generated[row]))
                ]
                if not running:
                    break
                # Finished rows are carried along until they are half of the batch: dropping them
                # copies the cache.
                if len(running) <= len(states.active) // 2:
                    # An index on the CPU serves the cache of every layer, on whatever device it is.
                    cache.batch_select_indices(torch.tensor(running))
                    states.active = [states.active[i] for i in running]
                step = [
                    generated[row][t] if t < len(generated[row]) else 0 for row in states.active
                ]
                ids = torch.tensor(step)[:, None]
                output = self.forward(ids, 1, cache=cache, keep_cache=True)
        lengths = torch.tensor([problem.shape[1] + len(row) for row in generated])
        exact = [ids == row for ids, row in zip(generated, gold.tolist(), strict=True)]
        return Decoded(numbers, generated, exact, states.until(lengths))


def _only(hidden: dict[int, torch.Tensor], keep: torch.Tensor) -> dict[int, torch.Tensor]:
    """Hidden states of the rows to keep [rows]; not copied if these are all."""
    return hidden if keep.all() else {layer: state[keep] for layer, state in hidden.items()}


@dataclass
class _States:
    """Hidden states of rows, gathered from passes that follow on each other.

    positions: how many are kept. active: the rows in the batch of the next pass. hidden: {layer:
    [rows, positions, hidden]} on the CPU.
    """

    rows: int
    positions: int
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
            # A slice is copied faster than rows by number.
            rows = slice(None) if len(self.active) == self.rows else self.active
            self.hidden[layer][rows, start:end] = state[:, : end - start].cpu()

    def until(self, lengths: torch.Tensor) -> dict[int, torch.Tensor]:
        """The states, zero from each row's length [rows] on."""
        beyond = torch.arange(self.positions) >= lengths[:, None]
        if beyond.any():
            for state in self.hidden.values():
                state[beyond] = 0
        return self.hidden

"""Greedy decoding with hidden states, by verification.

The gold chain of thought is usually what the model would write. One teacher-forced pass over
prompt and gold gives every position's prediction and hidden state at once: up to the first
prediction that differs from the gold, greedy decoding would have written exactly the gold. Only
the rows that diverge are decoded token by token, from there on, and passed once more.

No attention masks or position ids are needed, hence no knowledge of the architecture: all rows of
a batch have the same prompt length, and what pads a shorter generation comes after it, where a
causal model does not look.
"""

from __future__ import annotations

import copy
import inspect
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import torch
from accelerate.utils.memory import clear_device_cache, should_reduce_batch_size

from think_to_talk.errors import InputError

if TYPE_CHECKING:
    from transformers import Cache, PreTrainedModel

Row = TypeVar("Row")
Result = TypeVar("Result")


def decoder_blocks(model: PreTrainedModel) -> torch.nn.ModuleList:
    """The model's blocks, found as the one list of as many modules as the config has layers."""
    n_layers = model.config.get_text_config().num_hidden_layers
    found = [
        module
        for module in model.modules()
        if isinstance(module, torch.nn.ModuleList) and len(module) == n_layers
    ]
    if not found:
        raise InputError(
            f"{type(model).__name__}: no list of {n_layers} decoder blocks found; only "
            "decoder-only causal language models are supported"
        )
    return found[0]


@contextmanager
def captured(
    model: PreTrainedModel, layers: Sequence[int], store: Callable[[int, torch.Tensor], None]
) -> Iterator[None]:
    """Call `store(layer, hidden_state)` for the chosen layers of every forward pass in the block.

    Layer 0 is the input of the first block (the embedding output), layer l the output of block l.
    hidden_state: [rows, positions, hidden], on the model's device; nothing else is kept.
    """
    blocks = decoder_blocks(model)

    def before_first(_module: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        store(0, args[0] if args else kwargs["hidden_states"])

    def after(layer: int) -> Callable[..., None]:
        def hook(_module: Any, _args: Any, output: Any) -> None:
            store(layer, output[0] if isinstance(output, tuple) else output)

        return hook

    handles = [
        blocks[0].register_forward_pre_hook(before_first, with_kwargs=True)
        if layer == 0
        else blocks[layer - 1].register_forward_hook(after(layer))
        for layer in layers
    ]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


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


class VerifiedDecoder:
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
        self.model = model
        self.layers = list(layers)
        self.stop_ids = set(stop_ids)
        self.max_new_tokens = max_new_tokens
        self.batch_size = batch_size
        self._selects_logits = "logits_to_keep" in inspect.signature(model.forward).parameters
        self._prefix_cache: Cache | None = None
        if prefix:
            for _, cache in self._in_batches([list(prefix)], self._run_prefix):
                self._prefix_cache = cache

    def decode(
        self, problem: torch.Tensor, gold: torch.Tensor, *, teacher_forced: bool = False
    ) -> Iterator[Decoded]:
        """Decode all rows and yield them in batches as they are finished, in no fixed order.

        problem: [rows, positions] token ids. gold: [rows, tokens] ids of the gold chain, to its
        newline. Generations longer than the gold keep their hidden states up to its length.
        teacher_forced: every row's generation is the gold, whatever the model would write.
        """
        gold_shown = gold[:, : self.max_new_tokens]
        n_positions = problem.shape[1] + gold.shape[1]
        open_rows: list[tuple[int, list[int]]] = []
        closed_rows: list[tuple[int, list[int]]] = []

        def verify(numbers: list[int]) -> tuple[torch.Tensor, dict[int, torch.Tensor]]:
            return self._verify(problem[numbers], gold_shown[numbers], n_positions)

        for numbers, (predicted, hidden) in self._in_batches(list(range(len(problem))), verify):
            rows = torch.tensor(numbers)
            agrees = (predicted == gold_shown[rows]).long().cumprod(dim=1).sum(dim=1)
            verified = agrees == gold_shown.shape[1]
            exact = verified & (gold_shown.shape[1] == gold.shape[1])
            keep = torch.ones_like(verified) if teacher_forced else verified
            if keep.any():
                yield Decoded(
                    rows=rows[keep].tolist(),
                    generated=gold_shown[rows[keep]].tolist(),
                    exact=exact[keep].tolist(),
                    hidden={layer: state[keep] for layer, state in hidden.items()},
                )
            for i in torch.nonzero(~keep).flatten().tolist():
                n = int(agrees[i])
                known = [*gold_shown[rows[i], :n].tolist(), int(predicted[i, n])]
                (closed_rows if self._ended(known) else open_rows).append((int(rows[i]), known))
        # Rows with a similar first divergence go together: fewer steps repeat known tokens.
        open_rows.sort(key=lambda row: len(row[1]))

        def finish(batch: list[tuple[int, list[int]]]) -> Decoded:
            return self._finish(problem, batch, gold.shape[1])

        def go_on(batch: list[tuple[int, list[int]]]) -> Decoded:
            return finish(self._continue(problem, batch))

        for _, decoded in self._in_batches(open_rows, go_on):
            yield decoded
        for _, decoded in self._in_batches(closed_rows, finish):
            yield decoded

    def _in_batches(
        self, rows: list[Row], step: Callable[[list[Row]], Result]
    ) -> Iterator[tuple[list[Row], Result]]:
        """`step` of all rows, a batch at a time; the batch is halved when memory runs out.

        Raises InputError if there is not enough memory for a single row.
        """
        start = 0
        while start < len(rows):
            batch = rows[start : start + self.batch_size]
            try:
                result = step(batch)
            except RuntimeError as error:
                if not should_reduce_batch_size(error):
                    raise
                if len(batch) == 1:
                    raise InputError(
                        "out of memory with a single row at a time: a device with more memory is "
                        f"needed, or a smaller dtype ({str(error).splitlines()[0]})"
                    ) from None
                # Not here: what the error's traceback holds on to is freed after this block only.
                result = None
            if result is None:
                self.batch_size = len(batch) // 2
                clear_device_cache(garbage_collection=True)
                warnings.warn(
                    f"out of memory with a batch of {len(batch)} rows: going on with "
                    f"{self.batch_size}. Set the model's batch_size to start with that",
                    stacklevel=3,
                )
                continue
            start += len(batch)
            yield batch, result

    @torch.inference_mode()
    def _run_prefix(self, prefix: list[list[int]]) -> Cache:
        """The key-value cache of the prefix (one row)."""
        return self._forward(torch.tensor(prefix), n_logits=1, keep_cache=True).past_key_values

    def _ended(self, generated: list[int]) -> bool:
        return generated[-1] in self.stop_ids or len(generated) >= self.max_new_tokens

    def _forward(
        self, ids: torch.Tensor, n_logits: int, *, cache: Cache | None = None, keep_cache: bool
    ) -> Any:
        """One forward pass; logits of the last `n_logits` positions only."""
        options: dict[str, Any] = {"logits_to_keep": n_logits} if self._selects_logits else {}
        output = self.model(
            input_ids=ids.to(self.model.device),
            past_key_values=cache,
            use_cache=keep_cache or cache is not None,
            **options,
        )
        if not self._selects_logits:
            output.logits = output.logits[:, -n_logits:]
        return output

    def _prefix(self, rows: int) -> Cache | None:
        """A copy of the prefix's key-value cache for so many rows."""
        if self._prefix_cache is None:
            return None
        cache = copy.deepcopy(self._prefix_cache)
        cache.batch_repeat_interleave(rows)
        return cache

    def _pass(
        self, ids: torch.Tensor, n_logits: int, n_positions: int
    ) -> tuple[torch.Tensor, dict[int, torch.Tensor]]:
        """Logits and hidden states of one pass over prefix + ids, positions filled up with zeros.

        Returns ([rows, n_logits, vocabulary], {layer: [rows, n_positions, hidden]} on the CPU).
        """
        hidden: dict[int, torch.Tensor] = {}

        def store(layer: int, state: torch.Tensor) -> None:
            kept = state.new_zeros((len(ids), n_positions, state.shape[-1]), device="cpu")
            n = min(n_positions, state.shape[1])
            kept[:, :n] = state[:, :n]
            hidden[layer] = kept

        with torch.inference_mode(), captured(self.model, self.layers, store):
            output = self._forward(ids, n_logits, cache=self._prefix(len(ids)), keep_cache=False)
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
        self, problem: torch.Tensor, rows: list[tuple[int, list[int]]]
    ) -> list[tuple[int, list[int]]]:
        """Decode on from the known first tokens of each row's generation, to its end.

        The steps start at the shortest row; a longer one is fed what is known of it till then.
        """
        numbers, known = [number for number, _ in rows], [tokens for _, tokens in rows]
        problem = problem[numbers]
        generated = [list(row) for row in known]
        start = min(map(len, known))
        begun = torch.tensor([row[:start] for row in known])
        cache = self._prefix(len(known))
        output = self._forward(torch.cat([problem, begun], dim=1), 1, cache=cache, keep_cache=True)
        cache = output.past_key_values
        active = list(range(len(known)))
        for t in range(start, self.max_new_tokens):
            predicted = output.logits[:, -1].argmax(dim=-1).tolist()
            for row, token in zip(active, predicted, strict=True):
                if len(generated[row]) == t and not self._ended(generated[row]):
                    generated[row].append(token)
            running = [
                i
                for i, row in enumerate(active)
                if len(generated[row]) > t + 1 or not self._ended(generated[row])
            ]
            if not running:
                break
            # Finished rows are carried along until they are half of the batch: dropping them
            # copies the cache.
            if len(running) <= len(active) // 2:
                # An index on the CPU serves the cache of every layer, on whatever device it is.
                cache.batch_select_indices(torch.tensor(running))
                active = [active[i] for i in running]
            step = [generated[row][t] if t < len(generated[row]) else 0 for row in active]
            output = self._forward(torch.tensor(step)[:, None], 1, cache=cache, keep_cache=True)
        return list(zip(numbers, generated, strict=True))

    @torch.inference_mode()
    def _finish(
        self, problem: torch.Tensor, diverged: list[tuple[int, list[int]]], n_gold: int
    ) -> Decoded:
        """One more pass over prompt + generation of diverged rows, for their hidden states."""
        n_problem = problem.shape[1]
        rows, generated = [row for row, _ in diverged], [tokens for _, tokens in diverged]
        shown = [row[:n_gold] for row in generated]
        longest = max(map(len, shown))
        padded = torch.tensor([row + [row[-1]] * (longest - len(row)) for row in shown])
        _, hidden = self._pass(torch.cat([problem[rows], padded], dim=1), 1, n_problem + n_gold)
        lengths = n_problem + torch.tensor([len(row) for row in shown])
        beyond = torch.arange(n_problem + n_gold) >= lengths[:, None]
        for state in hidden.values():
            state[beyond] = 0
        return Decoded(rows, generated, [False] * len(rows), hidden)

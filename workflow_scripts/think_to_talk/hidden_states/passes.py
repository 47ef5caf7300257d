"""Forward passes of rows that share a prefix, in batches that fit the memory.

Used by decoding (`hidden_states/decoding.py`) and by patching (`interventions/patched_runs.py`).
The few-shot examples are run once; their key-value cache is reused for all rows, where the model's
cache allows that (`hidden_states/facts.py`). No attention masks or position ids are needed, and so
no knowledge of the architecture: all rows of a batch have the same length up to the last position
that is read, and a causal model does not see what follows.
"""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import torch
from accelerate.utils.memory import clear_device_cache, should_reduce_batch_size

from think_to_talk.errors import InputError
from think_to_talk.hidden_states.facts import ModelFacts
from think_to_talk.hidden_states.hooks import Blocks, Hook
from think_to_talk.hidden_states.key_value_cache import with_room

if TYPE_CHECKING:
    from transformers import Cache, PreTrainedModel

Row = TypeVar("Row")

Result = TypeVar("Result")


@dataclass(frozen=True)
class Context:
    """The tokens before those of a pass.

    ids: [rows, tokens] that no cache holds: the next pass goes over them again.
    cache: key-value cache of the tokens before these; None if there are none.
    """

    ids: torch.Tensor
    cache: Cache | None = None

    def repeated(self, repeats: int, room: int) -> Context:
        """A copy, each row repeated, whose cache has memory for `room` more tokens."""
        cache = self.cache and with_room(self.cache, len(self.ids), room, repeats)
        return Context(self.ids.repeat_interleave(repeats, dim=0), cache)

    def followed_by(self, ids: torch.Tensor) -> Context:
        """Also these tokens [rows, tokens], which the next pass goes over."""
        return Context(torch.cat([self.ids, ids], dim=1), self.cache)

    def select(self, rows: Sequence[int]) -> Context:
        """These rows only, in this order. The cache is changed in place."""
        index = torch.tensor(rows)
        if self.cache is not None:
            self.cache.reorder_cache(index)  # type: ignore[arg-type]
        return Context(self.ids[index], self.cache)


class Passes:
    """Forward passes of one model over rows that begin with the same prefix.

    model: a causal language model.
    facts: how it may be run.
    prefix: ids of the few-shot examples; run once, its key-value cache (one row) kept, where the
        model allows that.
    batch_size: rows at a time; halved, with a warning, whenever memory runs out.
    last_layer: `before_norm` to hook the last block's output as the last layer, `after_norm` the
        last hidden state that the library returns.
    """

    def __init__(
        self,
        model: PreTrainedModel,
        facts: ModelFacts,
        prefix: Sequence[int],
        batch_size: int,
        last_layer: str = "before_norm",
    ) -> None:
        self.model = model
        self.facts = facts
        self.batch_size = batch_size
        modules = model.get_submodule(facts.blocks)
        assert isinstance(modules, torch.nn.ModuleList)
        last_state = None
        if last_layer == "after_norm":
            facts.check_last_state()
            last_state = model.get_submodule(facts.last_state)
        self._blocks = Blocks(modules, facts.returns_tuple, facts.blocks, last_state)
        accepted = inspect.signature(model.forward).parameters
        self._selects_logits = facts.selects_logits and "logits_to_keep" in accepted
        self._prefix = Context(torch.tensor([list(prefix)], dtype=torch.long))
        if prefix and facts.continues_cache:
            for _, context in self.in_batches([list(prefix)], self._run_prefix):
                self._prefix = context

    @torch.inference_mode()
    def _run_prefix(self, prefix: list[list[int]]) -> Context:
        """The context of the prefix (one row), with its key-value cache."""
        nothing = Context(torch.empty((1, 0), dtype=torch.long))
        return self.forward(torch.tensor(prefix), 1, nothing, keep_cache=True)[1]

    def prefix(self, rows: int, room: int = 0) -> Context:
        """The context of so many rows behind the prefix, with memory for `room` more tokens."""
        return self._prefix.repeated(rows, room)

    def continued(self, context: Context, ids: torch.Tensor) -> Context:
        """The context after these tokens [rows, tokens] too, in its cache where that is right.

        The context given must not be used again.
        """
        if not ids.shape[1] or not self.facts.continues_cache:
            return context.followed_by(ids)
        return self.forward(ids, 1, context, keep_cache=True)[1]

    def forward(
        self,
        ids: torch.Tensor,
        read: int | torch.Tensor,
        context: Context,
        *,
        keep_cache: bool = False,
        layers: Iterable[int] = (),
        hook: Hook | None = None,
        start: tuple[int, torch.Tensor] | None = None,
    ) -> tuple[torch.Tensor, Context]:
        """One forward pass over ids, which follow those of a context.

        ids: [rows, tokens].
        read: positions whose logits are returned: indices [n], or a number of last positions.
        context: what precedes; its cache is extended in place.
        keep_cache: whether the context after these tokens holds them in a cache.
        layers, hook: `hook(layer, hidden_state)` is called for these layers, with [rows, positions
            of ids, hidden]; what it returns replaces the hidden state.
        start: a layer and its state [rows, positions of ids, hidden], from which the pass starts;
            only for a context that is in the cache whole.
        Returns the logits [rows, n, vocabulary], and the context after these tokens.
        """
        again, cached = context.ids.shape[1], keep_cache or context.cache is not None
        n_last = read if isinstance(read, int) else ids.shape[1] - int(read.min())
        options: dict[str, Any] = {}
        if self._selects_logits:
            # As a number: a tensor of positions would be moved to another GPU than the logits'.
            options["logits_to_keep"] = n_last
        if context.cache is not None:
            options["past_key_values"] = context.cache
        with ExitStack() as stack:
            if start is not None:
                assert not again
                stack.enter_context(self._blocks.starting_at(*start))
            if hook is not None:
                stack.enter_context(self._blocks.hooked(layers, hook, again))
            output = self.model(
                input_ids=torch.cat([context.ids, ids], dim=1).to(self.model.device),
                use_cache=cached,
                **options,
            )
        logits = output.logits[:, -n_last:]
        if not isinstance(read, int):
            logits = logits[:, (read - read.min()).to(logits.device)]
        if cached:
            return logits, Context(ids[:, :0], output.past_key_values)
        return logits, context.followed_by(ids)

    def in_batches(
        self, rows: list[Row], step: Callable[[list[Row]], Result]
    ) -> Iterator[tuple[list[Row], Result]]:
        """Call `step` on all rows, a batch at a time; yields (batch, result).

        The batch is halved, with a warning, when memory runs out.

        rows: any objects, one per row.
        step: what is done with a batch of them.
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
                # Memory is freed after this block only: the error's traceback refers to tensors.
                result = None
            if result is None:
                self.batch_size = len(batch) // 2
                clear_device_cache(garbage_collection=True)
                warnings.warn(
                    f"out of memory with a batch of {len(batch)} rows: continuing with "
                    f"{self.batch_size}. Set the model's batch_size to that number",
                    stacklevel=3,
                )
                continue
            start += len(batch)
            yield batch, result

"""Forward passes of rows that share a prefix, in batches that fit the memory.

No attention masks or position ids are needed, hence no knowledge of the architecture: all rows of
a batch have the same length before what is read of them, and what follows it a causal model does
not see.
"""

from __future__ import annotations

import copy
import inspect
import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import torch
from accelerate.utils.memory import clear_device_cache, should_reduce_batch_size

from think_to_talk.errors import InputError

if TYPE_CHECKING:
    from transformers import Cache, PreTrainedModel

Row = TypeVar("Row")
Result = TypeVar("Result")


class Passes:
    """A model and what all its rows begin with.

    prefix: ids of the few-shot examples; run once, its key-value cache (one row) kept.
    batch_size: rows at a time; halved, with a warning, whenever memory runs out.
    """

    def __init__(self, model: PreTrainedModel, prefix: Sequence[int], batch_size: int) -> None:
        self.model = model
        self.batch_size = batch_size
        self._selects_logits = "logits_to_keep" in inspect.signature(model.forward).parameters
        self.prefix_cache: Cache | None = None
        if prefix:
            for _, cache in self.in_batches([list(prefix)], self._run_prefix):
                self.prefix_cache = cache

    @torch.inference_mode()
    def _run_prefix(self, prefix: list[list[int]]) -> Cache:
        """The key-value cache of the prefix (one row)."""
        return self.forward(torch.tensor(prefix), 1, keep_cache=True).past_key_values

    def prefix_of(self, rows: int) -> Cache | None:
        """A copy of the prefix's cache for so many rows."""
        cache = copy.deepcopy(self.prefix_cache)
        if cache is not None:
            cache.batch_repeat_interleave(rows)
        return cache

    def forward(
        self,
        ids: torch.Tensor,
        read: int | torch.Tensor,
        *,
        cache: Cache | None = None,
        keep_cache: bool,
    ) -> Any:
        """One forward pass over ids [rows, tokens], after what is in the cache.

        read: the positions of which logits are wanted, as indices [n] or as so many at the end.
        """
        options: dict[str, Any] = {}
        if self._selects_logits:
            on_device = read if isinstance(read, int) else read.to(self.model.device)
            options["logits_to_keep"] = on_device
        output = self.model(
            input_ids=ids.to(self.model.device),
            past_key_values=cache,
            use_cache=keep_cache or cache is not None,
            **options,
        )
        if not self._selects_logits:
            chosen = slice(-read, None) if isinstance(read, int) else read
            output.logits = output.logits[:, chosen]
        return output

    def in_batches(
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

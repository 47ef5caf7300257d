"""Key-value caches that grow without being copied."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

from transformers.cache_utils import DynamicLayer

if TYPE_CHECKING:
    import torch
    from transformers import Cache


def with_room(cache: Cache, tokens: int, rows: int = 1) -> Cache:
    """A copy of a cache, each of its rows repeated `rows` times, with memory for more tokens.

    The library's own layers are copied as a whole for each token that is added. Only those that
    keep every token are replaced; layers of another kind (sliding windows) stay what they are.
    """
    roomy = copy.copy(cache)
    roomy.layers = [_with_room(layer, tokens, rows) for layer in cache.layers]
    return roomy


def _with_room(layer: Any, tokens: int, rows: int) -> Any:
    if type(layer) is DynamicLayer and layer.is_initialized:
        return _RoomyLayer(layer, tokens, rows)
    other = copy.deepcopy(layer)
    other.batch_repeat_interleave(rows)
    return other


class _RoomyLayer(DynamicLayer):
    """Keys and values [rows, heads, tokens, size] as the first tokens of larger tensors."""

    def __init__(self, layer: DynamicLayer, tokens: int, rows: int) -> None:
        super().__init__()
        self.dtype, self.device, self.is_initialized = layer.dtype, layer.device, True
        self._length = layer.get_seq_length()
        self._keys, self._values = (_enlarged(t, tokens, rows) for t in (layer.keys, layer.values))
        self._show()

    def _show(self) -> tuple[torch.Tensor, torch.Tensor]:
        self.keys = self._keys[..., : self._length, :]
        self.values = self._values[..., : self._length, :]
        return self.keys, self.values

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, *_args: Any, **_kwargs: Any
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Add keys and values [rows, heads, new tokens, size]; returns all."""
        added = slice(self._length, self._length + key_states.shape[-2])
        self._keys[..., added, :] = key_states
        self._values[..., added, :] = value_states
        self._length = added.stop
        return self._show()

    def batch_select_indices(self, indices: torch.Tensor) -> None:
        """Keep only the rows with these indices."""
        self._keys, self._values = self._keys[indices], self._values[indices]
        self._show()


def _enlarged(states: Any, tokens: int, rows: int) -> torch.Tensor:
    """Rows repeated, and memory for more tokens behind those of [rows, heads, tokens, size]."""
    n_rows, heads, length, size = states.shape
    result = states.new_empty(n_rows, rows, heads, length + tokens, size)
    result[..., :length, :] = states[:, None]
    return result.flatten(0, 1)

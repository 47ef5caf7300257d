"""Key-value caches that grow without being copied.

Passes (`hidden_states/passes.py`) add tokens to the cache of a shared prefix. The library copies a
layer's keys and values for each added token; here memory for all of them is allocated at once.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import torch
from transformers.cache_utils import DynamicLayer

if TYPE_CHECKING:
    from transformers import Cache


def with_room(cache: Cache, n_rows: int, tokens: int, repeats: int = 1) -> Cache:
    """A copy of a cache, each of its rows repeated, with memory for more tokens.

    Only layers that keep every token are replaced; other kinds (sliding windows, states of linear
    attention and convolutions) are copied.

    n_rows: the cache's rows.
    tokens: how many can be added without a copy.
    repeats: how often each row is repeated.
    """
    index = torch.arange(n_rows).repeat_interleave(repeats)
    roomy = copy.copy(cache)
    roomy.layers = [_with_room(layer, index, tokens, repeats) for layer in cache.layers]
    return roomy


def _with_room(layer: Any, index: torch.Tensor, tokens: int, repeats: int) -> Any:
    if type(layer) in (DynamicLayer, _RoomyLayer) and layer.is_initialized:
        return _RoomyLayer(layer, tokens, repeats)
    other = copy.deepcopy(layer)
    if len(index) > 1:
        # Every kind of layer can be reordered, which beam search needs; not all can be repeated.
        other.reorder_cache(index)
    return other


class _RoomyLayer(DynamicLayer):
    """Keys and values [rows, heads, tokens, size] as the first tokens of larger tensors."""

    def __init__(self, layer: DynamicLayer, tokens: int, rows: int) -> None:
        super().__init__()
        self.dtype, self.device, self.is_initialized = layer.dtype, layer.device, True
        self._length = layer.get_seq_length()
        self._keys, self._values = (_enlarged(t, tokens, rows) for t in (layer.keys, layer.values))
        self._set_views()

    def _set_views(self) -> tuple[torch.Tensor, torch.Tensor]:
        self.keys = self._keys[..., : self._length, :]
        self.values = self._values[..., : self._length, :]
        return self.keys, self.values

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, *_args: Any, **_kwargs: Any
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Add keys and values [rows, heads, new tokens, size]; returns those of all tokens."""
        added = slice(self._length, self._length + key_states.shape[-2])
        self._keys[..., added, :] = key_states
        self._values[..., added, :] = value_states
        self._length = added.stop
        return self._set_views()

    def reorder_cache(self, beam_idx: torch.Tensor) -> None:
        """Keep only the rows with these indices, in this order."""
        self._keys, self._values = self._keys[beam_idx], self._values[beam_idx]
        self._set_views()


def _enlarged(states: Any, tokens: int, rows: int) -> torch.Tensor:
    """States [rows, heads, tokens, size], rows repeated, with memory for more tokens at the end."""
    n_rows, heads, length, size = states.shape
    result = states.new_empty(n_rows, rows, heads, length + tokens, size)
    result[..., :length, :] = states[:, None]
    return result.flatten(0, 1)

"""What a pass of a model holds in memory, counted on torch's meta device, which computes nothing.

`models/measure_sizes.py` runs models here that have shapes but no memory. Each tensor that an
operation makes is counted from then until it is freed, as on a GPU.
"""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterable, Iterator
from functools import cache
from typing import Any

import torch
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

_LOCAL_SCALAR = torch.ops.aten._local_scalar_dense.default
_NONZERO = torch.ops.aten.nonzero.default
_GROUPED_PRODUCT = torch.ops.aten._grouped_mm.default
_SAFE_SOFTMAX = torch.ops.aten._safe_softmax.default


class LiveMemory(TorchDispatchMode):
    """Counts storages that operations make, and the operations of matrix products, in its block.

    Python collects no cycles of objects within the block, as it would at another moment each time:
    what they hold counts as alive.

    known: tensors that exist before it, which are not counted.
    flops: floating-point operations of matrix products and convolutions so far, those within fused
        attention left out.
    """

    def __init__(self, known: Iterable[torch.Tensor]) -> None:
        super().__init__()
        self.flops = 0
        # Held, as another storage could take the place of one that is freed.
        self._known = list(known)
        #: The number of each storage that is alive; 0 for those that are not counted.
        self._numbers = {_key(tensor): 0 for tensor in self._known}
        #: {an operation and its arguments: shape, stride and dtype of its output, and its flops}.
        self._known_calls: dict[Any, tuple[Any, ...]] = {}
        #: (number of a storage, bytes), negative where it is freed.
        self._events: list[tuple[int, int]] = []

    def __enter__(self) -> LiveMemory:
        gc.collect()
        gc.disable()
        super().__enter__()
        return self

    def __exit__(self, *exception: Any) -> None:
        super().__exit__(*exception)
        gc.enable()

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        """Run one operation."""
        kwargs = kwargs or {}
        if func is _LOCAL_SCALAR and args[0].is_meta:
            # Asked whether a mask has no padding, for example: it has none.
            return args[0].dtype == torch.bool
        if func is _SAFE_SOFTMAX:
            # Within this operation. It is freed on return.
            hidden = torch.empty_like(args[0], dtype=torch.bool)
            self._add(hidden)
        key = _call(func, args, kwargs)
        if key in self._known_calls:
            # Blocks repeat their operations.
            shape, stride, dtype, flops = self._known_calls[key]
            output = torch.empty_strided(shape, stride, dtype=dtype, device="meta")
        else:
            output = _output(func, args, kwargs)
            flops = _flops(func, args, kwargs, output)
            if key and output.is_meta and _key(output) not in self._numbers:
                self._known_calls[key] = (output.shape, output.stride(), output.dtype, flops)
        for tensor in output if isinstance(output, tuple | list) else (output,):
            if isinstance(tensor, torch.Tensor):
                self._add(tensor)
        self.flops += flops
        return output

    def _add(self, tensor: torch.Tensor) -> None:
        key = _key(tensor)
        if key in self._numbers:
            return
        storage = tensor.untyped_storage()
        number, size = len(self._events) + 1, storage.nbytes()
        self._numbers[key] = number
        self._events.append((number, size))
        weakref.finalize(storage, self._free, key, number, size)

    def _free(self, key: int, number: int, size: int) -> None:
        del self._numbers[key]
        self._events.append((number, -size))

    def peak(self, kept: Iterable[torch.Tensor]) -> int:
        """The most bytes that were alive at once, less those of tensors that are left.

        Those left are made one after the other: at the peak some of them may not be there yet.
        """
        left = {self._numbers.get(_key(tensor)) for tensor in kept}
        live = peak = remaining = 0
        for number, size in self._events:
            live += size
            peak = max(peak, live)
            if number in left:
                remaining += size
        return peak - remaining


class ShapesOnly(TorchFunctionMode):
    """Functions of torch that must not look at values, which tensors on the meta device have not.

    Attention is what its fused kernels hold: none of its weights [heads, tokens, tokens]. An expert
    that looks its tokens up in a one-hot code gets every token, once: no routing holds more.

    on_gpu: whether the kernels are those of a GPU.
    """

    def __init__(self, on_gpu: bool) -> None:
        super().__init__()
        self.on_gpu = on_gpu
        #: Storages of one-hot codes.
        self._codes: set[int] = set()

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        """Run one function of torch."""
        kwargs = kwargs or {}
        if func is torch.nn.functional.scaled_dot_product_attention:
            return self._attend(*args, **kwargs)
        if func is torch.Tensor.tolist and args[0].is_meta:
            return _UnknownSizes([0] * args[0].numel())
        if func is torch.Tensor.split and isinstance(args[1], _UnknownSizes):
            return args[0].tensor_split(len(args[1]), **kwargs)
        if func is torch.nn.functional.one_hot:
            return self._encode(*args, **kwargs)
        if func is torch.where and len(args) == 1 and _key(args[0]) in self._codes:
            tokens = max(args[0].shape)
            return args[0].new_empty((tokens, args[0].ndim), dtype=torch.long).unbind(1)
        return func(*args, **kwargs)

    def _encode(self, *args: Any, **kwargs: Any) -> torch.Tensor:
        """A one-hot code, whose views are known by its storage."""
        code = torch.nn.functional.one_hot(*args, **kwargs)
        self._codes.add(_key(code))
        weakref.finalize(code.untyped_storage(), self._codes.discard, _key(code))
        return code

    def _attend(
        self, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, *args: Any, **kwargs: Any
    ) -> torch.Tensor:
        """Attention of [rows, heads, tokens, size]; in matrix products where no kernel fits."""
        grouped = kwargs.get("enable_gqa") or query.shape[:-2] == key.shape[:-2]
        if grouped and (self.on_gpu or query.shape[-1] == value.shape[-1]):
            mask = kwargs.get("attn_mask")
            if mask is not None and mask.dtype == torch.bool:
                # The kernels add it to the weights. It is freed on return.
                mask = query.new_empty(mask.shape)
            # As the kernels store it: heads beside each other, so that joining them copies nothing.
            *rows, heads, tokens, _ = query.shape
            return query.new_empty(*rows, tokens, heads, value.shape[-1]).transpose(-3, -2)
        attention = torch.nn.functional.scaled_dot_product_attention
        return attention(query, key, value, *args, **kwargs)


class _UnknownSizes(list[int]):
    """How many rows each expert gets: taken to be as many."""


def held_bytes(tensors: Iterable[torch.Tensor]) -> int:
    """Bytes of the storages of tensors, each storage once."""
    return sum({_key(t): t.untyped_storage().nbytes() for t in tensors}.values())


def tensors_in(value: Any, seen: set[int] | None = None) -> Iterator[torch.Tensor]:
    """All tensors in an object, such as a cache of any kind: in its attributes, lists and dicts."""
    seen = set() if seen is None else seen
    if id(value) in seen:
        return
    seen.add(id(value))
    if isinstance(value, torch.Tensor):
        yield value
    elif isinstance(value, dict):
        for part in value.values():
            yield from tensors_in(part, seen)
    elif isinstance(value, list | tuple | set):
        for part in value:
            yield from tensors_in(part, seen)
    elif hasattr(value, "__dict__") and not isinstance(value, type | torch.nn.Module):
        yield from tensors_in(vars(value), seen)


def _output(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """What an operation returns, where there may be no values."""
    if func is _NONZERO and args[0].is_meta:
        # There is room for all of them.
        return args[0].new_empty((args[0].numel(), args[0].ndim), dtype=torch.long)
    if func is _GROUPED_PRODUCT and args[0].is_meta:
        # On the meta device it asks for bfloat16.
        return args[0].new_empty((*args[0].shape[:-1], args[1].shape[-1]))
    return func(*args, **kwargs)


def _call(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """What the new tensor of an operation depends on; None if it returns another thing."""
    if not _makes_a_tensor(func):
        return None
    return (func, *map(_described, args), *map(_described, kwargs.items()))


@cache
def _makes_a_tensor(func: Any) -> bool:
    """Whether an operation returns one tensor, and none of its arguments."""
    returns = func._schema.returns
    return len(returns) == 1 and str(returns[0].type) == "Tensor" and not returns[0].alias_info


def _described(value: Any) -> Any:
    """What the shape of an operation's output depends on, of one argument."""
    if isinstance(value, torch.Tensor):
        return (value.shape, value.stride(), value.dtype, value.is_meta)
    if isinstance(value, list | tuple):
        return tuple(map(_described, value))
    return (type(value), value)


def _key(tensor: torch.Tensor) -> int:
    return tensor.untyped_storage()._cdata


def _flops(func: Any, args: tuple[Any, ...], kwargs: Any, output: Any) -> int:
    if func is _GROUPED_PRODUCT:
        # Each row is multiplied with the matrix of its group.
        return 2 * output.numel() * args[0].shape[-1]
    counter = flop_registry.get(func._overloadpacket)
    return counter(*args, **kwargs, out_val=output) if counter else 0

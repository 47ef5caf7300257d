"""Hidden states read from a model's forward passes, or put into them, by hooks on its blocks.

Layer 0 is the input of the first block (the embedding output), layer l the output of block l. Only
that the model has one list of decoder blocks is assumed of its architecture.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch

from think_to_talk.errors import InputError

if TYPE_CHECKING:
    from torch.utils.hooks import RemovableHandle
    from transformers import PreTrainedModel


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
    model: PreTrainedModel, layers: Iterable[int], store: Callable[[int, torch.Tensor], None]
) -> Iterator[None]:
    """Call `store(layer, hidden_state)` for the chosen layers of every forward pass in the block.

    hidden_state: [rows, positions, hidden], on the model's device; nothing else is kept.
    """
    with _hooked(model, layers, store):
        yield


@contextmanager
def replaced(
    model: PreTrainedModel,
    layers: Iterable[int],
    replace: Callable[[int, torch.Tensor], torch.Tensor],
) -> Iterator[None]:
    """Hidden states of the chosen layers become `replace(layer, hidden_state)` in the block.

    hidden_state: [rows, positions, hidden], on the device of its layer, where the result must be.
    """
    with _hooked(model, layers, replace):
        yield


@contextmanager
def begun_at(model: PreTrainedModel, layer: int, state: torch.Tensor, wrap: bool) -> Iterator[None]:
    """Forward passes in the block begin with the state of a layer: the blocks below do nothing.

    state: [rows, positions, hidden], of the very tokens that are passed, on the layer's device.
    wrap: whether the model's blocks return tuples (see `returns_tuple`).
    """
    below = decoder_blocks(model)[:layer]
    own = [block.__dict__.get("forward") for block in below]
    result = (state,) if wrap else state
    for block in below:
        block.forward = lambda *_args, **_kwargs: result
    try:
        yield
    finally:
        for block, forward in zip(below, own, strict=True):
            if forward is None:
                del block.forward
            else:
                block.forward = forward


def returns_tuple(model: PreTrainedModel) -> bool:
    """Whether a block returns a tuple, its hidden state first, or the hidden state alone."""
    found = []
    block = decoder_blocks(model)[0]
    handle = block.register_forward_hook(lambda _m, _a, out: found.append(isinstance(out, tuple)))
    with torch.inference_mode():
        model(input_ids=torch.zeros((1, 1), dtype=torch.long, device=model.device))
    handle.remove()
    return found[0]


@contextmanager
def _hooked(
    model: PreTrainedModel,
    layers: Iterable[int],
    call: Callable[[int, torch.Tensor], torch.Tensor | None],
) -> Iterator[None]:
    """Call `call(layer, hidden_state)`; what it returns, if anything, takes the state's place."""
    blocks = decoder_blocks(model)
    handles = [
        _hook_input(blocks[0], call) if layer == 0 else _hook_output(blocks[layer - 1], layer, call)
        for layer in layers
    ]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _hook_input(block: Any, call: Callable[[int, Any], Any]) -> RemovableHandle:
    def hook(_module: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        new = call(0, args[0] if args else kwargs["hidden_states"])
        if new is None:
            return None
        return ((new, *args[1:]), kwargs) if args else (args, {**kwargs, "hidden_states": new})

    return block.register_forward_pre_hook(hook, with_kwargs=True)


def _hook_output(block: Any, layer: int, call: Callable[[int, Any], Any]) -> RemovableHandle:
    def hook(_module: Any, _args: Any, output: Any) -> Any:
        if not isinstance(output, tuple):
            return call(layer, output)
        new = call(layer, output[0])
        return None if new is None else (new, *output[1:])

    return block.register_forward_hook(hook)

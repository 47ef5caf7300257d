"""Reading and replacing hidden states during a model's forward passes, by hooks on its blocks.

Passes (`hidden_states/passes.py`) capture hidden states here for decoding, and replace them for
patching: activation patching runs one input while chosen hidden states are those of another (Meng
et al., arXiv:2202.05262).

Layer 0 is the input of the first block (the embedding output), layer l the output of block l; the
last layer may be read after the model's final norm instead, as the library returns it. Only
that the model runs one list of blocks, each once a pass, is assumed of its architecture; which list
that is, is found by running it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from think_to_talk.errors import DOES_NOT_RUN, InputError, one_line

if TYPE_CHECKING:
    from torch.utils.hooks import RemovableHandle
    from transformers import PreTrainedModel

#: Given a layer and its hidden state [rows, positions, hidden]; a tensor that is returned replaces
#: the hidden state.
Hook = Callable[[int, torch.Tensor], "torch.Tensor | None"]


@dataclass(frozen=True)
class Blocks:
    """A model's decoder blocks.

    modules: the blocks, in the order in which they run.
    returns_tuple: whether a block returns a tuple, its hidden state first, or the state alone.
    name: the name of their list within the model.
    last_state: the module whose output is the last layer's hidden state; None for the last block.
    """

    modules: torch.nn.ModuleList
    returns_tuple: bool
    name: str
    last_state: torch.nn.Module | None = None

    @classmethod
    def find(cls, model: PreTrainedModel) -> Blocks:
        """The list of as many modules as the config has layers that runs in order, by a short pass.

        Raises InputError if there is none: hidden states could not be told by layer.
        """
        n_layers = model.config.get_text_config().num_hidden_layers
        lists = {
            name: module
            for name, module in model.named_modules()
            if isinstance(module, torch.nn.ModuleList) and len(module) == n_layers
        }
        calls = _calls(model, lists)
        for name, modules in lists.items():
            if [number for number, _ in calls[name]] == list(range(n_layers)):
                return cls(modules, isinstance(calls[name][0][1], tuple | list), name)
        found = (
            ", ".join(f"{name} ({len(calls[name])} calls)" for name in lists)
            or "no list of that length"
        )
        raise InputError(
            f"{type(model).__name__}: expected one list of {n_layers} decoder blocks, each called "
            f"once a pass, in order; found {found}. Hidden states of its layers cannot be read"
        )

    @contextmanager
    def hooked(self, layers: Iterable[int], call: Hook, skipped: int = 0) -> Iterator[None]:
        """Call `call` on the hidden states of the chosen layers in every pass in the block.

        skipped: first positions of a pass that `call` is not shown, and that stay as they are.
        """

        def on_shown(layer: int, state: torch.Tensor) -> torch.Tensor | None:
            if not skipped:
                return call(layer, state)
            new = call(layer, state[:, skipped:])
            return None if new is None else torch.cat([state[:, :skipped], new], dim=1)

        handles = [
            _hook_input(self.modules[0], on_shown)
            if layer == 0
            else _hook_output(self._giving(layer), layer, on_shown)
            for layer in layers
        ]
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()

    def _giving(self, layer: int) -> torch.nn.Module:
        """The module whose output is the hidden state of a layer above the embedding output."""
        if layer == len(self.modules) and self.last_state is not None:
            return self.last_state
        return self.modules[layer - 1]

    @contextmanager
    def starting_at(self, layer: int, state: torch.Tensor) -> Iterator[None]:
        """Forward passes start from the given state of a layer: the blocks below are skipped.

        layer: the output of block `layer`, where the passes start.
        state: [rows, positions, hidden] of the tokens that are passed, on the layer's device.
        """
        below = self.modules[:layer]
        instance_forwards = [block.__dict__.get("forward") for block in below]
        result = (state,) if self.returns_tuple else state
        for block in below:
            block.forward = lambda *_args, **_kwargs: result
        try:
            yield
        finally:
            for block, forward in zip(below, instance_forwards, strict=True):
                if forward is None:
                    del block.forward
                else:
                    block.forward = forward


def _calls(
    model: PreTrainedModel, lists: dict[str, torch.nn.ModuleList]
) -> dict[str, list[tuple[int, Any]]]:
    """{list: (number, output) of each of its modules' calls} of one short pass, in order."""
    calls: dict[str, list[tuple[int, Any]]] = {name: [] for name in lists}

    def recorder(name: str, number: int) -> Any:
        return lambda _module, _args, output: calls[name].append((number, output))

    handles = [
        module.register_forward_hook(recorder(name, number))
        for name, modules in lists.items()
        for number, module in enumerate(modules)
    ]
    try:
        with torch.inference_mode(), one_line(DOES_NOT_RUN):
            ids = torch.ones((1, 2), dtype=torch.long, device=model.device)
            model(input_ids=ids, use_cache=False)
    finally:
        for handle in handles:
            handle.remove()
    return calls


def _hook_input(block: Any, call: Hook) -> RemovableHandle:
    def hook(_module: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        new = call(0, args[0] if args else kwargs["hidden_states"])
        if new is None:
            return None
        return ((new, *args[1:]), kwargs) if args else (args, {**kwargs, "hidden_states": new})

    return block.register_forward_pre_hook(hook, with_kwargs=True)


def _hook_output(block: Any, layer: int, call: Hook) -> RemovableHandle:
    def hook(_module: Any, _args: Any, output: Any) -> Any:
        if not isinstance(output, tuple | list):
            return call(layer, output)
        new = call(layer, output[0])
        return None if new is None else (new, *output[1:])

    return block.register_forward_hook(hook)

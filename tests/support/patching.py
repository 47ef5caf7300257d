"""Hidden states that are replaced in plain passes of a model, by hooks on its blocks."""

from contextlib import contextmanager

import torch

from support.facts import decoder_blocks
from think_to_talk.interventions.tokenized_pairs import PairAxis


def tokenized(tokenizer, pairs, shots):
    """Pairs that take the same tokens, as the package tokenizes them."""
    [group] = PairAxis.of(tokenizer, [pairs], shots).groups(pairs)
    return group


@torch.inference_mode()
def plain_states(model, ids):
    """[hidden states of each layer] of a plain pass; the last as the last block returns it."""
    last = []
    handle = decoder_blocks(model)[-1].register_forward_hook(
        lambda _m, _i, out: last.append(out[0] if isinstance(out, tuple) else out)
    )
    states = model(ids, output_hidden_states=True).hidden_states
    handle.remove()
    return [*states[:-1], last[0]]


@contextmanager
def changing(model, layers, change):
    """While it lasts, `change(layer, hidden state)` gives the states of these layers."""
    blocks = decoder_blocks(model)

    def before(_m, args, kwargs):
        if args:
            return (change(0, args[0]), *args[1:]), kwargs
        return args, {**kwargs, "hidden_states": change(0, kwargs["hidden_states"])}

    def after(layer):
        def hook(_m, _a, out):
            new = change(layer, out[0] if isinstance(out, tuple) else out)
            return (new, *out[1:]) if isinstance(out, tuple) else new

        return hook

    handles = [
        blocks[0].register_forward_pre_hook(before, with_kwargs=True)
        if layer == 0
        else blocks[layer - 1].register_forward_hook(after(layer))
        for layer in layers
    ]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def replaced(model, states, layers, places):
    """While it lasts, these layers have other states [rows, positions, hidden] at some places.

    states: by layer. places: positions, alike in the other states.
    """

    def put(layer, hidden):
        hidden = hidden.clone()
        hidden[:, places] = states[layer][:, places]
        return hidden

    return changing(model, layers, put)

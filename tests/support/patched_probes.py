"""Probes with random weights, and what any probes read in plain runs with plain hooks."""

import torch

from support.facts import decoder_blocks
from support.patching import changing
from think_to_talk.probes.linear import Probes
from think_to_talk.probes.stored import StoredProbes


def random_probes(layout, layers, hidden, variables=2):
    """Probes of all positions of a layout."""
    generator = torch.Generator().manual_seed(1)
    shape = (layout.n_positions, variables, 10)
    return StoredProbes(
        [layout.place(position) for position in range(layout.n_positions)],
        {
            layer: Probes(
                torch.randn(*shape, hidden, generator=generator),
                torch.randn(*shape, generator=generator),
            )
            for layer in layers
        },
    )


@torch.inference_mode()
def plain_states(model, ids, replaced=None, positions=()):
    """{layer: states [positions, hidden]} of one row by one plain pass.

    replaced: {layer: states [positions, hidden]} that are put in at some positions.
    """
    replaced, found = replaced or {}, {}

    def put(layer, state):
        if layer in replaced:
            state = state.clone()
            for position in positions:
                state[0, position] = replaced[layer][position]
        found[layer] = state[0]
        return state

    with changing(model, range(len(decoder_blocks(model)) + 1), put):
        logits = model(ids[None], use_cache=False).logits[0]
    return found, logits


def read_one(probes, layer, position, state):
    """What the probes of a layer and position say of one state [hidden], for each variable."""
    of_layer = probes.layers[layer]
    return [
        int((weight @ state.float() + bias).argmax())
        for weight, bias in zip(of_layer.weight[position], of_layer.bias[position], strict=True)
    ]

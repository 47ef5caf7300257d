"""The layers whose hidden states a study saves, and so probes."""

from __future__ import annotations

from think_to_talk.errors import InputError


def saved_layers(layers: str | int | list[int], n_layers: int) -> list[int]:
    """The layers that a config entry selects from 0 (embedding output) to n_layers.

    layers: `all`; a step k for 0, k, 2k ...; or a list.
    n_layers: number of the model's blocks.
    Raises InputError for a layer that the model does not have.
    """
    if layers == "all":
        return list(range(n_layers + 1))
    if isinstance(layers, int):
        return list(range(0, n_layers + 1, layers))
    assert isinstance(layers, list)
    missing = [layer for layer in layers if not 0 <= layer <= n_layers]
    if missing:
        raise InputError(f"layers: {missing} do not exist; the model has layers 0 to {n_layers}")
    return sorted(set(layers))

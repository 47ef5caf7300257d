"""Hidden states that overflow: probes would be fitted to nothing.

The model check (`hidden_states/whole_passes.py`) asks here, and each shard before it is stored.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from think_to_talk.errors import InputError

if TYPE_CHECKING:
    from torch import Tensor


def check_finite(states: Mapping[int, Tensor]) -> None:
    """Raise InputError, without the model's name, if hidden states {layer: any shape} overflow."""
    for layer, state in states.items():
        finite = state.isfinite()
        if not finite.all():
            share = 1 - finite.double().mean().item()
            raise InputError(
                f"{share:.2%} of the hidden states of layer {layer} are not finite in "
                f"{str(state.dtype).removeprefix('torch.')}: set the model's dtype: bfloat16 (or "
                "float32)"
            )

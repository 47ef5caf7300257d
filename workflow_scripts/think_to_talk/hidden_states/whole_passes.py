"""Whole passes of two short rows, with which the model check compares all else.

`hidden_states/pass_check.py` asks here whether another way gives the same.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from think_to_talk.errors import DOES_NOT_RUN, InputError, one_line
from think_to_talk.hidden_states.finite import check_finite
from think_to_talk.hidden_states.hooks import Blocks

if TYPE_CHECKING:
    from transformers import PreTrainedModel

#: Tokens of a row, and tokens that the rows begin with.
LENGTH, COMMON = 24, 13

#: What counts as the same, as a share of the largest value. What is wrong differs by tenths; some
#: models compute in float32 whatever their dtype.
_SAME = {torch.float64: 1e-4, torch.float32: 1e-3, torch.float16: 1e-2, torch.bfloat16: 4e-2}

#: Rows of one batch may differ so much from the same rows alone, by rounding.
_MOST_NOISE = 0.1


class WholePasses:
    """Hidden states and logits of two rows, each passed alone, whole and without a cache.

    model: a causal language model.
    blocks: its decoder blocks.

    ids: [2, LENGTH], of tokens without a role of their own; the first COMMON are the same.
    states: {layer: [2, LENGTH, hidden]} on the CPU.
    logits: [2, LENGTH, vocabulary] on the CPU.
    same: the difference that counts as none, as a share of the largest value: it depends on the
        dtype, and is at least eight times the noise.
    noise: how far the same rows in one batch differ, by rounding.

    Raises InputError if the model does not run, if a layer is not reached once, in the shape that
    is expected, if hidden states are not finite, or if rows of a batch depend on one another.
    """

    def __init__(self, model: PreTrainedModel, blocks: Blocks) -> None:
        self.model, self.blocks = model, blocks
        config = model.config.get_text_config()
        self.n_layers, self._hidden_size = config.num_hidden_layers, config.hidden_size
        self.layers = range(self.n_layers + 1)
        self.ids = _random_rows(model)
        passes = [self.run(row) for row in self.ids[:, None]]
        self.states = {
            layer: torch.cat([states[layer] for states, _ in passes]) for layer in self.layers
        }
        self.logits = torch.cat([logits for _, logits in passes])
        self.noise = self._measure_noise()
        self.same = max(_SAME[model.dtype], 8 * self.noise)

    def run(self, ids: torch.Tensor) -> tuple[dict[int, torch.Tensor], torch.Tensor]:
        """States of all layers and logits of one pass over ids [rows, tokens]."""
        states: dict[int, list[torch.Tensor]] = {layer: [] for layer in self.layers}
        with self.blocks.hooked(self.layers, lambda layer, state: states[layer].append(state)):
            logits = self.run_model(ids)
        expected = (*ids.shape, self._hidden_size)
        for layer, found in states.items():
            shapes = [list(state.shape) for state in found]
            if shapes != [list(expected)]:
                raise InputError(
                    f"layer {layer} has hidden states of the shapes {shapes}, expected one of "
                    f"{list(expected)} [rows, positions, hidden] a pass: they cannot be stored"
                )
        stored = {layer: found[0].cpu() for layer, found in states.items()}
        check_finite(stored)
        return stored, logits.cpu()

    def run_model(self, ids: torch.Tensor, **options: Any) -> Any:
        """The logits of a pass without a cache; with options, the model's whole output.

        Raises InputError with one line if the model does not run.
        """
        with one_line(DOES_NOT_RUN):
            output = self.model(input_ids=ids.to(self.model.device), use_cache=False, **options)
        return output if options else output.logits

    def _measure_noise(self) -> float:
        states, logits = self.run(self.ids)
        pairs = [(states[layer], self.states[layer]) for layer in self.layers]
        noise = max(_difference(a, b) for a, b in [*pairs, (logits, self.logits)])
        if noise > _MOST_NOISE:
            raise InputError(
                f"two rows in a batch get other hidden states than alone (by {noise:.0%} of the "
                "largest value): rows of a batch must not depend on one another"
            )
        return noise

    def agree(self, found: torch.Tensor | None, expected: torch.Tensor) -> bool:
        """Whether what was found is what is expected, but for rounding."""
        return found is not None and _difference(found.cpu(), expected) <= self.same

    def logits_differ(self, found: torch.Tensor, at: slice, what: str) -> str | None:
        """A note if logits [rows, positions, vocabulary] of the last rows are others there."""
        expected = self.logits[-len(found) :, at]
        return None if self.agree(found, expected) else f"{what} get other logits"


def _random_rows(model: PreTrainedModel) -> torch.Tensor:
    """Two rows of tokens that begin alike, without ids to which the config gives a role."""
    config = model.config.get_text_config()
    special = {
        token
        for part in (model.config.to_dict(), config.to_dict())
        for key, value in part.items()
        if "token" in key
        for token in (value if isinstance(value, list) else [value])
        if isinstance(token, int)
    }
    ordinary = torch.tensor([n for n in range(config.vocab_size) if n not in special])
    generator = torch.Generator().manual_seed(0)
    ids = ordinary[torch.randint(len(ordinary), (2, LENGTH), generator=generator)]
    ids[1, :COMMON] = ids[0, :COMMON]
    return ids


def _difference(a: torch.Tensor, b: torch.Tensor) -> float:
    """The largest difference, as a share of the largest value of b; infinite if shapes differ."""
    if a.shape != b.shape:
        return float("inf")
    a, b = a.double(), b.double()
    largest = (a - b).abs().max() / b.abs().max().clamp_min(torch.finfo(torch.float64).tiny)
    return float(largest) if bool(largest.isfinite()) else float("inf")

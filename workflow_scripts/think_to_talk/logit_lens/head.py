"""What a model's own final norm and head make of a hidden state: the logit lens.

The logit lens (nostalgebraist, "interpreting GPT: the logit lens", 2020) gives the hidden states of
an earlier layer to what follows the last one: the final norm and the unembedding. Here the model
runs its own forward pass while the given states stand in place of the last layer's, so that scaled
or soft-capped logits, tied weights and biases are the model's own, and no architecture is known by
its name. All blocks are skipped where the model check (`hidden_states/facts.py`) has found that a
pass may start at a layer; otherwise they run, and their output is replaced.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import torch

from think_to_talk.errors import UnreadError
from think_to_talk.hidden_states.facts import ModelFacts
from think_to_talk.hidden_states.hooks import Blocks
from think_to_talk.hidden_states.passes import Passes
from think_to_talk.hidden_states.whole_passes import COMMON, LENGTH, WholePasses

if TYPE_CHECKING:
    from transformers import PreTrainedModel


class Head:
    """A model's final norm and head, or its head alone.

    model: a causal language model.
    facts: how it may be run.
    batch_size: rows at a time; halved, with a warning, whenever memory runs out.
    last_layer: `before_norm` for states that the final norm follows, `after_norm` for those that
        have passed it.
    Raises UnreadError if the logits at a position do not follow from the last layer's state there
    alone.
    """

    def __init__(
        self,
        model: PreTrainedModel,
        facts: ModelFacts,
        batch_size: int,
        last_layer: str = "before_norm",
    ) -> None:
        self._passes = Passes(model, facts, [], batch_size, last_layer)
        self._last = model.config.get_text_config().num_hidden_layers
        self._skips_blocks = facts.starts_at_layer
        with torch.inference_mode():
            whole = WholePasses(model, Blocks.find(model))
        # Any token without a role does, since its embedding is not used.
        self._token = int(whole.ids[0, 0])
        self._check(whole)

    def read(
        self, states: torch.Tensor, of_logits: Callable[[torch.Tensor], torch.Tensor]
    ) -> torch.Tensor:
        """What a function makes of the logits of states, on the CPU; all rows, in batches.

        states: [rows, positions, hidden]; any rows, and any positions of them, may be together.
        of_logits: given logits [rows of a batch, positions, vocabulary], gives [rows, ...].
        """
        rows = list(range(len(states)))
        batches = self._passes.in_batches(rows, lambda b: of_logits(self.logits(states[b])).cpu())
        return torch.cat([found for _, found in batches])

    @torch.inference_mode()
    def logits(self, states: torch.Tensor) -> torch.Tensor:
        """The logits [rows, positions, vocabulary] of states [rows, positions, hidden]."""
        given = states.to(self._passes.model.device, self._passes.model.dtype)
        n_rows, n_positions = given.shape[:2]
        logits, _ = self._passes.forward(
            torch.full((n_rows, n_positions), self._token),
            n_positions,
            self._passes.prefix(n_rows),
            layers=[self._last],
            hook=lambda _layer, state: given.to(state.device),
            start=(self._last, given) if self._skips_blocks else None,
        )
        return logits

    @torch.inference_mode()
    def _check(self, whole: WholePasses) -> None:
        """Raise UnreadError if the model's own logits do not come from states of some positions."""
        captured: dict[int, torch.Tensor] = {}
        self._passes.forward(
            whole.ids,
            LENGTH,
            self._passes.prefix(len(whole.ids)),
            layers=[self._last],
            hook=captured.__setitem__,
        )
        if not whole.agree(self.logits(captured[self._last][:, COMMON:]), whole.logits[:, COMMON:]):
            raise UnreadError(
                "the logits at a position do not follow from the last layer's hidden state there "
                "alone, so it cannot read the hidden states of other layers"
            )

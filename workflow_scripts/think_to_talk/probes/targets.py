"""What the probes of a task predict: the values of its variables, or digits of these.

`probes.fitting` goes through positions; probes of values and of digits are trained, stored and
scored here, each with their own number of classes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from think_to_talk.probes.linear import Probes
from think_to_talk.probes.scoring import score
from think_to_talk.probes.splits import Split
from think_to_talk.probes.training import Training

#: The dtype and shape of a stored tensor.
_Shape = tuple[torch.dtype, tuple[int, ...]]


@dataclass(frozen=True)
class Targets:
    """Probes that have their labels, and their number of classes, in common.

    name: what the names of their weights have behind the layer's; empty, or ends with a dot.
    numbers: what rows call each variable.
    training: of the probes.
    test: the rows that they are scored on.
    test_parts: [variables, rows] the part of each row's expression; None without held-out probes.
    """

    name: str
    numbers: Sequence[int]
    training: Training
    test: Split
    test_parts: torch.Tensor | None

    def shapes(
        self, layer: int, n_positions: int, hidden_size: int
    ) -> Iterator[tuple[str, _Shape]]:
        """(name, dtype and shape) of the tensors of a layer's probes."""
        settings = self.training.settings
        shape: tuple[int, ...] = (n_positions, len(self.numbers), settings.n_classes)
        yield self._key(layer, "weight"), (torch.float32, (*shape, hidden_size))
        yield self._key(layer, "bias"), (torch.float32, shape)
        if self.test_parts is not None:
            shape = (settings.folds, *shape)
            yield self._key(layer, "heldout.weight"), (torch.float32, (*shape, hidden_size))
            yield self._key(layer, "heldout.bias"), (torch.float32, shape)

    def store(
        self,
        stored: Mapping[str, torch.Tensor],
        layer: int,
        positions: range,
        plain: Probes,
        heldout: Probes | None,
    ) -> None:
        """Store the probes of some positions of a layer.

        plain: [positions, variables]. heldout: [positions, variables, folds].
        """
        here = slice(positions.start, positions.stop)
        stored[self._key(layer, "weight")][here] = plain.weight
        stored[self._key(layer, "bias")][here] = plain.bias
        if heldout is not None:
            place = slice(None), here
            stored[self._key(layer, "heldout.weight")][place] = heldout.weight.movedim(2, 0)
            stored[self._key(layer, "heldout.bias")][place] = heldout.bias.movedim(2, 0)

    def scored(
        self, layer: int, positions: range, plain: Probes, heldout: Probes | None
    ) -> Iterator[tuple[int, dict[str, Any]]]:
        """As of `scoring.score`."""
        return score(self.test, self.test_parts, layer, positions, plain, heldout, self.numbers)

    def _key(self, layer: int, what: str) -> str:
        return f"layer.{layer}.{self.name}{what}"

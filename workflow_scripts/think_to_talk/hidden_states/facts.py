"""What was found out about a model by running it: the file `model_check.json`.

The model check (`hidden_states/model_check.py`) finds the facts; decoding and patching
(`hidden_states/passes.py`, `interventions/patched_runs.py`) rely on them. What does not hold is
done without, in a slower way that is right.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from think_to_talk.errors import InputError, located
from think_to_talk.files.atomic import write_text


@dataclass(frozen=True)
class ModelFacts:
    """How a model may be run.

    blocks: name of the module that lists its decoder blocks.
    returns_tuple: whether a block returns a tuple, its hidden state first.
    continues_cache: whether several tokens after a cache get what one pass gives them, with the
        cache's rows repeated. If not, each batch passes the few-shot prefix again.
    steps_cache: whether one token at a time after a cache does, with the cache's rows selected. If
        not, each step passes all tokens again.
    selects_logits: whether the model may be asked for the logits of the last positions only.
    starts_at_layer: whether a pass may skip the blocks below a given hidden state.
    patchable: whether the hidden states of a layer are all that later layers see.
    last_state: name of the module whose output the library returns as the last hidden state, most
        often the final norm; empty if none was found.
    """

    blocks: str
    returns_tuple: bool
    continues_cache: bool = True
    steps_cache: bool = True
    selects_logits: bool = True
    starts_at_layer: bool = True
    patchable: bool = True
    last_state: str = ""

    def without(self, fact: str) -> ModelFacts:
        """The same facts, but that this one does not hold."""
        return ModelFacts(**{**asdict(self), fact: False})

    def check_patchable(self) -> None:
        """Raise InputError, without the model's name, if its hidden states cannot be patched."""
        if not self.patchable:
            raise InputError(
                "later layers see more than the hidden states of a layer, so patching or steering "
                "them would mean something else: set interventions.patching: false, "
                "interventions.free_writing: false and steering.enabled: false, or study the model "
                "in a run of its own"
            )

    def check_last_state(self) -> None:
        """Raise InputError, without the model's name, if the last state is unknown."""
        if not self.last_state:
            raise InputError(
                "no module gives the last hidden state that the library returns, so that the last "
                "layer cannot be read after the final norm: set last_layer: before_norm"
            )

    @classmethod
    def read(cls, path: str | Path) -> ModelFacts:
        """The facts in a `model_check.json`. Raises InputError for a file that holds none."""
        try:
            return cls(**json.loads(Path(path).read_text(encoding="utf-8"))["facts"])
        except (ValueError, TypeError, LookupError) as error:
            raise InputError(
                f"{path}: no facts about a model ({error}): delete the file and run again; it will "
                "be regenerated"
            ) from None


@dataclass(frozen=True)
class ModelCheck:
    """The outcome of a model check.

    facts: how the model may be run.
    notes: {fact that does not hold: what was found, and what is done instead}.
    measured: numbers behind them (schemas/model_check.schema.yaml).
    """

    facts: ModelFacts
    notes: Mapping[str, str]
    measured: Mapping[str, Any]


def write_model_check(
    path: str | Path,
    identity: Mapping[str, Any],
    check: Callable[[], ModelCheck],
    *,
    patched: bool,
    last_layer: str,
) -> None:
    """Write `model_check.json`, and warn of each fact that does not hold.

    identity: model, seed, revision and the name of the device.
    check: runs the check.
    patched: whether the study patches or steers the model.
    last_layer: `before_norm` or `after_norm`, as the study reads it.
    Raises InputError, with the model's name, if the model cannot be studied, or not be patched.
    """
    where = f"models.{identity['model']}"
    with located(where):
        found = check()
        if patched:
            found.facts.check_patchable()
        if last_layer == "after_norm":
            found.facts.check_last_state()
    for note in found.notes.values():
        warnings.warn(f"{where}: {note}", stacklevel=2)
    write_text(path, json.dumps({**identity, **asdict(found)}, indent=2) + "\n")

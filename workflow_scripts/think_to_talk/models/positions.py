"""How many tokens a model can read: its table of positions, its training, its rotary factors.

Planning (`study/lengths.py`) asks with the fewest tokens that a prompt can have, the tokens job
with their exact number. What a model does is read from the model itself, built without memory, and
not from the name of its architecture.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from think_to_talk.errors import InputError

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedConfig, PreTrainedModel

#: Names of the number of positions, in configs of the library.
_KEYS = (
    *("max_position_embeddings", "n_positions", "max_seq_len", "max_target_positions"),
    "n_ctx",
)

#: The length at which rotary factors change, or from which they were scaled.
_ORIGINAL = "original_max_position_embeddings"

#: Rows before the first position in some models' tables, within their number of positions or beside
#: it.
UNUSED_ROWS = 2


def smallest_limit(config: Mapping[str, Any]) -> int | None:
    """The smallest number of positions that a `config.json` names anywhere; None if it names none.

    A prompt within it needs no closer look.
    """
    limits = [
        value
        for key in (*_KEYS, _ORIGINAL)
        if isinstance(value := config.get(key), int) and value > 0
    ]
    parts = [smallest_limit(part) for part in config.values() if isinstance(part, Mapping)]
    return min([*limits, *(part for part in parts if part)], default=None)


@dataclass(frozen=True)
class Length:
    """The length of a task's rows for one model, in tokens.

    prompt: of few-shot examples, BOS and problem.
    after: that may follow it, whichever is longer: the gold chain or `max_new_tokens`.
    exact: whether they are counted; otherwise there are at least so many.
    """

    prompt: int
    after: int
    exact: bool = True

    @property
    def total(self) -> int:
        """Positions that the model must have."""
        return self.prompt + self.after

    def __str__(self) -> str:
        least = "" if self.exact else "at least "
        return f"a prompt of {least}{self.prompt} tokens and up to {self.after} after it"


def check_length(
    config: PreTrainedConfig, length: Length, *, trust_remote_code: bool = False
) -> str | None:
    """What to be warned of if rows are longer than a model was trained on; None if they are not.

    config: the library's, with its defaults.
    trust_remote_code: whether the model's own code may be run to build it.
    Raises InputError if the model has no such positions, or if its rotary factors change within
    the rows: what is cached of a prefix would then belong to other factors.
    """
    text = config.get_text_config(decoder=True)
    # Some models say -1 for no limit.
    trained = next((n for key in _KEYS if (n := getattr(text, key, None)) and n > 0), None)
    for changing in _changing_lengths(text, trained):
        if length.total > changing:
            raise InputError(
                f"{length} exceed {changing}, the length at which the model's rotary factors "
                "change; a few-shot prefix that is cached would give wrong results: lower shots "
                "or max_new_tokens"
            )
    if trained is None or length.total <= trained - UNUSED_ROWS:
        return None
    rows = _table_rows(config, trained, trust_remote_code)
    if rows is None and length.total > trained:
        return (
            f"{length} exceed the {trained} positions of the model's config; it computes further "
            "ones, which it may not have seen in training: lower shots or max_new_tokens if its "
            "chains are wrong"
        )
    if rows is not None and length.total > rows:
        raise InputError(
            f"{length} exceed the {rows} positions that the model has: lower shots or "
            "max_new_tokens"
        )
    return None


def _changing_lengths(text: PreTrainedConfig, trained: int | None) -> Iterator[int]:
    """The lengths at which rotary factors change, as the library's `dynamic_rope_update` has it."""
    parameters = getattr(text, "rope_parameters", None) or {}
    # Some models have parameters for each kind of layer.
    for rope in (parameters, *(part for part in parameters.values() if isinstance(part, dict))):
        kind = rope.get("rope_type") or "default"
        if kind == "longrope" and rope.get(_ORIGINAL):
            yield rope[_ORIGINAL]
        elif "dynamic" in kind and trained:
            yield trained


def _table_rows(config: PreTrainedConfig, trained: int, trust_remote_code: bool) -> int | None:
    """Positions in the model's table of them; None if it computes positions as it needs them.

    A table is an embedding, other than the vocabulary's, or a buffer with a row per position. Some
    models make one as they run, which then fits no longer input.
    """
    import torch
    from transformers import AutoModelForCausalLM

    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(config, trust_remote_code=trust_remote_code)
    embeddings = [
        module
        for module in model.modules()
        if isinstance(module, torch.nn.Embedding)
        and module is not model.get_input_embeddings()
        and module.num_embeddings - trained in (0, UNUSED_ROWS)
    ]
    if embeddings:
        return min(trained, *map(_positions, embeddings))
    is_table = any(
        # A square one is a mask.
        buffer.ndim == 2 and buffer.shape[0] == trained != buffer.shape[1]
        for buffer in model.buffers()
    )
    if is_table or (_fits(model, trained) and not _fits(model, trained + 1)):
        return trained
    return None


def _fits(model: PreTrainedModel, tokens: int) -> bool:
    """Whether the shapes of a pass over so many tokens fit; nothing is computed."""
    import torch

    try:
        model(torch.zeros(1, tokens, dtype=torch.long, device="meta"), use_cache=False)
    # Whatever a model raises: shapes that do not fit end in many ways.
    except Exception:
        return False
    return True


def _positions(embedding: torch.nn.Embedding) -> int:
    """Rows of a table of positions; those up to its padding's are not used."""
    padding = embedding.padding_idx
    return embedding.num_embeddings - (0 if padding is None else padding + 1)

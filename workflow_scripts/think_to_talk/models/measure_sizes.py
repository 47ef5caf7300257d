"""Measure the sizes of models: a program that planning runs once, in a process of its own.

`models/sizes.py` starts it, since torch and transformers take seconds to import, and keeps its
answers. A model is built from its config on torch's meta device, where tensors have shapes and no
memory, and runs there as decoding runs it: what it has and holds is added up, and no architecture
is known by its name.

    python -m think_to_talk.models.measure_sizes < requests.json > answers.json

Requests are a list of objects as `models/sizes.py` writes them; answers are the fields of `Sizes`,
or an `error`.
"""

from __future__ import annotations

import contextlib
import gc
import inspect
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from think_to_talk.errors import DOES_NOT_RUN, InputError, one_line
from think_to_talk.models.configs import (
    build,
    check_declared,
    declared_config,
    library_config,
    stored_dtype,
)
from think_to_talk.models.live_memory import LiveMemory, ShapesOnly, held_bytes, tensors_in

if TYPE_CHECKING:
    from transformers import PreTrainedConfig, PreTrainedModel

#: Rows of the passes that are measured: what grows from the fewer to the more is said per row, the
#: rest is what rows share, such as masks. One row alone is not copied where several are.
_FEWER, _MORE = 2, 4

#: Larger values are taken as mistakes.
_MAX_LAYERS = 1000


def measure(request: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of `Sizes` for one request (`models/sizes.py`).

    Raises InputError if the model cannot be built from its config.
    """
    config = _config(request)
    text = config.get_text_config(decoder=True)
    n_layers = getattr(text, "num_hidden_layers", None)
    if not isinstance(n_layers, int) or not 0 < n_layers <= _MAX_LAYERS:
        raise InputError(
            f"num_hidden_layers: {n_layers} found, expected a number from 1 to {_MAX_LAYERS}"
        )
    dtype = stored_dtype(config) if request["dtype"] == "auto" else request["dtype"]
    model = build(config, dtype, request["trust_remote_code"])
    # Looking for garbage among what libraries and the model have made takes long, in each pass.
    gc.collect()
    gc.freeze()
    parameters = list(model.parameters())
    count = sum(parameter.numel() for parameter in parameters)
    assumed = ""
    try:
        held = _Passes(model, request["on_gpu"]).decoding(**request["tokens"])
    except InputError as error:
        assumed = str(error)
        held = _assumed(text, getattr(torch, dtype).itemsize, count, **request["tokens"])
    return {
        "num_hidden_layers": n_layers,
        "hidden_size": text.hidden_size,
        "dtype": dtype,
        "parameters": count,
        "weights": held_bytes([*parameters, *model.buffers()]),
        **held,
        "assumed": assumed,
    }


class _Passes:
    """Passes of rows without values, and what they hold.

    on_gpu: whether attention is a GPU's.
    """

    def __init__(self, model: PreTrainedModel, on_gpu: bool) -> None:
        self._model, self._on_gpu = model, on_gpu
        self._weights = [*model.parameters(), *model.buffers()]
        accepted = inspect.signature(model.forward).parameters
        self._selects_logits = "logits_to_keep" in accepted

    def decoding(self, prefix: int, row: int, read: int, longest: int) -> dict[str, int]:
        """What decoding holds: of the few-shot prefix, and of each row behind it; in bytes.

        prefix, row, read, longest: tokens, as of `models.sizes.Tokens`.
        """
        fewer, more = (self._held(n, prefix, row, read, longest) for n in (_FEWER, _MORE))
        per_row = {name: (more[name] - fewer[name]) // (_MORE - _FEWER) for name in fewer}
        shared = {name: fewer[name] - _FEWER * per_row[name] for name in fewer}
        return {
            # A prefix is one row.
            **{
                name: per_row[name] + shared[name]
                for name in ("prefix_cache", "prefix_activations")
            },
            "cache": per_row["cache"],
            "activations": per_row["activations"],
            "shared": shared["cache"] + shared["activations"],
            "flops_per_token": round(more["flops"] / more["passed"]),
            "vocabulary": more["vocabulary"],
        }

    def _held(self, rows: int, prefix: int, row: int, read: int, longest: int) -> dict[str, int]:
        """What so many rows hold together, their operations and tokens, and a position's logits."""
        activations = cached = 0
        cache: Any = None
        held = {"prefix_cache": 0, "prefix_activations": 0}
        if prefix:
            output, held["prefix_activations"], *_ = self._run(rows, prefix, 1)
            cache = output.get("past_key_values")
            held["prefix_cache"] = held_bytes(tensors_in(output))
        try:
            output, activations, flops, vocabulary = self._run(rows, row, read, cache)
            cached = held_bytes(tensors_in(output))
            rest = longest - prefix - row
            if rest:
                output, *_ = self._run(rows, rest, 1, output["past_key_values"])
                cached = max(cached, held_bytes(tensors_in(output)))
            passed = row
        # Whatever a model raises that does not go on from a cache: it passes whole rows again.
        except Exception:
            output, activations, flops, vocabulary = self._run(rows, longest, read)
            cached, passed = held_bytes(tensors_in(output)), longest
        return {
            **held,
            "cache": cached,
            "activations": activations,
            "flops": flops,
            "passed": rows * passed,
            "vocabulary": vocabulary,
        }

    def _run(
        self, rows: int, tokens: int, read: int, cache: Any = None
    ) -> tuple[dict[str, Any], int, int, int]:
        """A pass of rows, and reading the logits of their last positions.

        tokens: of each row. read: so many positions. cache: of the tokens before, if any.
        Returns what the model returns apart from the logits, such as its cache; the bytes that
        were held beside that and the weights; the operations; and the logits of a position.
        Raises InputError if it does not run.
        """
        options: dict[str, Any] = {"past_key_values": cache} if cache is not None else {}
        if self._selects_logits:
            options["logits_to_keep"] = read
        with (
            one_line(DOES_NOT_RUN),
            # Not inference mode, in which products are hidden in larger operations.
            torch.no_grad(),
            torch.device("meta"),
            ShapesOnly(self._on_gpu),
            LiveMemory([*self._weights, *tensors_in(cache)]) as memory,
        ):
            ids = torch.zeros((rows, tokens), dtype=torch.long)
            output = dict(self._model(input_ids=ids, use_cache=True, **options))
            vocabulary = output["logits"].shape[-1]
            # Chosen positions are copied.
            output.pop("logits")[:, -read:].clone().argmax(dim=-1)
        return output, memory.peak(tensors_in(output)), memory.flops, vocabulary


def _assumed(
    text: PreTrainedConfig,
    size: int,
    parameters: int,
    prefix: int,
    row: int,
    read: int,
    longest: int,
) -> dict[str, int]:
    """What `_Passes.decoding` measures, for a model that does not run without values.

    Taken are a key and a value as wide as the residual stream in each layer, twenty tensors of that
    width beside them, and logits that are copied.

    size: bytes of a number. parameters: of the model. The others are as of `decoding`.
    """
    width = size * text.hidden_size
    per_token = 2 * text.num_hidden_layers * width
    return {
        "prefix_cache": prefix * per_token,
        "prefix_activations": prefix * 20 * width,
        "cache": longest * per_token,
        "activations": longest * 20 * width + 2 * read * text.vocab_size * size,
        "shared": 0,
        "flops_per_token": 2 * parameters,
        "vocabulary": text.vocab_size,
    }


def _config(request: Mapping[str, Any]) -> PreTrainedConfig:
    """The library's config of a request: of its checkpoint, or as the study declares it."""
    if request["checkpoint"] is None:
        return declared_config(request["declared"])
    config = library_config(Path(request["checkpoint"]), request["trust_remote_code"])
    if request["declared"] is not None:
        check_declared(request["declared"], config, request["trust_remote_code"])
    return config


def answer(request: Mapping[str, Any]) -> dict[str, Any]:
    """The answer to one request: sizes, or an error."""
    try:
        return measure(request)
    except InputError as error:
        return {"error": str(error)}


def main() -> None:
    """Answer the requests of the standard input."""
    answers = sys.stdout
    # Nothing that libraries print comes between the answers.
    with contextlib.redirect_stdout(sys.stderr):
        found = [answer(request) for request in json.load(sys.stdin)]
    json.dump(found, answers)


if __name__ == "__main__":
    main()

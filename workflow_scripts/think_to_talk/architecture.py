"""The size of a decoder-only transformer, from the values that its published `config.json` gives.

Enough to say, before anything is downloaded, how much memory, disk and arithmetic a model needs.
Only arithmetic happens here: torch and transformers are not imported, so planning stays quick.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from think_to_talk.errors import InputError

#: Bytes of one number, by the name of its torch type.
DTYPE_BYTES = {"float32": 4, "bfloat16": 2, "float16": 2}

#: What some model types call the same value.
_ALIASES = {
    "num_hidden_layers": ("n_layer", "num_layers", "n_layers"),
    "hidden_size": ("n_embd", "d_model", "dim"),
    "num_attention_heads": ("n_head", "n_heads"),
    "intermediate_size": ("n_inner", "ffn_dim", "d_ff"),
    "num_key_value_heads": ("num_kv_heads",),
    "dtype": ("torch_dtype",),
}
#: Model types whose MLP has two matrices; all newer ones have a gate as well, hence three.
_UNGATED = {
    *("bloom", "codegen", "falcon", "gpt2", "gpt_bigcode", "gpt_neo", "gpt_neox", "gptj"),
    *("mpt", "opt", "phi", "starcoder2"),
}
#: Model types whose embeddings are shared with the output layer unless the config says otherwise.
_TIED = {"bloom", "falcon", "gemma", "gemma2", "gemma3_text", "gpt2", "gpt_neo", "mpt", "opt"}
#: Larger ones are mistakes.
_MOST_LAYERS, _LARGEST_SIZE = 1000, 10_000_000
_REQUIRED = ("num_hidden_layers", "hidden_size", "num_attention_heads", "vocab_size")


@dataclass(frozen=True)
class Architecture:
    """Sizes of a model, named as in `config.json`; `dtype` is that of its stored weights."""

    num_hidden_layers: int
    hidden_size: int
    intermediate_size: int
    num_attention_heads: int
    num_key_value_heads: int
    head_dim: int
    vocab_size: int
    tie_word_embeddings: bool
    gated: bool
    dtype: str

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Architecture:
        """Read the contents of a `config.json`; what it leaves out has the usual default.

        Raises InputError for a model whose size cannot be told from it.
        """
        # A model for text and images keeps what concerns text apart.
        config = {**config, **(config.get("text_config") or {})}
        values = {name: _value(config, name) for name in (*_REQUIRED, *_ALIASES)}
        values["head_dim"] = config.get("head_dim")
        missing = [name for name in _REQUIRED if values[name] is None]
        if missing:
            raise InputError(f"{', '.join(missing)} not found; expected as in config.json")
        for name in values.keys() - {"dtype"}:
            _check_size(name, values[name])
        experts = [key for key, value in config.items() if "expert" in key and value]
        if experts:
            raise InputError(
                f"{experts[0]}: a mixture of experts; only dense decoders are supported"
            )
        model_type = config.get("model_type", "llama")
        heads = values["num_attention_heads"]
        dtype = str(values["dtype"]).removeprefix("torch.")
        return cls(
            num_hidden_layers=values["num_hidden_layers"],
            hidden_size=values["hidden_size"],
            intermediate_size=values["intermediate_size"] or 4 * values["hidden_size"],
            num_attention_heads=heads,
            num_key_value_heads=values["num_key_value_heads"] or heads,
            head_dim=values["head_dim"] or values["hidden_size"] // heads,
            vocab_size=values["vocab_size"],
            tie_word_embeddings=config.get("tie_word_embeddings", model_type in _TIED),
            gated=model_type not in _UNGATED,
            dtype=dtype if dtype in DTYPE_BYTES else "float32",
        )

    @cached_property
    def parameters(self) -> int:
        """Weights, but for biases and norms (less than a hundredth of them)."""
        d = self.hidden_size
        attention = 2 * d * self.head_dim * (self.num_attention_heads + self.num_key_value_heads)
        mlp = (3 if self.gated else 2) * d * self.intermediate_size
        embeddings = self.vocab_size * d * (1 if self.tie_word_embeddings else 2)
        return self.num_hidden_layers * (attention + mlp) + embeddings

    @property
    def cached_values_per_token(self) -> int:
        """Numbers in the key-value cache per token."""
        return 2 * self.num_hidden_layers * self.num_key_value_heads * self.head_dim

    @property
    def flops_per_token(self) -> int:
        """Floating-point operations of a forward pass per token: two per weight that multiplies.

        The embeddings are looked up, the output layer multiplies; attention to a few hundred
        tokens adds a few hundredths, which are left out (Kaplan et al., arXiv:2001.08361).
        """
        looked_up = 0 if self.tie_word_embeddings else self.vocab_size * self.hidden_size
        return 2 * (self.parameters - looked_up)


def _check_size(name: str, value: Any) -> None:
    """Raise InputError for what cannot be a size; None stands for the usual one."""
    largest = _MOST_LAYERS if name == "num_hidden_layers" else _LARGEST_SIZE
    is_size = isinstance(value, int) and not isinstance(value, bool) and 0 < value <= largest
    if value is not None and not is_size:
        raise InputError(f"{name}: {str(value)[:60]} found, expected a number from 1 to {largest}")


def _value(config: Mapping[str, Any], name: str) -> Any:
    names = (name, *_ALIASES.get(name, ()))
    return next((config[known] for known in names if config.get(known) is not None), None)


def read_architecture(checkpoint: Path) -> Architecture:
    """The architecture of a checkpoint on disk: a `config.json`, or a GGUF file.

    Raises InputError naming the file if it does not say what is needed.
    """
    try:
        if checkpoint.suffix == ".gguf":
            return Architecture.from_config(_gguf_config(checkpoint))
        return Architecture.from_config(json.loads(checkpoint.read_text(encoding="utf-8")))
    except InputError as error:
        raise InputError(f"{checkpoint}: {error}") from None
    except (OSError, ValueError, TypeError, LookupError) as error:
        raise InputError(f"{checkpoint}: not readable ({error})") from None


def _gguf_config(path: Path) -> dict[str, Any]:
    """What a GGUF file's metadata says, under the names of `config.json`."""
    from gguf import GGUFReader

    reader = GGUFReader(path)

    def field(name: str) -> Any:
        found = reader.get_field(name)
        return None if found is None else found.contents()

    kind = field("general.architecture")
    tensors = {tensor.name: tensor for tensor in reader.tensors}
    return {
        "model_type": kind,
        "num_hidden_layers": field(f"{kind}.block_count"),
        "hidden_size": field(f"{kind}.embedding_length"),
        "intermediate_size": field(f"{kind}.feed_forward_length"),
        "num_attention_heads": field(f"{kind}.attention.head_count"),
        "num_key_value_heads": field(f"{kind}.attention.head_count_kv"),
        "head_dim": field(f"{kind}.attention.key_length"),
        "num_experts": field(f"{kind}.expert_count"),
        "vocab_size": int(tensors["token_embd.weight"].shape[-1]),
        "tie_word_embeddings": "output.weight" not in tensors,
    }

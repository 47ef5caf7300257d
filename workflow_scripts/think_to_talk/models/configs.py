"""The library's config of a model, and the model that it builds from it without memory.

Sizes are measured with them (`models/measure_sizes.py`), and a download is compared with what the
study declares (`models/hub.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from transformers import CONFIG_MAPPING, AutoConfig, AutoModelForCausalLM

from think_to_talk.errors import InputError, one_line

if TYPE_CHECKING:
    from transformers import PreTrainedConfig, PreTrainedModel

#: The number formats in which a model may run; stored weights in others run in the first.
_DTYPES = ("float32", "bfloat16", "float16")

#: Models whose numbers of parameters differ by less, as a share, are the same size.
_SAME_COUNT = 0.001

#: Keys that every config has, beside those of its class.
_COMMON_KEYS = {"architectures", "dtype", "model_type", "rope_scaling", "rope_theta"}


def library_config(checkpoint: Path, trust_remote_code: bool) -> PreTrainedConfig:
    """The library's config of a checkpoint's config.json or GGUF file.

    Raises InputError, which names the file, if the library cannot read it.
    """
    with one_line(f"{checkpoint}: not readable"):
        config: PreTrainedConfig = AutoConfig.from_pretrained(
            checkpoint.parent,
            **({"gguf_file": checkpoint.name} if checkpoint.suffix == ".gguf" else {}),
            local_files_only=True,
            trust_remote_code=trust_remote_code,
        )
    return config


def declared_config(declared: Mapping[str, Any]) -> PreTrainedConfig:
    """The library's config of the sizes that a study declares; a Llama's if it names no model type.

    Raises InputError for a model type or a key that the library does not know, and for values that
    it does not accept.
    """
    kind = declared.get("model_type", "llama")
    if kind not in CONFIG_MAPPING:
        raise InputError(
            f"architecture.model_type: {kind[:60]!r} is none of the installed library's: correct "
            "it, or leave `architecture` out"
        )
    config_class = CONFIG_MAPPING[kind]
    known = _COMMON_KEYS | {*config_class().to_dict(), *config_class.attribute_map}
    for key in declared:
        if key not in known:
            raise InputError(
                f"architecture: {key[:60]!r} is no key of the config.json of a {kind}: correct it, "
                "or leave `architecture` out"
            )
    with one_line("architecture: the library does not accept it"):
        values = {key: value for key, value in declared.items() if key != "model_type"}
        return config_class(**values)


def check_declared(
    declared: Mapping[str, Any], config: PreTrainedConfig, trust_remote_code: bool
) -> None:
    """Raise InputError unless the sizes that a study declares give a model like a config's."""
    text = config.get_text_config(decoder=True)
    ours = declared_config(declared)
    found: Any
    for key, value in declared.items():
        if key == "model_type":
            found, agrees = config.model_type, value in (config.model_type, text.model_type)
        elif key == "dtype":
            found = stored_dtype(config)
            agrees = value == found
        else:
            found = getattr(text, key, getattr(config, key, None))
            agrees = getattr(ours, key) == found
        if not agrees:
            raise InputError(
                f"architecture.{key}: the config says {value!r}, the model's config.json "
                f"{found!r}: correct the entry, or leave `architecture` out"
            )
    counts = [
        sum(parameter.numel() for parameter in build(one, "float32", trusted).parameters())
        for one, trusted in ((ours, False), (config, trust_remote_code))
    ]
    if abs(counts[0] - counts[1]) > _SAME_COUNT * counts[1]:
        others = [
            key
            for key, value in text.to_dict().items()
            if isinstance(value, int) and getattr(ours, key, value) != value and "_id" not in key
        ]
        raise InputError(
            f"architecture: it gives a model of {counts[0]:,} parameters, the model's config.json "
            f"one of {counts[1]:,}: add keys of its config.json ({', '.join(others)[:200]}), or "
            "leave `architecture` out"
        )


def stored_dtype(config: PreTrainedConfig) -> str:
    """The number format of the stored weights."""
    dtype = config.get_text_config(decoder=True).dtype or config.dtype
    name = str(dtype).removeprefix("torch.")
    return name if name in _DTYPES else _DTYPES[0]


def build(config: PreTrainedConfig, dtype: str, trust_remote_code: bool) -> PreTrainedModel:
    """The model of a config without memory. Raises InputError if the library does not build it."""
    with one_line("the library builds no model from its config"), torch.device("meta"):
        model: PreTrainedModel = AutoModelForCausalLM.from_config(
            config, dtype=getattr(torch, dtype), trust_remote_code=trust_remote_code
        )
    return model.eval()

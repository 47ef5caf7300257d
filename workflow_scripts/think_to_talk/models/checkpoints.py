"""Files of a checkpoint on disk, and whether they may be loaded.

A checkpoint is data from elsewhere. Only safetensors and GGUF files are read as weights, since a
pickle can run any code when it is read, and Python code in the checkpoint is run only if the config
trusts it. Planning lists a model's files here; loading checks them again.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from think_to_talk.errors import InputError

_WEIGHTS, _INDEX = "model.safetensors", "model.safetensors.index.json"

#: Files of a checkpoint that the study trains or unpacks; a chat template is in the tokenizer's.
WRITTEN_FILES = (
    *("config.json", "generation_config.json", _WEIGHTS),
    *("tokenizer.json", "tokenizer_config.json"),
)

#: What to do about a damaged file of a checkpoint.
RESTORE_HINT = (
    "restore the checkpoint's files, or, if the study trained it, delete them and run again to "
    "train it again"
)

#: Files of a checkpoint whose `auto_map` may name Python code in the checkpoint.
_MAY_NAME_CODE = ("config.json", "tokenizer_config.json")


def checkpoint_files(path: str | Path) -> list[Path]:
    """The files of a checkpoint: a GGUF file, or all files of a folder.

    path: a Hugging Face checkpoint folder, a folder with one GGUF file, or a GGUF file.
    Raises InputError if there is no such checkpoint.
    """
    path = Path(path)
    if path.is_file() and path.suffix == ".gguf":
        return [path]
    if not path.is_dir():
        raise InputError(f"{path}: no such folder or GGUF file")
    gguf = sorted(path.glob("*.gguf"))
    if (path / "config.json").is_file():
        _check_plain(path)
        _check_weights(path, gguf)
        return sorted(file for file in path.iterdir() if file.is_file())
    if len(gguf) != 1:
        raise InputError(
            f"{path}: found {len(gguf)} GGUF files and no config.json; expected a Hugging Face "
            "checkpoint or one GGUF file"
        )
    return gguf


def _check_plain(folder: Path) -> None:
    """Raise InputError for a checkpoint whose weights are an adapter's too, or quantised."""
    adapter = folder / "adapter_config.json"
    if adapter.is_file():
        raise InputError(
            f"{adapter}: an adapter found beside config.json, which would be ignored; expected the "
            "weights of one model: merge them (merge_and_unload and save_pretrained of peft), or "
            "move the adapter's files away"
        )
    quantised = _read_config(folder / "config.json").get("quantization_config")
    if quantised:
        method = quantised.get("quant_method") if isinstance(quantised, dict) else quantised
        raise InputError(
            f"{folder / 'config.json'}: quantization_config: {method!r} found; expected weights in "
            "float32, bfloat16 or float16: use the original checkpoint, or a GGUF file, which is "
            "read without its quantisation"
        )


def _check_weights(folder: Path, gguf: list[Path]) -> None:
    """Raise InputError unless a checkpoint's weights are all there and in safetensors.

    gguf: the GGUF files beside its config.json, which are read only if the path names one.
    """
    for name in weight_files(folder):
        if (folder / name).is_file():
            continue
        if gguf:
            raise InputError(
                f"{folder}: found config.json and {gguf[0].name}, but no {name}; expected one "
                f"kind of checkpoint: name the GGUF file itself ({gguf[0]}), or add {name}"
            )
        raise InputError(
            f"{folder}: no {name} beside config.json; weights are read from safetensors only "
            "(convert pickled weights with save_pretrained)"
        )


def weight_files(folder: Path) -> list[str]:
    """Names of the files with the weights: a single file, or the index and the files it lists.

    Raises InputError for an index that cannot be read, or that lists other files than safetensors
    in the folder.
    """
    index = folder / _INDEX
    # The library looks for them in this order.
    if (folder / _WEIGHTS).exists() or not index.exists():
        return [_WEIGHTS]
    try:
        listed = set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values())
        names = sorted(listed)
    except (OSError, ValueError, TypeError, LookupError, AttributeError) as error:
        raise InputError(f"{index}: not readable ({error}); expected a weight_map") from None
    for name in names:
        # An index may list any file, and the library would unpickle it.
        if not re.fullmatch(r"[^/]+\.safetensors", str(name)):
            raise InputError(
                f"{index}: lists {name!r}, expected files *.safetensors beside it; "
                "weights are read from safetensors only (convert pickled ones with save_pretrained)"
            )
    return [_INDEX, *names]


def check_code(folder: Path, trust_remote_code: bool, key: str = "trust_remote_code") -> None:
    """Raise InputError if a checkpoint needs Python code that may not be run.

    An architecture that the installed library implements needs no code.

    folder: folder of the checkpoint, or of its GGUF file.
    trust_remote_code: whether code in the folder may be run; code of other repositories never is.
    key: the config key of trust_remote_code, for messages.
    """
    named = {name: _read_config(folder / name).get("auto_map") for name in _MAY_NAME_CODE}
    if not trust_remote_code:
        model_type = _read_config(folder / "config.json").get("model_type")
        if named["config.json"] and not _is_known(model_type):
            raise InputError(untrusted_code_message(folder / "config.json", key))
        return
    for name, code in named.items():
        # `owner/name--file.Class` is code of another repository.
        if "--" in json.dumps(code):
            raise InputError(
                f"{key}: {folder / name} asks for code of another repository "
                f"({json.dumps(code)}); only what is in the checkpoint's own folder is run"
            )


def untrusted_code_message(place: Path, key: str = "trust_remote_code") -> str:
    """The message about a checkpoint that needs Python code which is not trusted."""
    return (
        f"{key}: {place} asks for Python code of its own, which is run only if this key is true: "
        "read the code first"
    )


def _read_config(path: Path) -> dict[str, Any]:
    """The JSON object in a file of a checkpoint; empty if there is no such file."""
    if not path.is_file():
        return {}
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"{path}: not readable ({error}): {RESTORE_HINT}") from None
    if not isinstance(config, dict):
        raise InputError(f"{path}: {type(config).__name__} found, expected a JSON object")
    return config


def _is_known(model_type: object) -> bool:
    """Whether the installed library implements the architecture."""
    from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES

    return model_type in MODEL_FOR_CAUSAL_LM_MAPPING_NAMES

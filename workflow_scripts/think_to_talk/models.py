"""Checkpoints on disk: their files, tokenizer, and model ready for inference."""

from __future__ import annotations

import importlib.util
import json
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from safetensors import SafetensorError

from think_to_talk.errors import InputError, explained
from think_to_talk.snapshots import snapshot_folder

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

_WEIGHTS, _INDEX = "model.safetensors", "model.safetensors.index.json"
#: What to do about a file of a checkpoint that was cut.
_BRING_BACK = (
    "bring the checkpoint's files back, or, if the study trained it, delete them and run again to "
    "make them anew"
)
#: Files of a checkpoint whose `auto_map` may name Python code of its own.
_MAY_NAME_CODE = ("config.json", "tokenizer_config.json")


def checkpoint_files(path: str | Path) -> list[Path]:
    """The files that a checkpoint consists of: a GGUF file, or all files of a folder.

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
        _check_weights(path)
        return sorted(file for file in path.iterdir() if file.is_file())
    if len(gguf) != 1:
        raise InputError(
            f"{path}: found {len(gguf)} GGUF files and no config.json; expected a Hugging Face "
            "checkpoint or one GGUF file"
        )
    return gguf


def _check_weights(folder: Path) -> None:
    """Raise InputError if a checkpoint's weights are not all in safetensors, and there."""
    names = weight_files(folder)
    for name in names:
        # An index may name any file, and the library would unpickle it.
        if name != _INDEX and not re.fullmatch(r"[^/]+\.safetensors", str(name)):
            raise InputError(
                f"{folder / _INDEX}: lists {name!r}, expected files *.safetensors beside it; "
                "weights are read from safetensors only (convert pickled ones with save_pretrained)"
            )
        if not (folder / name).is_file():
            raise InputError(
                f"{folder}: no {name} beside config.json; weights are read from safetensors only "
                "(convert pickled weights with save_pretrained)"
            )


def weight_files(folder: Path) -> list[str]:
    """The names of the files with the weights: the only one, or the index and those that it lists.

    Raises InputError for an index that cannot be read.
    """
    index = folder / _INDEX
    # The library looks for them in this order.
    if (folder / _WEIGHTS).exists() or not index.exists():
        return [_WEIGHTS]
    try:
        listed = set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values())
        return [_INDEX, *sorted(listed)]
    except (OSError, ValueError, TypeError, LookupError, AttributeError) as error:
        raise InputError(f"{index}: not readable ({error}); expected a weight_map") from None


def check_code(folder: Path, trust_remote_code: bool, key: str = "trust_remote_code") -> None:
    """Raise InputError if a checkpoint needs Python code that may not be run, or is elsewhere.

    folder: of the checkpoint; that of a GGUF file has none. trust_remote_code: whether its own code
    may be run. key: what says so in the config, for messages.
    An architecture that the installed library has itself needs none.
    """
    named = {name: _read_config(folder / name).get("auto_map") for name in _MAY_NAME_CODE}
    if not trust_remote_code:
        model_type = _read_config(folder / "config.json").get("model_type")
        if named["config.json"] and not _is_known(model_type):
            raise InputError(_untrusted(folder / "config.json", key))
        return
    for name, code in named.items():
        # `owner/name--file.Class` is code of another repository.
        if "--" in json.dumps(code):
            raise InputError(
                f"{key}: {folder / name} asks for code of another repository "
                f"({json.dumps(code)}); only what is in the checkpoint's own folder is run"
            )


def _untrusted(place: Path, key: str = "trust_remote_code") -> str:
    """What is said of a checkpoint that needs Python code of its own."""
    return (
        f"{key}: {place} asks for Python code of its own, which is not run unless this is true: "
        "read the code first"
    )


def _read_config(path: Path) -> dict[str, Any]:
    """What a file of a checkpoint says; nothing if it is not there."""
    if not path.is_file():
        return {}
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"{path}: not readable ({error}): {_BRING_BACK}") from None
    if not isinstance(config, dict):
        raise InputError(f"{path}: {type(config).__name__} found, expected a JSON object")
    return config


def _is_known(model_type: object) -> bool:
    """Whether the installed library has the architecture itself."""
    from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES

    return model_type in MODEL_FOR_CAUSAL_LM_MAPPING_NAMES


def package_folder(package: str) -> Path:
    """The folder of an installed Python package, which is not imported.

    Raises InputError if it is not installed.
    """
    found = importlib.util.find_spec(package)
    if found is None or not found.submodule_search_locations:
        raise InputError(f"no package {package!r} is installed: install it with pip")
    return Path(found.submodule_search_locations[0])


def checkpoint_path(path: str | Path) -> Path:
    """Where a checkpoint lies: the path itself, or for a hub model's manifest its snapshot."""
    path = Path(path)
    return snapshot_folder(path) if path.suffix == ".json" else path


@contextmanager
def _source(path: str | Path, trust_remote_code: bool) -> Iterator[dict[str, Any]]:
    """Arguments of `from_pretrained` that name the checkpoint, for a block that calls it.

    path: as of `checkpoint_path`. trust_remote_code: whether its own Python code may be run, of
    which a warning is given.
    Raises InputError if it needs code that may not be run, or if a file of it was cut, also if only
    the library finds out.
    """
    checkpoint = checkpoint_path(path)
    first = checkpoint_files(checkpoint)[0]
    check_code(first.parent, trust_remote_code)
    source: dict[str, Any] = {
        "pretrained_model_name_or_path": str(checkpoint),
        "local_files_only": True,
        "trust_remote_code": trust_remote_code,
    }
    if first.suffix == ".gguf":
        source |= {"pretrained_model_name_or_path": str(first.parent), "gguf_file": first.name}
    if trust_remote_code:
        warnings.warn(
            f"{checkpoint}: Python code that comes with the checkpoint may be run "
            "(trust_remote_code)",
            stacklevel=4,
        )
    try:
        yield source
    except (SafetensorError, ValueError, OSError) as error:
        if "trust_remote_code=True" in str(error):
            raise InputError(_untrusted(checkpoint)) from None
        if not _is_of_damage(error):
            raise
        raise InputError(
            f"{path}: not readable ({str(error).splitlines()[0]}): {_BRING_BACK}"
        ) from None


def _is_of_damage(error: Exception) -> bool:
    """Whether an error of the library's means that a file of a checkpoint is damaged."""
    if isinstance(error, OSError):
        # What it says of a config.json that is not JSON is one without a number.
        return error.errno is None and explained(error) is None
    return isinstance(error, SafetensorError | json.JSONDecodeError)


def load_tokenizer(path: str | Path, *, trust_remote_code: bool = False) -> PreTrainedTokenizerBase:
    """The checkpoint's own tokenizer.

    path: as of `checkpoint_path`. trust_remote_code: whether the checkpoint's own Python code may
    be run.
    """
    from transformers import AutoTokenizer

    with _source(path, trust_remote_code) as source:
        return AutoTokenizer.from_pretrained(**source)


def load_model(
    path: str | Path, dtype: str = "float32", gpus: int = 0, *, trust_remote_code: bool = False
) -> PreTrainedModel:
    """The checkpoint as a causal language model in evaluation mode.

    path: as of `checkpoint_path`. dtype: `float32`, `bfloat16` or `float16`. gpus: how many GPUs
    its layers are spread over; 0 for the CPU, where it runs as well, with a warning, if there is
    no GPU. trust_remote_code: as of `load_tokenizer`.
    """
    import torch
    from transformers import AutoModelForCausalLM
    from transformers.utils.logging import disable_progress_bar

    disable_progress_bar()
    with _source(path, trust_remote_code) as source:
        if "gguf_file" not in source:
            source["use_safetensors"] = True
        if _sees_gpus(gpus, dtype):
            # On one GPU all of the model goes there: `auto` would keep a tenth of the memory free,
            # and put what no longer fits on the CPU.
            source["device_map"] = "auto" if gpus > 1 else {"": 0}
        model = AutoModelForCausalLM.from_pretrained(**source, dtype=getattr(torch, dtype))
    return model.eval()


def untrained_model(
    path: str | Path,
    dtype: str = "float32",
    gpus: int = 0,
    *,
    seed: int,
    trust_remote_code: bool = False,
) -> PreTrainedModel:
    """A model like the checkpoint but for its weights, which are random; they are not read.

    path, dtype, gpus, trust_remote_code: as of `load_model`. seed: of the weights, which are the
    same for the same kind of device. They are drawn as the architecture starts its training;
    nothing is written.
    """
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    with _source(path, trust_remote_code) as source:
        config = AutoConfig.from_pretrained(**source)
        on_gpu = _sees_gpus(gpus, dtype)
        torch.manual_seed(seed)
        # One that is spread over GPUs is larger than any of them: it starts in main memory.
        with torch.device("cuda:0" if on_gpu and gpus == 1 else "cpu"):
            model = AutoModelForCausalLM.from_config(
                config, dtype=getattr(torch, dtype), trust_remote_code=trust_remote_code
            )
    return (_spread(model) if on_gpu and gpus > 1 else model).eval()


def _spread(model: PreTrainedModel) -> PreTrainedModel:
    """The model with its layers on all GPUs, as `from_pretrained` spreads them."""
    from accelerate import dispatch_model, infer_auto_device_map
    from accelerate.utils import get_balanced_memory

    whole = {"dtype": model.dtype, "no_split_module_classes": list(model._no_split_modules or ())}
    memory = get_balanced_memory(model, **whole)
    return dispatch_model(model, infer_auto_device_map(model, memory, **whole))


def _sees_gpus(gpus: int, dtype: str) -> bool:
    """Whether a model that asks for so many GPUs gets any; a warning if it asks in vain."""
    import torch

    if gpus and not torch.cuda.is_available():
        warnings.warn(
            f"the model asks for {gpus} GPU(s), but torch sees none: it runs on the CPU in "
            f"{dtype}, which is slow. Set its `device: cpu` if that is meant",
            stacklevel=3,
        )
    return bool(gpus) and torch.cuda.is_available()


def saved_layers(layers: str | int | list[int], n_layers: int) -> list[int]:
    """The layers that a config entry chooses out of 0 (embedding output) ... n_layers.

    layers: `all`; a step k for 0, k, 2k ...; or a list.
    Raises InputError for a layer that the model does not have.
    """
    if layers == "all":
        return list(range(n_layers + 1))
    if isinstance(layers, int):
        return list(range(0, n_layers + 1, layers))
    assert isinstance(layers, list)
    missing = [layer for layer in layers if not 0 <= layer <= n_layers]
    if missing:
        raise InputError(f"layers: {missing} do not exist; the model has layers 0 to {n_layers}")
    return sorted(set(layers))


def model_revision(path: str | Path) -> str:
    """The commit of a hub model, or the one a checkpoint says it was saved from, or ""."""
    path = Path(path)
    if path.suffix == ".json":
        return json.loads(path.read_text(encoding="utf-8"))["revision"]
    config = path / "config.json"
    return json.loads(config.read_text()).get("_commit_hash", "") if config.is_file() else ""

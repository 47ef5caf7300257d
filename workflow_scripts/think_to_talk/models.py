"""Checkpoints on disk: their files, tokenizer, and model ready for inference."""

from __future__ import annotations

import importlib.util
import json
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
        if not any(path.glob("*.safetensors")):
            raise InputError(
                f"{path}: no *.safetensors beside config.json; weights are read from safetensors "
                "only (convert pickled weights with save_pretrained)"
            )
        return sorted(file for file in path.iterdir() if file.is_file())
    if len(gguf) != 1:
        raise InputError(
            f"{path}: found {len(gguf)} GGUF files and no config.json; expected a Hugging Face "
            "checkpoint or one GGUF file"
        )
    return gguf


def package_folder(package: str) -> Path:
    """The folder of an installed Python package, which is not imported.

    Raises InputError if it is not installed.
    """
    found = importlib.util.find_spec(package)
    if found is None or not found.submodule_search_locations:
        raise InputError(f"no package {package!r} is installed: install it with pip")
    return Path(found.submodule_search_locations[0])


def _source(path: str | Path) -> dict[str, Any]:
    """Arguments of `from_pretrained` that name the checkpoint."""
    first = checkpoint_files(path)[0]
    if first.suffix == ".gguf":
        return {"pretrained_model_name_or_path": str(first.parent), "gguf_file": first.name}
    return {"pretrained_model_name_or_path": str(path)}


def checkpoint_path(path: str | Path) -> Path:
    """Where a checkpoint lies: the path itself, or for a hub model's manifest its snapshot."""
    path = Path(path)
    return snapshot_folder(path) if path.suffix == ".json" else path


@contextmanager
def _whole(path: str | Path) -> Iterator[None]:
    """Where a file of a checkpoint was cut, raise an InputError that names the checkpoint."""
    try:
        yield
    # What transformers says of a config.json that is not JSON is an OSError without a number.
    except (SafetensorError, json.JSONDecodeError, OSError) as error:
        if explained(error) or getattr(error, "errno", None) is not None:
            raise
        raise InputError(
            f"{path}: not a readable checkpoint ({str(error).splitlines()[0]}): bring its files "
            "back, or, if the study trained it, delete them and run again to make them anew"
        ) from None


def load_tokenizer(path: str | Path) -> PreTrainedTokenizerBase:
    """The checkpoint's own tokenizer. path: as of `checkpoint_path`.

    Raises InputError if a file of it is damaged, as all that load from a checkpoint do.
    """
    from transformers import AutoTokenizer

    with _whole(path):
        source = _source(checkpoint_path(path))
        return AutoTokenizer.from_pretrained(**source, local_files_only=True)


def load_model(path: str | Path, dtype: str = "float32", gpus: int = 0) -> PreTrainedModel:
    """The checkpoint as a causal language model in evaluation mode.

    path: as of `checkpoint_path`. dtype: `float32`, `bfloat16` or `float16`. gpus: how many GPUs
    its layers are spread over; 0 for the CPU, where it runs as well, with a warning, if there is
    no GPU.
    """
    import torch
    from transformers import AutoModelForCausalLM
    from transformers.utils.logging import disable_progress_bar

    disable_progress_bar()
    source = _source(checkpoint_path(path))
    if "gguf_file" not in source:
        source["use_safetensors"] = True
    if _sees_gpus(gpus, dtype):
        # On one GPU all of the model goes there: `auto` would keep a tenth of the memory free, and
        # put what no longer fits on the CPU.
        source["device_map"] = "auto" if gpus > 1 else {"": 0}
    with _whole(path):
        model = AutoModelForCausalLM.from_pretrained(
            **source, dtype=getattr(torch, dtype), local_files_only=True
        )
    return model.eval()


def untrained_model(
    path: str | Path, dtype: str = "float32", gpus: int = 0, *, seed: int
) -> PreTrainedModel:
    """A model like the checkpoint but for its weights, which are random; they are not read.

    path, dtype, gpus: as of `load_model`. seed: of the weights, which are the same for the same
    kind of device. They are drawn as the architecture starts its training; nothing is written.
    """
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    with _whole(path):
        config = AutoConfig.from_pretrained(**_source(checkpoint_path(path)), local_files_only=True)
    on_gpu = _sees_gpus(gpus, dtype)
    torch.manual_seed(seed)
    # One that is spread over GPUs is larger than any of them: it starts in main memory.
    with torch.device("cuda:0" if on_gpu and gpus == 1 else "cpu"):
        model = AutoModelForCausalLM.from_config(config, dtype=getattr(torch, dtype))
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

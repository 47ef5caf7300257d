"""Loading a checkpoint: its tokenizer, and its model ready for inference.

The rules that tokenize, decode and patch name a checkpoint, which training (`models/training.py`),
a download (`models/hub.py`) or the user has put on disk; their scripts load it here. Weights are
read from safetensors or GGUF files by the transformers library, never from pickles.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from safetensors import SafetensorError

from think_to_talk.errors import InputError, user_message
from think_to_talk.models.checkpoints import (
    RESTORE_HINT,
    check_code,
    checkpoint_files,
    untrusted_code_message,
)
from think_to_talk.models.snapshots import snapshot_folder

if TYPE_CHECKING:
    from transformers import PreTrainedConfig, PreTrainedModel, PreTrainedTokenizerBase


@dataclass(frozen=True)
class Checkpoint:
    """Where a model is on disk, and how it is loaded.

    path: a Hugging Face checkpoint folder, a folder with one GGUF file, a GGUF file, or the
        manifest (`.json`) of a hub model.
    dtype: `float32`, `bfloat16` or `float16`.
    trust_remote_code: whether Python code that comes with the checkpoint may be run.
    untrained_seed: seed of random weights that replace the stored ones; None to load those.
    """

    path: str | Path
    dtype: str = "float32"
    trust_remote_code: bool = False
    untrained_seed: int | None = None

    @property
    def revision(self) -> str:
        """The commit of a hub model, or the one named in a checkpoint's config.json, or ""."""
        path = Path(self.path)
        if path.suffix == ".json":
            return json.loads(path.read_text(encoding="utf-8"))["revision"]
        config = path / "config.json"
        return json.loads(config.read_text()).get("_commit_hash", "") if config.is_file() else ""

    def tokenizer(self) -> PreTrainedTokenizerBase:
        """The checkpoint's tokenizer."""
        from transformers import AutoTokenizer

        with self._source() as source:
            return AutoTokenizer.from_pretrained(**source)

    @cached_property
    def config(self) -> PreTrainedConfig:
        """The checkpoint's config, with the library's defaults."""
        from transformers import AutoConfig

        with self._source() as source:
            return AutoConfig.from_pretrained(**source)

    def end_ids(self) -> list[int]:
        """End-of-sequence ids in the checkpoint's config and generation config, sorted."""
        from transformers import GenerationConfig

        configs: list[Any] = [self.config, self.config.get_text_config()]
        with self._source() as source:
            folder = source["pretrained_model_name_or_path"]
            if (Path(folder) / "generation_config.json").is_file():
                configs.append(GenerationConfig.from_pretrained(folder, local_files_only=True))
        ids: set[int] = set()
        for one in configs:
            ends = getattr(one, "eos_token_id", None)
            ends = ends if isinstance(ends, list | tuple) else [ends]
            ids.update(end for end in ends if end is not None)
        return sorted(ids)

    def model(self, gpus: int = 0) -> PreTrainedModel:
        """The checkpoint as a causal language model in evaluation mode.

        gpus: how many GPUs its layers are spread over; 0 for the CPU. Without any GPU it runs on
            the CPU, with a warning.
        """
        if self.untrained_seed is None:
            return self._stored_model(gpus)
        return self._untrained_model(gpus, self.untrained_seed)

    def _stored_model(self, gpus: int) -> PreTrainedModel:
        """The model with its stored weights."""
        import torch
        from transformers import AutoModelForCausalLM
        from transformers.utils.logging import disable_progress_bar

        disable_progress_bar()
        with self._source() as source:
            if "gguf_file" not in source:
                source["use_safetensors"] = True
            if _is_on_gpu(gpus, self.dtype):
                # One GPU holds the whole model: `auto` would keep a tenth of its memory free, and
                # put what no longer fits on the CPU.
                source["device_map"] = "auto" if gpus > 1 else {"": 0}
            dtype = getattr(torch, self.dtype)
            # The library's types leave out that this gives a pair.
            found: Any = AutoModelForCausalLM.from_pretrained(
                **source,
                dtype=dtype,
                output_loading_info=True,
                # They are refused below, with the others.
                ignore_mismatched_sizes=True,
            )
        model, loaded = found
        _check_loaded(self.path, loaded)
        return model.eval()

    def _untrained_model(self, gpus: int, seed: int) -> PreTrainedModel:
        """The model with random weights, as its architecture initialises them for training.

        The stored weights are not read. The same seed gives the same weights on one kind of device.
        """
        import torch
        from transformers import AutoConfig, AutoModelForCausalLM

        with self._source() as source:
            config = AutoConfig.from_pretrained(**source)
            on_gpu = _is_on_gpu(gpus, self.dtype)
            torch.manual_seed(seed)
            # A model that needs several GPUs is larger than any one: it is made in main memory.
            with torch.device("cuda:0" if on_gpu and gpus == 1 else "cpu"):
                model = AutoModelForCausalLM.from_config(
                    config,
                    dtype=getattr(torch, self.dtype),
                    trust_remote_code=self.trust_remote_code,
                )
        return (_spread(model) if on_gpu and gpus > 1 else model).eval()

    @contextmanager
    def _source(self) -> Iterator[dict[str, Any]]:
        """Arguments of `from_pretrained` that name the checkpoint, for a block that calls it.

        Warns if code of the checkpoint may be run. Raises InputError if the checkpoint needs code
        that may not be run, or if a file is damaged, also where only the library finds out.
        """
        path = Path(self.path)
        checkpoint = snapshot_folder(path) if path.suffix == ".json" else path
        first = checkpoint_files(checkpoint)[0]
        check_code(first.parent, self.trust_remote_code)
        source: dict[str, Any] = {
            "pretrained_model_name_or_path": str(checkpoint),
            "local_files_only": True,
            "trust_remote_code": self.trust_remote_code,
        }
        if first.suffix == ".gguf":
            source |= {
                "pretrained_model_name_or_path": str(first.parent),
                "gguf_file": first.name,
            }
        if self.trust_remote_code:
            warnings.warn(
                f"{checkpoint}: Python code that comes with the checkpoint may be run "
                "(trust_remote_code)",
                stacklevel=5,
            )
        try:
            yield source
        except (SafetensorError, ValueError, OSError) as error:
            if "trust_remote_code=True" in str(error):
                raise InputError(untrusted_code_message(checkpoint)) from None
            if not _is_damaged_file(error):
                raise
            raise InputError(
                f"{self.path}: not readable ({str(error).splitlines()[0]}): {RESTORE_HINT}"
            ) from None


def _check_loaded(path: str | Path, loaded: Mapping[str, Any]) -> None:
    """Raise InputError unless each weight of a model came from its checkpoint, and all were used.

    The library draws missing weights at random, and only logs that.

    loaded: what the library says about the keys of the weights; tied ones are not missing.
    """
    wrong = {
        what: sorted(str(key[0] if isinstance(key, tuple) else key) for key in loaded[keys])
        for what, keys in (
            ("missing", "missing_keys"),
            ("of another shape", "mismatched_keys"),
            ("unexpected", "unexpected_keys"),
        )
        if loaded.get(keys)
    }
    if wrong:
        listed = "; ".join(
            f"{len(keys)} {what} ({', '.join(keys[:3])}{', …' if len(keys) > 3 else ''})"
            for what, keys in wrong.items()
        )
        raise InputError(
            f"{path}: the weights are not those of the model that config.json describes: {listed}. "
            "Expected each weight of the model once, under the library's names: rename the keys "
            "(such as a prefix `module.` or `_orig_mod.`), add the files that are missing, or save "
            "the model again with save_pretrained"
        )


def _is_damaged_file(error: Exception) -> bool:
    """Whether an error raised by the library means that a file of a checkpoint is damaged."""
    if isinstance(error, OSError):
        # The library raises OSError without a number for a config.json that is not JSON.
        return error.errno is None and user_message(error) is None
    return isinstance(error, SafetensorError | json.JSONDecodeError)


def _spread(model: PreTrainedModel) -> PreTrainedModel:
    """The model with its layers on all GPUs, as `from_pretrained` spreads them."""
    from accelerate import dispatch_model, infer_auto_device_map
    from accelerate.utils import get_balanced_memory

    options = {"dtype": model.dtype, "no_split_module_classes": list(model._no_split_modules or ())}
    memory = get_balanced_memory(model, **options)
    return dispatch_model(model, infer_auto_device_map(model, memory, **options))


def _is_on_gpu(gpus: int, dtype: str) -> bool:
    """Whether a model that asks for GPUs runs on them; warns if no GPU is available."""
    import torch

    if gpus and not torch.cuda.is_available():
        warnings.warn(
            f"the model asks for {gpus} GPU(s), but none is available to torch: it runs on the "
            f"CPU in {dtype}, which is slow. Set its `device: cpu` if that is intended",
            stacklevel=3,
        )
    return bool(gpus) and torch.cuda.is_available()

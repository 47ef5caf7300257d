"""Unpacking a GGUF file: the same model as a Hugging Face checkpoint, which loads in a second.

The library parses and dequantises a GGUF file each time that it is loaded, which takes a core many
times as long as reading the weights. The rule `unpack` does it once for all jobs of a model.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from think_to_talk.errors import InputError
from think_to_talk.files.atomic import adding_to
from think_to_talk.models.checkpoints import WRITTEN_FILES
from think_to_talk.models.loading import Checkpoint

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

#: The library splits weights that are larger.
_ONE_FILE = 10**15

#: What a config says about its file, rather than about the model.
_OF_THE_FILE = ("quantization_config", "architectures", "_name_or_path")

#: What a tokenizer does beside its tokens.
_OF_A_TOKENIZER = (
    *("special_tokens_map", "added_tokens_decoder", "chat_template", "model_max_length"),
    *("padding_side", "truncation_side", "clean_up_tokenization_spaces", "split_special_tokens"),
)


def unpack(checkpoint: Checkpoint, folder: str | Path) -> None:
    """Write the model and the tokenizer of a GGUF file as a checkpoint in safetensors.

    checkpoint: the GGUF file; its dtype is that of the weights in safetensors.
    folder: where the checkpoint's files are written.
    Raises InputError unless what is written loads as what was read.
    """
    model, tokenizer = checkpoint.model(), checkpoint.tokenizer()
    _forget_quantisation(model)
    if model.generation_config is not None and (ends := checkpoint.end_ids()):
        # Those of a generation_config.json beside the GGUF file, too.
        model.generation_config.eos_token_id = ends
    with adding_to(folder) as temporary:
        model.save_pretrained(temporary, max_shard_size=_ONE_FILE)
        tokenizer.save_pretrained(temporary, save_jinja_files=False)
        written = Checkpoint(temporary, checkpoint.dtype, checkpoint.trust_remote_code)
        changed = {
            "files": {file.name for file in temporary.iterdir()} != set(WRITTEN_FILES),
            "end-of-sequence ids": checkpoint.end_ids() != written.end_ids(),
            "tokenizer": not _same_tokenizer(tokenizer, written.tokenizer()),
            **_changed_in_model(model, written.model()),
        }
        if any(changed.values()):
            found = ", ".join(part for part, is_changed in changed.items() if is_changed)
            raise InputError(
                f"{checkpoint.path}: written in safetensors, this GGUF file loads as another model "
                f"(differing: {found}); use a checkpoint of the model in safetensors"
            )


def _forget_quantisation(model: PreTrainedModel) -> None:
    """Let the library save a model whose weights it has dequantised."""
    found: Any = model
    found.hf_quantizer = None
    found.is_quantized = False
    if hasattr(model.config, "quantization_config"):
        del model.config.quantization_config


def _same_tokenizer(first: PreTrainedTokenizerBase, second: PreTrainedTokenizerBase) -> bool:
    """Whether two tokenizers have the same tokens, special tokens and chat template."""
    kinds: tuple[Any, Any] = (first, second)
    tokens = [tokenizer.backend_tokenizer.to_str() for tokenizer in kinds]
    rest = [[getattr(tokenizer, key, None) for key in _OF_A_TOKENIZER] for tokenizer in kinds]
    return tokens[0] == tokens[1] and rest[0] == rest[1]


def _changed_in_model(first: PreTrainedModel, second: PreTrainedModel) -> dict[str, bool]:
    """{part of a model: whether two models differ in it}, bit by bit."""
    tensors: Any = [
        {**dict(model.named_parameters()), **dict(model.named_buffers())}
        for model in (first, second)
    ]
    configs: Any = [model.config.to_dict() for model in (first, second)]
    generation: Any = [model.generation_config for model in (first, second)]
    written = [one and one.to_dict() for one in generation]
    described = [
        {key: value for key, value in config.items() if key not in _OF_THE_FILE}
        for config in configs
    ]
    return {
        "weights": tensors[0].keys() != tensors[1].keys()
        or not all(
            tensor.dtype == tensors[1][name].dtype and torch.equal(tensor, tensors[1][name])
            for name, tensor in tensors[0].items()
        ),
        "config": type(first) is not type(second) or described[0] != described[1],
        "generation config": written[0] != written[1],
    }

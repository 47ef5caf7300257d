"""Hidden states of free text: at the token that ends each span, as in a pass over the raw text."""

import re

import pytest
import torch
from support.checkpoints import byte_level, train_small
from support.facts import facts_of
from support.free_text import SETTINGS, free_text_rows
from support.templates import template
from transformers import LlamaConfig, LlamaForCausalLM

from think_to_talk.files.jsonl import read_jsonl
from think_to_talk.files.shards import Shards
from think_to_talk.formulas.datasets import generate_splits
from think_to_talk.formulas.free_text import dataset_row
from think_to_talk.hidden_states.shards import write_hidden_states
from think_to_talk.models.loading import Checkpoint
from think_to_talk.tokens.shards import TokenShard
from think_to_talk.tokens.write_shards import write_token_shards

IDENTITY = {"model": "m", "seed": "42", "task": "t", "split": "test"}

LAYERS = [0, 1, 2]


def written(folder, model, tokenizer, rows, **options):
    """(hidden-state shard, generations) of rows of free text."""
    identity = {key: value for key, value in IDENTITY.items() if key != "split"}
    path = folder / "t.safetensors"
    write_token_shards(
        tokenizer,
        {"test": rows},
        {"test": [path]},
        shots=0,
        shard_rows=99,
        identity=identity,
    )
    write_hidden_states(
        model,
        facts_of(model),
        tokenizer,
        TokenShard.open(path, IDENTITY),
        rows,
        **{"layers": LAYERS, "batch_size": 4, "max_new_tokens": 40, "cot": "gold", **options},
        identity=IDENTITY,
        hidden_path=folder / "h.safetensors",
        generations_path=folder / "g.jsonl",
    )
    shard = Shards.open([folder / "h.safetensors"], {**IDENTITY, "positions": "symbols"})
    return shard, read_jsonl(folder / "g.jsonl")


def span_ends(tokenizer, ids, row):
    """The token after which each span of a row has been read, by the text of tokens decoded."""
    ends = []
    for span in row["spans"]:
        before = row["source"] if span["text"] == "target" else ""
        wanted = len((before + row[span["text"]][: span["end"]]).replace(" ", ""))
        texts = (tokenizer.decode(ids[: n + 1], skip_special_tokens=True) for n in range(len(ids)))
        # What stands for a character whose last byte is missing is not read yet.
        read = (len(text.replace(" ", "").rstrip("\ufffd")) for text in texts)
        ends.append(next((n for n, n_read in enumerate(read) if n_read >= wanted), None))
    return ends


@torch.inference_mode()
def check(shard, model, tokenizer, rows, texts):
    """Compare with passes over raw texts, row by row; the lengths of rows are returned.

    texts: problem and chain that each row read.
    """
    lengths = shard.read("input_length").tolist()
    ids_there = shard.read("input_ids").tolist()
    for number, (row, text) in enumerate(zip(rows, texts, strict=True)):
        ids = tokenizer(text)["input_ids"]
        states = model(torch.tensor([ids]), output_hidden_states=True).hidden_states
        ends = span_ends(tokenizer, ids, row)[: lengths[number]]
        assert ids_there[number] == [
            *(ids[end] for end in ends),
            *[-1] * (len(row["spans"]) - len(ends)),
        ]
        for layer in LAYERS[:2]:
            stored = shard.read(f"layer.{layer}")[number].float()
            expected = states[layer][0, ends].float()
            torch.testing.assert_close(stored[: len(ends)], expected, atol=2e-4, rtol=2e-3)
    return lengths


@pytest.fixture(scope="module")
def small():
    """A model that was not trained, and whose tokens are parts of words."""
    rows = free_text_rows(60)
    tokenizer = byte_level([row["source"] + row["target"] for row in rows], vocabulary_size=330)
    torch.manual_seed(0)
    config = LlamaConfig(
        **{"vocab_size": len(tokenizer), "hidden_size": 32, "intermediate_size": 64},
        **{"num_hidden_layers": 2, "num_attention_heads": 2, "eos_token_id": None},
    )
    return LlamaForCausalLM(config).eval(), tokenizer


def test_given_the_gold_chain_all_rows_have_all_spans(tmp_path, small):
    rows = [dataset_row(row, SETTINGS) for row in free_text_rows(30)]
    shard, generations = written(tmp_path, *small, rows)
    texts = [row["source"] + row["target"] for row in rows]
    assert check(shard, *small, rows, texts) == [9] * 30
    for row, generation in zip(rows, generations, strict=True):
        assert generation["generation"] == row["scratchpad"]
        # It is the gold chain's, not the model's.
        assert generation["final_answer"] is None
        assert len(generation["spans"]) == 9
        assert not generation["correct"]


def n_reached(row, text):
    """The spans of a row before the place where a model's chain departs from the gold one."""
    gold, found = (chain.replace(" ", "") for chain in (row["target"], f"{text}\0"))
    pairs = enumerate(zip(gold, found, strict=False))
    n_same = next(i for i, (wanted, written) in pairs if wanted != written)
    ends = [len(row["target"][: s["end"]].replace(" ", "")) for s in row["spans"]]
    in_source = [s["text"] == "source" for s in row["spans"]]
    return sum(first or end <= n_same for first, end in zip(in_source, ends, strict=True))


def marked_symbols(text, written, equation):
    """A span for each symbol of a text in symbols."""
    found = re.finditer(r"[a-z]+|[0-9]+|[^ \n]", written)
    places = [{"start": each.start(), "end": each.end()} for each in found]
    shapes = [re.sub("[0-9]+", "#", written[p["start"] : p["end"]]) for p in places]
    labels = [re.sub("[a-z]+", "x", shape).replace("?", "end") for shape in shapes]
    return [
        {"text": text, **place, "label": label, "equation": equation}
        for place, label in zip(places, labels, strict=True)
    ]


def test_own_chains_have_the_spans_before_they_depart(tmp_path):
    """Of a trained model, which solves some problems: symbols, marked as if they were free text."""
    names = [*"abcdefghijklm", "kiwi", "fig"]
    task = template(["v0 = num", "v1 = num ± v0"], values=[0, 12], operators=["+"], names=names)
    model = train_small(tmp_path / "model", task, steps=60)
    tokenizer = Checkpoint(tmp_path / "model").tokenizer()
    sizes = {"train": 4, "valid": 1, "test": 50, "probing_train": 1}
    rows = [
        dataset_row(
            {
                "source": row["source"],
                "target": row["target"],
                "answer": row["original_answer"],
                "targets": dict(zip("AB", row["intermediate_answers"], strict=True)),
                "spans": [
                    *marked_symbols("source", row["source"], -1),
                    *marked_symbols("target", row["target"], 0),
                ],
            },
            {"answer_pattern": "= ([0-9]+)"},
        )
        for row in generate_splits(task, sizes, 42)["test"]
    ]
    shard, generations = written(tmp_path, model, tokenizer, rows, cot="generated")
    texts = [
        f"{row['source']} {g['generation']}\n" for row, g in zip(rows, generations, strict=True)
    ]
    lengths = check(shard, model, tokenizer, rows, texts)
    expected = [n_reached(row, g["generation"]) for row, g in zip(rows, generations, strict=True)]
    assert lengths == expected
    n_spans = len(rows[0]["spans"])
    assert min(lengths) < n_spans == max(lengths)
    aligned = shard.read("correct").bool().tolist()
    for row, generation, length, is_aligned in zip(
        rows, generations, lengths, aligned, strict=True
    ):
        *_, answer = re.findall("= ([0-9]+)", generation["generation"]) or [None]
        assert generation["final_answer"] == answer
        assert "".join(generation["spans"]) == "".join(
            row[span["text"]][span["start"] : span["end"]] for span in row["spans"][:length]
        )
        assert generation["correct"] == (answer == row["original_answer"])
        assert is_aligned == generation["aligned"] == (length == n_spans)

"""Rows that do not tokenize alike: decoded as row by row, with a hidden state per symbol."""

from functools import cache

import pytest
import torch
from support.checkpoints import smollm2_checkpoint, train_small
from support.decoding import greedy_ids
from support.facts import facts_of
from support.templates import template
from support.wordings import APPLES
from support.wordings import NAMES as NAMES_OF_PEOPLE

from think_to_talk.files.jsonl import read_jsonl
from think_to_talk.files.shards import Shards
from think_to_talk.formulas.datasets import generate_splits
from think_to_talk.formulas.rows import first_shots, is_correct
from think_to_talk.formulas.symbols import text_symbols
from think_to_talk.hidden_states.shards import write_hidden_states
from think_to_talk.models.loading import Checkpoint
from think_to_talk.tokens.shards import TokenShard
from think_to_talk.tokens.stop_ids import stop_ids
from think_to_talk.tokens.write_shards import write_token_shards

IDENTITY = {"model": "m", "seed": "42", "task": "t", "split": "test"}

WORDS = ["apple", "watermelon", "kiwi", "fig", "Zucchini"]

NAMES = [*"abcdefghijklm", "kiwi", "fig"]


def entry(**values):
    return template(["v0 = num", "v1 = num ± v0"], **values)


@cache
def loaded(checkpoint):
    """(model, tokenizer)."""
    return Checkpoint(checkpoint).model(), Checkpoint(checkpoint).tokenizer()


def written(folder, checkpoint, rows, shots, **options):
    """(hidden-state shard, generations, token shard, model, tokenizer)."""
    model, tokenizer = loaded(checkpoint)
    identity = {key: value for key, value in IDENTITY.items() if key != "split"}
    write_token_shards(
        tokenizer,
        {"test": rows},
        {"test": [folder / "t.safetensors"]},
        shots=shots,
        shard_rows=len(rows),
        identity=identity,
    )
    tokens = TokenShard.open(folder / "t.safetensors", IDENTITY)
    arguments = {"layers": [0, 1, 2], "max_new_tokens": 30, "batch_size": 4, "cot": "generated"}
    write_hidden_states(
        model,
        facts_of(model),
        tokenizer,
        tokens,
        rows,
        **{**arguments, **options},
        identity=IDENTITY,
        hidden_path=folder / "h.safetensors",
        generations_path=folder / "g.jsonl",
    )
    shard = Shards.open([folder / "h.safetensors"], IDENTITY)
    return shard, read_jsonl(folder / "g.jsonl"), tokens, model, tokenizer


@torch.inference_mode()
def plain(model, tokenizer, prompt, max_new_tokens):
    """(ids of a prompt, ids that `generate` writes after it), for one row alone."""
    ids = torch.tensor([tokenizer(prompt)["input_ids"]])
    stops = stop_ids(tokenizer, ())
    [written] = greedy_ids(model, ids, stops, max_new_tokens, stops[0])
    return ids[0].tolist(), written


def symbol_ends(tokenizer, prompt, generated, context):
    """{number of a symbol of problem and generation: the token after which it is whole}."""
    text = tokenizer.decode([*prompt, *generated], skip_special_tokens=True)
    symbols = text_symbols(text.split("\n")[context.count("\n")] + "\n")
    ends, before = {}, len(text_symbols(context))
    for token in range(len(prompt) + len(generated)):
        # With something behind it, a number that the next token goes on with is not whole yet.
        ids = [*prompt, *generated][: token + 1]
        read = text_symbols(tokenizer.decode(ids, skip_special_tokens=True))[before:]
        for number, (found, wanted) in enumerate(zip(read, symbols, strict=False)):
            if found == wanted and number not in ends:
                whole = all(a == b for a, b in zip(read[: number + 1], symbols, strict=False))
                if whole:
                    ends[number] = token
    if generated[-1] in stop_ids(tokenizer, ()):
        # A newline that is a special token leaves no text.
        ends.setdefault(len(symbols) - 1, len(prompt) + len(generated) - 1)
    return ends


def read_at(tokenizer, layout, position, ids, ends):
    """The token whose hidden state a position has: the one before a number, for a lone space."""
    symbol = layout.position_symbol[position]
    if layout.completes[position]:
        return ends[symbol]
    behind = range(ends[symbol - 1] + 1, len(ids))
    visible = (token for token in behind if tokenizer.decode(ids[token : token + 1]).strip())
    return next(visible, len(ids)) - 1


@torch.inference_mode()
def check(folder, checkpoint, rows, shots, max_new_tokens=30):
    shard, generations, tokens, model, tokenizer = written(
        folder, checkpoint, rows, shots, max_new_tokens=max_new_tokens
    )
    layout = tokens.layout
    assert tokens.ragged is not None
    assert shard.metadata["positions"] == "symbols"
    lengths, ids = shard.read("input_length").tolist(), shard.read("input_ids").tolist()
    compared = 0
    for number, (row, generation) in enumerate(zip(rows, generations, strict=True)):
        context = first_shots(row["few_shot_context"], shots)
        prompt, expected = plain(model, tokenizer, context + row["source"], max_new_tokens)
        text = tokenizer.decode(expected, skip_special_tokens=True).split("\n")[0].strip()
        assert generation["generation"] == text
        assert generation["n_tokens"] == len(expected)
        assert generation["correct"] == is_correct(text, row)
        ends = symbol_ends(tokenizer, prompt, expected, context)
        states = model(
            torch.tensor([[*prompt, *expected]]), output_hidden_states=True
        ).hidden_states
        assert lengths[number] >= layout.n_problem
        for position in range(lengths[number]):
            token = read_at(tokenizer, layout, position, [*prompt, *expected], ends)
            assert ids[number][position] == [*prompt, *expected][token]
            for layer in (0, 1):
                stored = shard.read(f"layer.{layer}")[number, position].float()
                torch.testing.assert_close(stored, states[layer][0, token], atol=2e-4, rtol=2e-3)
            compared += 1
        assert ids[number][lengths[number] :] == [-1] * (layout.n_positions - lengths[number])
    return shard, generations, compared


WORDED = template(
    ["v0 = num", "v1 = v0 ± num"],
    order="in_order",
    names=NAMES_OF_PEOPLE,
    values=[0, 30],
    wording=APPLES,
)


@pytest.mark.parametrize(
    ("task", "shots"),
    [
        (entry(names=WORDS, values=[0, 120]), 0),
        (entry(names=WORDS, values=[0, 120]), 2),
        (entry(names=WORDS), 0),
        (WORDED, 1),
    ],
    ids=["0 shots", "2 shots", "digits", "sentences"],
)
def test_smollm2_reads_words_and_numbers_of_several_tokens_as_alone(tmp_path, task, shots):
    sizes = {"train": 4, "valid": 1, "test": 4, "probing_train": 1}
    rows = generate_splits(task, sizes, 42)["test"]
    check(tmp_path, smollm2_checkpoint(), rows, shots, max_new_tokens=12)
    # It has a token for the space before each number, and must say the number there.
    layout = TokenShard.open(tmp_path / "t.safetensors", IDENTITY).layout
    assert [
        symbol
        for symbol, done in zip(layout.position_symbol, layout.completes, strict=True)
        if not done
    ] == [place for place, symbol in enumerate(layout.symbols) if symbol == "#"]


@pytest.fixture(scope="module")
def half_right(tmp_path_factory):
    """A model that solves some problems with numbers of one and two digits."""
    folder = tmp_path_factory.mktemp("ragged")
    task = entry(values=[0, 12], operators=["+"], names=NAMES)
    train_small(folder, task, steps=60)
    sizes = {"train": 4, "valid": 1, "test": 50, "probing_train": 1}
    return folder, generate_splits(task, sizes, 42)["test"]


def test_right_and_wrong_chains_of_a_trained_model_are_read_as_alone(half_right, tmp_path):
    folder, rows = half_right
    shard, generations, compared = check(tmp_path, folder, rows, 0)
    right = [row["correct"] for row in generations]
    assert 3 < sum(right) < len(rows) - 3
    assert shard.read("correct").bool().tolist() == right == [g["aligned"] for g in generations]
    layout = TokenShard.open(tmp_path / "t.safetensors", IDENTITY).layout
    assert all(layout.completes)
    assert layout.position_symbol == tuple(range(layout.n_positions))
    assert compared > 45 * layout.n_problem


def test_gold_chains_are_given_whole(half_right, tmp_path):
    folder, rows = half_right
    shard, _, tokens, *_ = written(tmp_path, folder, rows, 0, cot="gold")
    assert shard.read("input_length").tolist() == [tokens.layout.n_positions] * len(rows)
    symbols = [text_symbols(row["source"] + row["target"]) for row in rows]
    ids, (_, tokenizer) = shard.read("input_ids"), loaded(folder)
    for row, of_row in enumerate(symbols):
        last = [symbol[-1] if symbol.isdigit() else symbol for symbol in of_row]
        found = tokenizer.convert_ids_to_tokens(ids[row].tolist())
        assert [token.removeprefix("##") for token in found] == last

"""What numbers begin with in the gold chains: their tokens, found by the characters of the text."""

import re
from collections import defaultdict

import pytest
from support.checkpoints import bpe_tokenizer, byte_level, metaspace, smollm2_checkpoint
from support.templates import template
from tokenizers import decoders, pre_tokenizers

from think_to_talk.errors import UnreadError
from think_to_talk.files.shards import Shards
from think_to_talk.formulas.datasets import generate_splits
from think_to_talk.models.loading import Checkpoint
from think_to_talk.tokens.layout import Layout
from think_to_talk.tokens.number_beginnings import NumberBeginnings
from think_to_talk.tokens.symbol_tokenizer import symbol_tokenizer
from think_to_talk.tokens.write_shards import write_token_shards

IDENTITY = {"model": "m", "seed": "1", "task": "t"}
SIZES = {"train": 4, "valid": 1, "test": 60, "probing_train": 1}


def rows_of(**values):
    return generate_splits(template(["v0 = num", "v1 = num ± v0"], **values), SIZES, 1)["test"]


def found_in(folder, tokenizer, rows, n_classes):
    write_token_shards(
        tokenizer,
        {"test": rows},
        {"test": [folder / "0.safetensors", folder / "1.safetensors"]},
        shots=2,
        shard_rows=40,
        identity=IDENTITY,
    )
    shards = Shards.open([folder / "0.safetensors", folder / "1.safetensors"], IDENTITY)
    layout = Layout.loads(shards.metadata["layout"])
    return NumberBeginnings.of(
        tokenizer, shards, layout, rows, [""] * layout.n_positions, n_classes
    )


def first_tokens(tokenizer, rows):
    """{first token: numbers of the chains that begin with it}, and whether all have only one."""
    begins, longest = defaultdict(set), 0
    for row in rows:
        text = row["source"] + row["target"]
        encoded = tokenizer(text, return_offsets_mapping=True, add_special_tokens=False)
        for number in re.finditer("[0-9]+", text):
            if number.start() < len(row["source"]):
                continue
            tokens = [
                token
                for token, (start, end) in zip(
                    encoded["input_ids"], encoded["offset_mapping"], strict=True
                )
                if max(start, number.start()) < min(end, number.end())
            ]
            begins[tokens[0]].add(int(number[0]))
            longest = max(longest, len(tokens))
    return begins, longest == 1


@pytest.mark.parametrize(
    ("make", "values"),
    [
        (lambda _texts: symbol_tokenizer((), 30), [0, 30]),
        (lambda _texts: symbol_tokenizer((), 30), [10, 30]),
        (byte_level, [0, 9]),
        (metaspace, [0, 9]),
        (lambda texts: byte_level(texts, vocabulary_size=600), [0, 99]),
        (lambda _texts: Checkpoint(smollm2_checkpoint()).tokenizer(), [0, 120]),
        (lambda _texts: Checkpoint(smollm2_checkpoint()).tokenizer(), [0, 9]),
    ],
    ids=["symbols", "alike", "byte-level", "metaspace", "large", "SmolLM2", "SmolLM2 digits"],
)
def test_numbers_that_begin_with_one_token_are_read_as_one(tmp_path, make, values):
    rows = rows_of(values=values)
    tokenizer = make([row["source"] + row["target"] for row in rows])
    found = found_in(tmp_path, tokenizer, rows, values[1] + 1)
    begins, are_whole = first_tokens(tokenizer, rows)
    known = set.union(*begins.values())
    assert set(found.missing) == set(range(values[1] + 1)) - known
    assert found.are_whole == are_whole
    for token, numbers in begins.items():
        assert {found.stands_for[number] for number in numbers} == {min(numbers)}
        assert found.first.ids[min(numbers)] == (token,)
    smallest = set(map(min, begins.values()))
    assert [n for n, ids in enumerate(found.first.ids) if ids] == sorted(smallest)
    for number in found.missing:
        assert found.stands_for[number] == number


def test_numbers_that_all_begin_alike_are_refused(tmp_path):
    rows = generate_splits(template(["v0 = num"], values=[10, 19]), SIZES, 1)["test"]
    with pytest.raises(UnreadError, match=r"such as 1\d and 1\d, all begin with the same token"):
        found_in(tmp_path, symbol_tokenizer((), 19), rows, 20)


def test_a_number_that_shares_its_token_with_another_symbol_is_refused(tmp_path):
    rows = rows_of(values=[0, 9])
    pieces = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(" ", "merged_with_next"),
            pre_tokenizers.ByteLevel(False, use_regex=False),
        ]
    )
    # It has a token for the last digit and the newline.
    texts = [row["source"] + row["target"] for row in rows]
    tokenizer = bpe_tokenizer(texts, pieces, decoders.ByteLevel(), vocabulary_size=340)
    with pytest.raises(UnreadError, match="holds more than a digit, expected a token of its own"):
        found_in(tmp_path, tokenizer, rows, 10)


def test_only_numbers_that_matter_are_warned_of(tmp_path):
    rows = rows_of(values=[0, 30])[:3]
    found = found_in(tmp_path, symbol_tokenizer((), 30), rows, 31)
    assert len(found.missing) > 10
    missing = found.missing[-1]
    with pytest.warns(UserWarning, match=rf"rows of t has the numbers \[{missing}\]: their tok"):
        found.warn_of_missing("t", {missing, *range(9)} - set(found.missing[:-1]))

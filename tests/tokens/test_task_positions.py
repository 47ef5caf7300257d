"""Which rows have the positions of a task, and where."""

import re
from dataclasses import replace

import pytest
from support.chats import symbol_chat_tokenizer
from support.checkpoints import byte_level
from support.templates import template

from think_to_talk.formulas.datasets import generate_splits
from think_to_talk.tokens.chat import Chat
from think_to_talk.tokens.prompts import tokenize
from think_to_talk.tokens.ragged import TaskLayout
from think_to_talk.tokens.symbol_tokenizer import symbol_tokenizer
from think_to_talk.tokens.task_positions import TaskPositions
from think_to_talk.tokens.write_shards import write_token_shards

SIZES = {"train": 4, "valid": 1, "test": 40, "probing_train": 1}


def rows_of(equations=("v0 = num", "v1 = num ± v0"), **values):
    return generate_splits(template(list(equations), **values), SIZES, 1)["test"]


def positions_of(tokenizer, rows):
    return TaskLayout.of(tokenizer, rows, list(tokenize(tokenizer, rows, 0))).positions


@pytest.mark.parametrize("values", [[0, 9], [10, 29], [0, 29]])
def test_rows_have_the_positions_that_are_made_from_them(values):
    tokenizer, rows = symbol_tokenizer((), 29), rows_of(values=values)
    positions = positions_of(tokenizer, rows)
    assert positions.are_symbols == (values == [0, 29])
    for row in tokenize(tokenizer, rows, 0):
        assert positions.fit(row, ())
        texts = tokenizer.convert_ids_to_tokens([*row.problem, *row.gold])
        goes_on = [text.startswith("##") for text in [*texts[1:], ""]]
        last = [token for token, more in enumerate(goes_on) if not more]
        assert positions.tokens(row.layout) == tuple(
            last if positions.are_symbols else range(len(texts))
        )


def test_where_positions_are_tokens_a_row_with_others_does_not_have_them():
    tokenizer = symbol_tokenizer((), 29)
    positions = positions_of(tokenizer, rows_of(values=[0, 9]))
    for row in tokenize(tokenizer, rows_of(values=[0, 29]), 0):
        has_one_each = len(row.problem) + len(row.gold) == positions.layout.n_positions
        assert positions.fit(row, ()) == has_one_each


def test_a_row_with_other_symbols_has_neither_kind_of_positions():
    tokenizer = symbol_tokenizer((), 29)
    (*_, other) = tokenize(tokenizer, rows_of(["v0 = num"], values=[0, 9]), 0)
    for values in ([0, 9], [0, 29]):
        assert not positions_of(tokenizer, rows_of(values=values)).fit(other, ())


def test_a_row_of_which_a_symbol_shares_its_token_does_not_have_its_position():
    known, rows = rows_of(values=[0, 9]), rows_of(values=[0, 99])
    tokenizer = byte_level([row["source"] + row["target"] for row in known], vocabulary_size=300)
    positions = positions_of(tokenizer, rows)
    symbols = range(len(positions.layout.symbols))
    whole = replace(
        positions.layout, position_symbol=tuple(symbols), completes=(True,) * len(symbols)
    )
    found = set()
    for row in tokenize(tokenizer, rows, 0):
        assert positions.fit(row, ())
        # Each symbol but one of the joined ones ends a token.
        texts = [tokenizer.decode([token]).strip() for token in (*row.problem, *row.gold)]
        fits = TaskPositions(whole, are_symbols=True).fit(row, ())
        assert fits == ("=?" not in texts)
        found.add(fits)
    assert False in found


def test_a_row_has_as_many_tokens_of_a_chat_template():
    tokenizer, rows = symbol_chat_tokenizer(), rows_of(values=[0, 9])
    tokenized = list(tokenize(tokenizer, rows, 0, chat=Chat()))
    layout = TaskLayout.of(tokenizer, rows, tokenized).layout
    assert TaskPositions(layout, are_symbols=True).fit(tokenized[0], ())
    at = layout.position_symbol.index(None)
    fewer = replace(
        layout,
        position_symbol=layout.position_symbol[:at] + layout.position_symbol[at + 1 :],
        completes=layout.completes[:at] + layout.completes[at + 1 :],
        n_problem=layout.n_problem - 1,
    )
    assert not TaskPositions(fewer, are_symbols=True).fit(tokenized[0], ())


@pytest.mark.parametrize("spaced", [False, True])
def test_shards_tell_the_numbers_of_all_rows_of_a_task(tmp_path, spaced):
    """Those of each symbol, whether or not a space is a token of its own."""
    rows = rows_of(values=[0, 29])
    texts = [row["source"] + row["target"] for row in rows]
    tokenizer = byte_level(texts, vocabulary_size=1) if spaced else symbol_tokenizer((), 29)
    paths = {"test": [tmp_path / "0", tmp_path / "1"], "probing_train": [tmp_path / "2"]}
    splits = {"test": rows, "probing_train": rows[:1]}
    write_token_shards(
        tokenizer, splits, paths, shots=0, shard_rows=len(rows) // 2, identity={"task": "t"}
    )
    positions = TaskPositions.read(paths["test"], {"task": "t"})
    assert positions.are_symbols
    symbols = [re.findall(r"[0-9]+|[^ ]", text) for text in texts]
    numbers = [i for i, symbol in enumerate(symbols[0]) if symbol.isdigit()]
    assert {*positions.spelled} == {*numbers}
    for symbol, spelled in positions.spelled.items():
        assert {tokenizer.decode(ids).strip() for ids in spelled} == {s[symbol] for s in symbols}
        assert {len(ids) for ids in spelled} == ({2, 3} if spaced else {1, 2})

"""Tasks whose rows do not tokenize alike: which symbols have a position, and what is refused."""

from dataclasses import replace
from itertools import pairwise

import pytest
import torch
from support.checkpoints import byte_level
from support.templates import template

from think_to_talk.errors import InputError
from think_to_talk.formulas.datasets import generate_splits
from think_to_talk.formulas.symbols import text_symbols
from think_to_talk.tokens.blank_tokens import blank_tokens
from think_to_talk.tokens.digits import DigitTokens
from think_to_talk.tokens.generations import generated_symbol_tokens
from think_to_talk.tokens.prompts import align, tokenize
from think_to_talk.tokens.ragged import TaskLayout
from think_to_talk.tokens.symbol_tokenizer import symbol_tokenizer
from think_to_talk.tokens.whole import whole_layout

SIZES = {"train": 4, "valid": 1, "test": 40, "probing_train": 1}
WORDS = ["pear", "kiwi", "plum"]


def rows_of(**values):
    return generate_splits(template(["v0 = num", "v1 = num ± v0"], **values), SIZES, 1)["test"]


def laid_out(tokenizer, rows, shots=0):
    tokenized = list(tokenize(tokenizer, rows, shots))
    return TaskLayout.of(tokenizer, rows, tokenized), tokenized


@pytest.mark.parametrize("values", [[0, 9], [10, 99]])
def test_rows_that_tokenize_alike_keep_a_position_per_token(values):
    tokenizer, rows = symbol_tokenizer(WORDS, values[1]), rows_of(values=values, names=WORDS)
    layouts, tokenized = laid_out(tokenizer, rows)
    assert layouts.symbol_token is None
    assert layouts.layout == align(tokenizer, rows, tokenized)
    assert layouts.layout.n_positions == len(tokenized[0].problem) + len(tokenized[0].gold)


@pytest.mark.parametrize("shots", [0, 2])
def test_a_position_is_a_symbol_and_its_token_ends_where_the_symbol_ends(shots):
    rows = rows_of(values=[0, 120], names=WORDS)
    tokenizer = symbol_tokenizer(WORDS, 120)
    layouts, tokenized = laid_out(tokenizer, rows, shots)
    layout = layouts.layout
    assert layout.position_symbol == tuple(range(len(layout.symbols)))
    assert all(layout.completes)
    assert layout.symbols[: layout.n_problem_symbols] == tuple("B=#±A,A=#;B=?")
    assert layout.n_problem == layout.n_problem_symbols
    for row, of_row, tokens in zip(rows, tokenized, layouts.symbol_token, strict=True):
        pieces = tokenizer.convert_ids_to_tokens([*of_row.problem, *of_row.gold])
        ends = [0, *(token + 1 for token in tokens)]
        joined = ["".join(pieces[a:b]) for a, b in pairwise(ends)]
        assert [text.replace("##", "") for text in joined] == text_symbols(
            row["source"] + row["target"]
        )
    assert layouts.texts(tokenizer.convert_ids_to_tokens(tokenized[0].problem))[0] in WORDS


def test_a_symbol_that_shares_its_token_with_the_next_has_no_position():
    rows = rows_of(values=[0, 99])
    known = rows_of(values=[0, 9])
    tokenizer = byte_level([row["source"] + row["target"] for row in known], vocabulary_size=300)
    layouts, tokenized = laid_out(tokenizer, rows)
    assert layouts.symbol_token is not None
    layout = layouts.layout
    assert layout.symbols[layout.position_symbol[layout.n_problem - 1]] == "?"
    missing = set(range(len(layout.symbols))) - set(layout.position_symbol)
    assert {layout.symbols[symbol] for symbol in missing} == {"="}
    for symbol in missing:
        shares = [
            not any(
                s == symbol and done
                for s, done in zip(row.layout.position_symbol, row.layout.completes, strict=True)
            )
            for row in tokenized
        ]
        assert any(shares)


def test_larger_numbers_of_one_token_are_read_as_digits_are():
    rows = rows_of(values=[0, 99])
    tokenizer = byte_level([row["source"] + row["target"] for row in rows], vocabulary_size=600)
    tokenized = list(tokenize(tokenizer, rows, 0))
    layout = whole_layout(tokenizer, rows, tokenized)
    gold = torch.tensor([row.gold for row in tokenized])
    texts = tokenizer.convert_ids_to_tokens([*tokenized[0].problem, *tokenized[0].gold])
    found = DigitTokens.of(gold, layout, rows, texts, 100)
    assert len(found.ids) == 100
    for number, ids in enumerate(found.ids):
        assert {tokenizer.decode([token]).strip() for token in ids} <= {str(number)}
    written = {int(s) for row in rows for s in text_symbols(row["target"]) if s.isdigit()}
    assert set(found.missing) == set(range(100)) - written


def test_rows_of_other_symbols_are_refused_as_before():
    rows = [*rows_of(values=[0, 99]), *generate_splits(template(["v0 = num"]), SIZES, 1)["test"]]
    tokenizer = symbol_tokenizer((), 99)
    with pytest.raises(InputError, match="rows of one task must tokenize alike"):
        laid_out(tokenizer, rows)


def test_the_tokens_of_a_generation_are_found_by_its_own_symbols():
    tokenizer = symbol_tokenizer(WORDS, 99)
    ids = tokenizer("pear = 12 + 3 , kiwi\n")["input_ids"]
    assert generated_symbol_tokens(tokenizer, ids, {ids[-1]}) == [0, 1, 3, 4, 5, 6, 7, 8]
    assert generated_symbol_tokens(tokenizer, ids[:-1], {ids[-1]}) == [0, 1, 3, 4, 5, 6, 7]
    assert generated_symbol_tokens(tokenizer, ids[:3], {ids[-1]}) == [0, 1, 2]
    assert tokenizer.decode(ids[:-1]) == "pear = 12 + 3 , kiwi"


def test_rows_may_differ_though_each_token_completes_a_symbol():
    """`=?` is a token of some rows, and there is none that is a part of a symbol."""
    row = {"target": " z = 7\n", "intermediate_questions": ["z ="]}
    rows = [{**row, "source": source} for source in ("z = 7 ; z =?", "z = 8 ; z =?")]
    tokenizer = symbol_tokenizer()
    tokenized = list(tokenize(tokenizer, rows, 0))
    layout = tokenized[0].layout
    joined = layout.symbols.index("?")
    at = layout.completing_tokens()[joined]
    without = {
        name: tuple(s for place, s in enumerate(getattr(layout, name)) if place != at - 1)
        for name in ("position_symbol", "completes")
    }
    shorter = replace(layout, **without, n_problem=layout.n_problem - 1)
    problem = (*tokenized[0].problem[:-2], tokenized[0].problem[-1])
    tokenized[0] = replace(tokenized[0], problem=problem, layout=shorter)
    found = TaskLayout.of(tokenizer, rows, tokenized)
    assert all(found.layout.completes)
    assert found.layout.position_symbol == without["position_symbol"]


def test_blank_tokens_are_those_without_a_visible_character():
    tokenizer = byte_level(["a = 7\n", "a  b"], vocabulary_size=300)
    ids = {text: tokenizer.convert_tokens_to_ids(text) for text in ("Ġ", "Ċ", "a", "=", "7")}
    assert blank_tokens(tokenizer, ids.values()) == {ids["Ġ"], ids["Ċ"]}
    assert blank_tokens(tokenizer, []) == set()

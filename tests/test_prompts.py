"""Prompts: tokens of any tokenizer are put on the axis of the problem's symbols."""

import pytest
from checkpoints import SIZES, byte_level, metaspace, smollm2_folder
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from think_to_talk.datasets import generate_splits
from think_to_talk.errors import InputError
from think_to_talk.models import load_tokenizer
from think_to_talk.prompts import Layout, align, newline_tokens, tokenize
from think_to_talk.training import symbol_tokenizer

SYMBOLS = list("B=#±A,A=#;B=?B=#±A,A=#,B=#±A,B=#±#,B=#⏎")


@pytest.fixture(scope="module")
def rows(tasks):
    return generate_splits(tasks["level-1"], SIZES, 42)["test"]


@pytest.fixture(scope="module")
def corpus(rows):
    return [row["few_shot_context"] + row["source"] + row["target"] for row in rows]


@pytest.fixture(scope="module")
def smollm2_tokenizer():
    return load_tokenizer(smollm2_folder())


def layout_of(tokenizer, rows, shots):
    tokenized = list(tokenize(tokenizer, rows, shots))
    return align(tokenizer, rows, tokenized), tokenized


def check(tokenizer, rows, shots):
    """What must hold for any tokenizer; returns the layout."""
    layout, tokenized = layout_of(tokenizer, rows, shots)
    assert list(layout.symbols) == SYMBOLS
    for row, tokens in zip(rows, tokenized, strict=True):
        context = "".join(row["few_shot_context"].splitlines(keepends=True)[:shots])
        whole = tokenizer(context + row["source"] + row["target"])["input_ids"]
        prompt = tokenizer(context + row["source"])["input_ids"]
        assert [*tokens.prefix, *tokens.problem, *tokens.gold] == whole
        assert [*tokens.prefix, *tokens.problem] == prompt
        # Decoding the tokens up to a symbol's position gives the text up to that symbol.
        text = (row["source"] + row["target"]).replace(" ", "")
        ids = [*tokens.problem, *tokens.gold]
        for position, symbol in enumerate(layout.position_symbol):
            if layout.completes[position]:
                decoded = tokenizer.decode(ids[: position + 1]).replace(" ", "")
                assert decoded == text[: symbol + 1]
    assert {
        s for s, done in zip(layout.position_symbol, layout.completes, strict=True) if done
    } <= (set(range(len(SYMBOLS))))
    assert layout.position_symbol[layout.n_problem - 1] == SYMBOLS.index("?")
    assert layout.symbols[layout.position_symbol[-1]] == "⏎"
    return layout


@pytest.mark.parametrize("shots", [0, 2, 3])
def test_one_token_per_symbol(rows, shots):
    layout = check(symbol_tokenizer(), rows, shots)
    assert layout.position_symbol == tuple(range(len(SYMBOLS)))
    assert all(layout.completes)
    assert layout.n_problem == 13


@pytest.mark.parametrize("shots", [0, 3])
def test_a_space_of_its_own_completes_no_symbol(smollm2_tokenizer, rows, shots):
    """SmolLM2 writes ` 4` as two tokens."""
    layout = check(smollm2_tokenizer, rows, shots)
    spaces = [p for p, done in enumerate(layout.completes) if not done]
    assert len(spaces) == SYMBOLS.count("#")
    # The lone space belongs to the number it begins.
    assert {layout.symbols[layout.position_symbol[p]] for p in spaces} == {"#"}


@pytest.mark.parametrize("bos", [False, True])
@pytest.mark.parametrize("shots", [0, 3])
def test_tokens_with_a_space_before_them_and_a_bos(rows, corpus, shots, bos):
    tokenizer = byte_level(corpus, bos=bos)
    layout = check(tokenizer, rows, shots)
    _, tokenized = layout_of(tokenizer, rows, shots)
    first = tokenizer.bos_token_id if bos else None
    assert (tokenized[0].prefix[0] if tokenized[0].prefix else None) == first or shots
    # " =?" is one token, which completes the question mark.
    assert SYMBOLS.index("?") - 1 not in layout.position_symbol
    assert layout.equations()[layout.position_symbol[layout.n_problem]] == 0


@pytest.mark.parametrize("bos", [False, True])
@pytest.mark.parametrize("shots", [0, 3])
def test_a_tokenizer_that_puts_a_space_before_the_text(rows, corpus, shots, bos):
    check(metaspace(corpus, bos=bos), rows, shots)


def test_equations_are_counted_from_the_first_of_the_chain_of_thought():
    layout = Layout(tuple(SYMBOLS), tuple(range(len(SYMBOLS))), (True,) * len(SYMBOLS), 13)
    assert (
        layout.equations()
        == [-3] * 6 + [-2] * 4 + [-1] * 3 + [0] * 6 + [1] * 4 + [2] * 6 + [3] * 6 + [4] * 4
    )
    assert Layout.loads(layout.dumps()) == layout


def test_rows_that_cannot_be_aligned_are_named_with_their_tokens(rows):
    """A vocabulary in which one letter and what follows are one token."""
    letter = rows[3]["source"][0]
    symbols = [*"abcdefghijklmnopqrstuvwxyz0123456789+-=,;? \n", f"{letter} ="]
    tokenizer = Tokenizer(
        models.BPE(
            {symbol: i for i, symbol in enumerate([*symbols, f"{letter} "])},
            [(letter, " "), (f"{letter} ", "=")],
        )
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Split("\n", "isolated")
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer)
    with pytest.raises(InputError, match="rows of one task must tokenize alike") as error:
        layout_of(fast, rows, 0)
    assert rows[3]["source"] in str(error.value)
    assert f"'{letter} ='" in str(error.value)


def test_rows_of_another_structure_are_named(rows, tasks):
    other = generate_splits(tasks["level-5"], SIZES, 42)["test"][:1]
    with pytest.raises(InputError, match="1 of 41 rows") as error:
        layout_of(symbol_tokenizer(), rows + other, 0)
    assert other[0]["source"] in str(error.value)


def test_rows_with_another_context_are_named(rows):
    odd = {**rows[5], "few_shot_context": rows[5]["few_shot_context"].replace("=", "+")}
    with pytest.raises(InputError, match="few_shot_context"):
        layout_of(symbol_tokenizer(), [*rows[:5], odd, *rows[6:]], 3)


def test_more_shots_than_there_are_is_an_error(rows):
    with pytest.raises(InputError, match="4 examples are asked for, few_shot_context has 3"):
        layout_of(symbol_tokenizer(), rows, 4)


def test_all_tokens_with_a_newline_end_a_generation(smollm2_tokenizer):
    stops = newline_tokens(smollm2_tokenizer)
    texts = [smollm2_tokenizer.decode([i]) for i in range(len(smollm2_tokenizer))]
    assert {texts[i] for i in stops} >= {"\n", "\n\n"}
    assert all(("\n" in text) == (i in set(stops)) for i, text in enumerate(texts))

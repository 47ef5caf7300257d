"""Prompts: tokens of any tokenizer are put on the axis of the problem's symbols."""

import pytest
from support.checkpoints import SIZES, byte_level, metaspace, smollm2_checkpoint
from tokenizers import Regex, Tokenizer, models, pre_tokenizers, processors
from transformers import PreTrainedTokenizerFast

from think_to_talk.errors import InputError
from think_to_talk.formulas.datasets import generate_splits
from think_to_talk.models.loading import Checkpoint
from think_to_talk.tokens.layout import Layout
from think_to_talk.tokens.offsets import encode
from think_to_talk.tokens.prompts import align, tokenize
from think_to_talk.tokens.stop_ids import newline_tokens
from think_to_talk.tokens.symbol_tokenizer import symbol_tokenizer
from think_to_talk.tokens.write_shards import write_token_shards

SYMBOLS = list("B=#±A,A=#;B=?B=#±A,A=#,B=#±A,B=#±#,B=#⏎")


@pytest.fixture(scope="module")
def rows(tasks):
    return generate_splits(tasks["level-1"], SIZES, 42)["test"]


@pytest.fixture(scope="module")
def corpus(rows):
    return [row["few_shot_context"] + row["source"] + row["target"] for row in rows]


@pytest.fixture(scope="module")
def smollm2_tokenizer():
    return Checkpoint(smollm2_checkpoint()).tokenizer()


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


@pytest.mark.parametrize("shots", [0, 3])
def test_without_bos_tokens_are_those_of_the_text_alone(rows, corpus, shots):
    """As the published code has them, by `add_special_tokens=False`."""
    tokenizer = byte_level(corpus, bos=True)
    layout, tokenized = layout_of(tokenizer, rows, shots)
    without = list(tokenize(tokenizer, rows, shots, "none"))
    assert without == list(tokenize(byte_level(corpus), rows, shots))
    assert align(tokenizer, rows, without) == layout
    for kept, left_out in zip(tokenized, without, strict=True):
        assert kept.prefix == (tokenizer.bos_token_id, *left_out.prefix)


@pytest.mark.parametrize("bos", [False, True])
@pytest.mark.parametrize("shots", [0, 3])
def test_a_tokenizer_that_puts_a_space_before_the_text(rows, corpus, shots, bos):
    check(metaspace(corpus, bos=bos), rows, shots)


@pytest.mark.parametrize("shots", [0, 3])
def test_special_tokens_that_a_tokenizer_appends_are_left_out(rows, corpus, shots):
    """As T5's and many a BERT's: `<unk>` here plays the end-of-text token after each text."""
    plain = byte_level(corpus)
    appending = byte_level(corpus)
    last = appending.unk_token_id
    appending.backend_tokenizer.post_processor = processors.TemplateProcessing(
        single="$A <unk> <unk>", special_tokens=[("<unk>", last)]
    )
    assert appending("a")["input_ids"] == [*plain("a")["input_ids"], last, last]
    assert layout_of(appending, rows, shots) == layout_of(plain, rows, shots)


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


def word_level(vocabulary, drop=r" "):
    """A tokenizer of one token per character, which drops the characters of a pattern."""
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(drop), behavior="removed"),
            pre_tokenizers.Split(Regex(r"[\s\S]"), behavior="isolated"),
        ]
    )
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, unk_token="<unk>")


def test_a_symbol_without_a_token_is_refused(rows):
    vocabulary = {token: i for token, i in symbol_tokenizer().get_vocab().items() if token != "+"}
    with pytest.raises(InputError, match=r"no token for \['\+'\] and writes '<unk>'"):
        list(tokenize(word_level(vocabulary), rows, 3))


def test_a_tokenizer_without_a_newline_is_refused():
    with pytest.raises(InputError, match="no token with a newline among its 2"):
        newline_tokens(word_level({"<unk>": 0, "A": 1}))


def test_a_tokenizer_that_drops_newlines_is_refused(rows, tmp_path):
    with pytest.raises(InputError, match="last token of a chain of thought is"):
        write_token_shards(
            word_level(symbol_tokenizer().get_vocab(), drop=r"\s"),
            {"test": rows},
            {"test": [tmp_path / "0.safetensors"]},
            shots=3,
            shard_rows=len(rows),
            identity={},
        )


def test_tokens_in_another_order_than_the_text_are_refused(rows):
    """As of a tokenizer whose offsets are wrong; the library's own give none."""
    tokenizer = symbol_tokenizer()

    def swapped(*arguments, **options):
        found = tokenizer(*arguments, **options)
        for spans in found["offset_mapping"]:
            spans[-3], spans[-2] = spans[-2], spans[-3]
        return found

    with pytest.raises(InputError, match=r"at \(\d+, \d+\), the next one at .* use another model"):
        encode(swapped, [row["source"] + row["target"] for row in rows[:3]], "tokenizer")
    assert encode(tokenizer, ["A = 1", ""], "none")[1] == ([], [])

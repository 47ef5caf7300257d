"""Spans of free text as tokens: the one that ends each, one axis for all rows, and refusals."""

import json

import pytest
from support.checkpoints import byte_level, metaspace, smollm2_checkpoint
from support.free_text import CHAIN, PROBLEM, SETTINGS, free_text_row, free_text_rows

from think_to_talk.errors import InputError
from think_to_talk.formulas.free_text import dataset_row
from think_to_talk.models.loading import Checkpoint
from think_to_talk.tokens.chat import Chat
from think_to_talk.tokens.layout import Layout
from think_to_talk.tokens.prompts import tokenize
from think_to_talk.tokens.ragged import TaskLayout
from think_to_talk.tokens.spans import lay_out_spans

CONTEXT = "Ana owns 1. How many? 1.\n"


def rows_of(given):
    return [dataset_row(row, SETTINGS) for row in given]


def laid_out(tokenizer, rows, **options):
    tokenized = list(tokenize(tokenizer, rows, "all", **options))
    return TaskLayout.of(tokenizer, rows, tokenized), tokenized


@pytest.fixture(scope="module")
def smollm2():
    return Checkpoint(smollm2_checkpoint()).tokenizer()


def tokenizers():
    """Tokenizers of bytes and of characters, with words of several tokens and of one."""
    texts = [CONTEXT + row["source"] + row["target"] for row in free_text_rows(40)]
    return {
        "byte_level": lambda _: byte_level(texts, vocabulary_size=330),
        "metaspace": lambda _: metaspace(texts, vocabulary_size=66),
        "smollm2": lambda smollm2: smollm2,
    }


@pytest.mark.parametrize("kind", tokenizers())
@pytest.mark.parametrize("context", ["", CONTEXT])
def test_the_token_of_a_span_is_the_one_after_which_it_has_been_read(kind, context, smollm2):
    tokenizer = tokenizers()[kind](smollm2)
    rows = [{**row, "few_shot_context": context} for row in rows_of(free_text_rows(40))]
    layouts, tokenized = laid_out(tokenizer, rows)
    layout = layouts.layout
    assert layout.symbols == tuple(label for label, _ in PROBLEM + CHAIN)
    assert layout.equations() == [equation for _, equation in PROBLEM + CHAIN]
    assert layout.position_symbol == tuple(range(9))
    assert (layout.n_problem, layout.n_problem_symbols) == (4, 4)
    assert Layout.loads(layout.dumps()) == layout
    n_of_a_name = set()
    for row, of_row, places in zip(rows, tokenized, layouts.symbol_token, strict=True):
        ids = [*of_row.problem, *of_row.gold]
        spans = [*row["spans"]]
        n_of_a_name.add(places[0])
        for span, place in zip(spans, places, strict=True):
            assert (place < len(of_row.problem)) == (span["text"] == "source")
            before = row["source"] if span["text"] == "target" else ""
            up_to = before + row[span["text"]][: span["end"]]
            # Of what is read with the token, and without it; spaces are no matter.
            read, unread = (
                tokenizer.decode([*of_row.prefix, *ids[:n]]).replace(" ", "")
                for n in (place + 1, place)
            )
            wanted = (context + up_to).replace(" ", "")
            assert read == wanted
            assert len(unread) < len(wanted) or "\ufffd" in unread
    assert len(n_of_a_name) > 1
    assert layouts.texts([]) == [row_text(rows[0], span) for span in rows[0]["spans"]]


def row_text(row, span):
    return row[span["text"]][span["start"] : span["end"]]


def test_the_layout_of_other_tasks_is_written_as_before():
    assert set(json.loads(Layout(("?", "A"), (0, 1), (True, True), 1).dumps())) == {
        "symbols",
        "position_symbol",
        "completes",
        "n_problem",
    }


def test_a_token_may_end_with_spaces_behind_a_span_and_with_nothing_else():
    row = dataset_row(free_text_row(), {})
    ends = {"who": 3, "A": 9 + 1, "#": len("Ana owns 3 shells, and finds 5")}
    text = row["source"] + row["target"]
    alone = [(i, i + 1) for i in range(len(text))]
    assert alone[ends["#"] - 1] == (ends["#"] - 1, ends["#"])
    joined = [*alone[:2], (2, 4), *alone[4:]]
    layout = lay_out_spans(row, joined, len(row["source"]) - 1)
    assert layout.position_symbol.index(0) == 2
    assert layout.position_symbol.index(1) == ends["A"] - 2
    joined = [*alone[:2], (2, 5), *alone[5:]]
    with pytest.raises(InputError) as caught:
        lay_out_spans(row, joined, len(row["source"]) - 2)
    assert str(caught.value) == (
        "row 'Ana owns 3 shells, and finds 5 more. How many are there now?': no token ends with "
        "span 1 ('Ana' of the source): the tokenizer has 'a o' as one token; mark all of it"
    )
    without = [place for place in alone if place != (2, 3)]
    with pytest.raises(InputError, match=r"span 1 \('Ana' of the source\): the tokenizer leaves"):
        lay_out_spans(row, without, len(row["source"]) - 1)


def test_a_part_of_a_token_is_no_span(smollm2):
    row = free_text_row()
    row["spans"][2] |= {"start": 11, "end": 16, "label": "shell"}
    with pytest.raises(InputError) as caught:
        laid_out(smollm2, rows_of([row]))
    assert str(caught.value).endswith(
        "no token ends with span 3 ('shell' of the source): the tokenizer has ' shells' as one "
        "token; mark all of it"
    )


def test_rows_share_one_axis_and_one_context(smollm2):
    one, other = free_text_row(), free_text_row("Chen", 4)
    other["spans"][2]["label"] = "number"
    with pytest.raises(InputError) as caught:
        laid_out(smollm2, rows_of([one, other]))
    assert str(caught.value) == (
        "row 1 'Chen owns 4 shells, and finds 5 more. How many are there now' has other labels or "
        "equations of spans than row 0 'Ana owns 3 shells, and finds 5 more. How many are there "
        "now?'; the rows of a task share one axis, also those of both splits"
    )
    contexts = [{**free_text_row(), "few_shot_context": text} for text in ("a\n", "b\n")]
    with pytest.raises(InputError, match=r"row 1 .* has another few_shot_context than row 0 "):
        laid_out(smollm2, rows_of(contexts))


def test_in_a_chat_spans_are_found_between_the_template_s_tokens(smollm2):
    rows = rows_of(free_text_rows(8))
    layouts, tokenized = laid_out(smollm2, rows, chat=Chat("Add."))
    for row, of_row, places in zip(rows, tokenized, layouts.symbol_token, strict=True):
        ids = [*of_row.problem, *of_row.gold]
        whole = smollm2.decode([*of_row.prefix, *ids])
        for span, place in zip(row["spans"], places, strict=True):
            read = smollm2.decode([*of_row.prefix, *ids[: place + 1]])
            assert whole.startswith(read)
            assert read.endswith(row_text(row, span))
            turn = "assistant" if span["text"] == "target" else "user"
            assert read.rindex(f"<|im_start|>{turn}") == read.rindex("<|im_start|>")

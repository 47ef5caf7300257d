"""Bad rows of free text go through the rule `free_text` and the tokens job: one line says why."""

import copy

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.bad_input import accepted_or_refused, cases
from support.checkpoints import byte_level
from support.free_text import SCHEMA, SETTINGS, free_text_row, free_text_rows, write_rows

from think_to_talk.formulas.free_text import read_free_text
from think_to_talk.tokens.write_shards import write_token_shards

VALUES = [
    *(None, True, 0, -1, 7, 1.5, 10**400, "", " ", "x", "?", "\n", "é", "\u2028", "\ud800"),
    *([], {}, [0], [[]], {"A": 1}, {"A": 1, "B": 2}, {"A": "1"}, {"B": "1 + 2"}, "a\u2028b\n"),
    *(
        " 3 plus 5 is 8. The answer is 8.\n",
        "👩‍🚀 owns 3",
        "e\u0301",
        "source",
        "target",
        "x" * 10**4,
    ),
]

KEYS = ["source", "target", "answer", "targets", "spans", "expressions", "few_shot_context", "row"]

SPAN_KEYS = ["text", "start", "end", "label", "equation", "colour"]


@pytest.fixture(scope="module")
def take_over(tmp_path_factory):
    """Put rows through the rule `free_text` and the tokens job."""
    folder = tmp_path_factory.mktemp("free")
    tokenizer = byte_level([row["source"] + row["target"] for row in free_text_rows(30)])

    def attempt(kind, rows):
        path = folder / "rows.jsonl"
        with accepted_or_refused(f"free text: {kind}", r"\.jsonl|row |rows |few_shot_context"):
            write_rows(path, rows)
            read = read_free_text(path, SCHEMA, SETTINGS, (0, 199))
            shards = {"test": [folder / "test.safetensors"]}
            write_token_shards(
                tokenizer, {"test": read}, shards, shots="all", shard_rows=9, identity={"task": "t"}
            )

    return attempt


def changed(row, key, value):
    if value is ...:
        row.pop(key, None)
    else:
        row[key] = value


def test_a_key_of_a_row_may_have_any_value_or_be_missing(take_over):
    @cases(150)
    @given(st.sampled_from(KEYS), st.just(...) | st.sampled_from(VALUES), st.booleans())
    def each(key, value, in_all_rows):
        rows = [copy.deepcopy(row) for row in free_text_rows(3)]
        for row in rows if in_all_rows else rows[1:2]:
            changed(row, key, value)
        take_over("a key missing" if value is ... else "values", rows)

    each()


def test_a_key_of_a_span_may_have_any_value_or_be_missing(take_over):
    @cases(150)
    @given(
        st.integers(0, 8),
        st.sampled_from(SPAN_KEYS),
        st.just(...) | st.sampled_from(VALUES) | st.integers(0, 60),
        st.booleans(),
    )
    def each(number, key, value, in_all_rows):
        rows = [free_text_row(), free_text_row("Chen", 4)]
        for row in rows if in_all_rows else rows[1:]:
            changed(row["spans"][number], key, value)
        take_over("a span's key missing" if value is ... else "a span's values", rows)

    each()

"""Where positions are in the tokens of rows, and where a number begins."""

import pytest
from support.checkpoints import bpe_tokenizer
from support.steering import NAMES, Case, case_of
from support.templates import template
from support.whole_numbers import EQUATIONS
from tokenizers import Regex, decoders, pre_tokenizers

from think_to_talk.steering.task_tokens import TaskTokens, further_tokens
from think_to_talk.tokens.prompts import tokenize
from think_to_talk.tokens.ragged import TaskLayout
from think_to_talk.tokens.results import Result
from think_to_talk.tokens.symbol_tokenizer import symbol_tokenizer


def joined_with_the_sign(texts):
    """A tokenizer of texts whose token for a sign has the first digit of the number behind it."""
    pieces = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(r" [-+=][0-9]| ?."), "isolated"),
            pre_tokenizers.ByteLevel(False, use_regex=False),
        ]
    )
    digits = [f"{sign}{digit}" for sign in "=+-" for digit in range(10)]
    return bpe_tokenizer(
        [*texts, *(f" {text}" for text in digits * 1000)],
        pieces,
        decoders.ByteLevel(),
        vocabulary_size=120,
    )


def tokens_of(case, rows=None):
    rows = case.dataset if rows is None else rows
    tokenized = list(tokenize(case.tokenizer, rows, case.shots))
    return TaskTokens.of(case.tokenizer, tokenized, case.positions)


def first_digit(case, row, variable):
    """The token in which the first result of a variable begins, from the problem's first token."""
    names = [question.removesuffix(" =") for question in row["intermediate_questions"]]
    text = row["few_shot_context"] + row["source"] + row["target"]
    chain = len(text) - len(row["target"])
    stated = f"{names[variable]} = {row['intermediate_answers'][variable]}"
    # Behind a name and `=`, no other digit stands before it.
    start = next(
        chain + row["target"].index(f"{stated}{end}") + len(f"{names[variable]} = ")
        for end in (" ,", "\n")
        if f"{stated}{end}" in row["target"]
    )
    spans = case.tokenizer(text, return_offsets_mapping=True)["offset_mapping"]
    n_prefix = sum(end <= len(row["few_shot_context"]) for _, end in spans)
    return next(t for t, (_, end) in enumerate(spans) if end > start) - n_prefix


@pytest.mark.parametrize("name", NAMES)
def test_the_position_before_a_number_is_the_last_one_before_its_first_digit(name):
    case = case_of(name)
    tokens = tokens_of(case)
    for variable in range(2):
        first = [first_digit(case, row, variable) for row in case.dataset]
        found, is_next = tokens.before(Result.of(variable, tokens.layout).symbol)
        fits = [
            all(row.tokens[position] < n for row, n in zip(tokens.rows, first, strict=True))
            for position in range(tokens.layout.n_positions)
        ]
        assert found == max(position for position, right in enumerate(fits) if right)
        ends = [row.tokens[found] + 1 for row in tokens.rows]
        assert is_next == (ends == first)
        # A lone space has a position of its own where rows tokenize alike.
        if name != "spaces apart":
            assert is_next
            place = tokens.layout.place(found)
            assert place["symbol"] == ("#" if name == "spaces alike" else "=")
            assert (place["symbol_index"] is None) == (name == "spaces alike")


@pytest.mark.parametrize("values", [[0, 9], [10, 29]])
def test_a_token_that_begins_a_number_behind_a_sign_is_not_before_the_number(values):
    case = Case(template(EQUATIONS, values=values, shots=1), None, symbol_tokenizer())
    rows = [
        {
            **row,
            **{
                key: row[key].replace("= ", "=").replace("+ ", "+").replace("- ", "-")
                for key in ("few_shot_context", "source", "target", "scratchpad")
            },
        }
        for row in case.dataset
    ]
    case.tokenizer = joined_with_the_sign([row["source"] + row["target"] for row in rows])
    tokenized = list(tokenize(case.tokenizer, rows, 1))
    layouts = TaskLayout.of(case.tokenizer, rows, tokenized)
    positions = layouts.positions
    tokens = TaskTokens.of(case.tokenizer, tokenized, positions)
    position, is_next = tokens.before(Result.of(1, layouts.layout).symbol)
    assert is_next
    pieces = case.tokenizer.convert_ids_to_tokens([*tokenized[0].problem, *tokenized[0].gold])
    assert sum(piece[:2] == "Ġ=" and piece[2:] in set("0123456789") for piece in pieces) == 7
    # The name: the token behind it has the sign and a digit.
    assert layouts.layout.place(position)["symbol"] == "B"


def test_rows_that_tokenize_alike_keep_the_positions_of_a_task_whose_rows_do_not():
    case = case_of("words")
    alike = [row for row in case.dataset if max(row["intermediate_answers"]) > 9]
    alike = [row for row in alike if min(row["intermediate_answers"]) > 9][:1]
    tokens = tokens_of(case, alike)
    own = TaskLayout.of(case.tokenizer, alike, list(tokenize(case.tokenizer, alike, case.shots)))
    assert own.symbol_token is None
    assert own.layout.n_positions > tokens.layout.n_positions
    every = tokens_of(case)
    assert list(tokens.rows[0].tokens) == list(every.rows[case.dataset.index(alike[0])].tokens)
    result = Result.of(0, tokens.layout)
    assert tokens.before(result.symbol) == every.before(result.symbol) == (result.number - 1, True)


def test_what_a_run_is_given_ends_with_the_token_of_the_place():
    tokens = tokens_of(case_of("spaces apart"))
    for row in tokens.rows[:10]:
        for position in range(tokens.layout.n_positions):
            given = row.given(position)
            assert given == max(row.n_problem, row.tokens[position] + 1)
            assert row.given_chain(position) == row.ids[row.n_problem : given].tolist()


def test_a_chain_of_larger_numbers_needs_more_tokens():
    tokenizer = symbol_tokenizer((), 199)
    row = {"target": " z = 7\n", "scratchpad": "z = 7"}
    assert further_tokens(tokenizer, row, ["z = 8", "z = 12", "z = 123", "z = 1"]) == 2
    assert further_tokens(tokenizer, row, ["z = 8"]) == 0
    assert further_tokens(tokenizer, row, []) == 0
    longer = {"target": " z = 123\n", "scratchpad": "z = 123"}
    assert further_tokens(tokenizer, longer, ["z = 8"]) == 0

"""Worded tasks as tokens: names, numbers and operators of sentences have their own symbols."""

import pytest
from support.chats import FAMILIES, chat_tokenizer
from support.checkpoints import byte_level
from support.templates import template
from support.wordings import APPLES, LEDGER, NAMES

from think_to_talk.formulas.datasets import generate_splits
from think_to_talk.formulas.rows import is_correct
from think_to_talk.formulas.symbols import text_symbols
from think_to_talk.formulas.wording_entries import task_words
from think_to_talk.tokens.chat import Chat
from think_to_talk.tokens.generations import generated_symbol_tokens, written_texts
from think_to_talk.tokens.prompts import tokenize
from think_to_talk.tokens.ragged import TaskLayout
from think_to_talk.tokens.results import Result
from think_to_talk.tokens.stop_ids import stop_ids
from think_to_talk.tokens.symbol_tokenizer import symbol_tokenizer

SIZES = {"train": 4, "valid": 1, "test": 40, "probing_train": 1}
EQUATIONS = ["v0 = num ± num", "v1 = v0 ± num"]
PROBLEM = "A has # ± # apples . B has # ± apples than A . How many apples does B have ?"
STEPS = (
    "B has # ± apples than A . A has # ± # apples . A has # apples . "
    "B has # ± apples than A . B has # ± # apples . B has # apples ⏎"
)


def task_of(wording, **values):
    return template(EQUATIONS, "in_order", **{"names": NAMES, "wording": wording, **values})


def laid_out(tokenizer, task, shots=2):
    rows = generate_splits(task, SIZES, 1)["test"]
    tokenized = list(tokenize(tokenizer, rows, shots))
    return rows, tokenized, TaskLayout.of(tokenizer, rows, tokenized)


def own_tokenizer(task):
    return symbol_tokenizer(task_words(task), task["values"][1])


def test_a_trained_model_s_tokenizer_has_a_token_for_each_symbol_of_a_sentence():
    task = task_of(APPLES)
    rows, tokenized, layouts = laid_out(own_tokenizer(task), task)
    layout = layouts.layout
    assert layouts.symbol_token is None
    assert layout.symbols == (*PROBLEM.split(), *STEPS.split())
    assert layout.position_symbol == tuple(range(len(layout.symbols)))
    assert layout.n_problem == len(PROBLEM.split())
    numbers = layout.equations()
    assert [numbers[0], numbers[layout.n_problem - 1], numbers[layout.n_problem]] == [-3, -1, 0]
    assert numbers[-1] == 5
    assert {len(of_row.gold) for of_row in tokenized} == {len(STEPS.split())}
    assert len(text_symbols(rows[0]["source"])) == layout.n_problem


@pytest.mark.parametrize("wording", [APPLES, LEDGER], ids=["apples", "ledger"])
@pytest.mark.parametrize("values", [[0, 9], [0, 30]])
def test_what_a_model_writes_is_read_back_as_the_gold_chain(wording, values):
    task = task_of(wording, values=values)
    tokenizer = own_tokenizer(task)
    rows, tokenized, layouts = laid_out(tokenizer, task)
    stops = stop_ids(tokenizer, [])
    written = written_texts(tokenizer, [list(of_row.gold) for of_row in tokenized], stops)
    assert all(is_correct(text, row) for text, row in zip(written, rows, strict=True))
    wrong = f"{NAMES[0]}{written[0].removeprefix(rows[0]['scratchpad'].split()[0])} {values[1]}"
    assert not is_correct(wrong, rows[0])
    for of_row in tokenized:
        n_symbols = len(generated_symbol_tokens(tokenizer, of_row.gold, stops))
        assert n_symbols == len(layouts.layout.symbols) - layouts.layout.n_problem_symbols


def test_rows_of_a_pretrained_tokenizer_have_the_same_symbols():
    task = task_of(APPLES)
    rows = generate_splits(task, SIZES, 1)["test"]
    tokenizer = byte_level([row["source"] + row["target"] for row in rows], vocabulary_size=90)
    _, tokenized, layouts = laid_out(tokenizer, task)
    assert len({len(row.problem) for row in tokenized}) > 1
    assert layouts.symbol_token is not None
    assert layouts.layout.symbols == (*PROBLEM.split(), *STEPS.split())


def test_an_operator_that_is_always_the_same_is_its_sign():
    task = task_of(LEDGER, operators=["+"])
    _, _, layouts = laid_out(own_tokenizer(task), task)
    assert "±" not in layouts.layout.symbols
    assert "+" in layouts.layout.symbols


def test_a_result_is_the_sentence_that_names_one_variable_and_one_number():
    task = task_of(APPLES)
    _, _, layouts = laid_out(own_tokenizer(task), task)
    layout = layouts.layout
    for variable, equation in ((0, 2), (1, 5)):
        result = Result.of(variable, layout)
        assert result.equation == equation
        assert layout.symbols[result.number] == "#"
        assert layout.symbols[result.number - 1] == "has"


@pytest.mark.parametrize("family", sorted(FAMILIES))
def test_sentences_are_the_turns_of_a_chat(family):
    task = task_of({**APPLES, "question": "And {x}?"}, names=["a", "b", "c"])
    tokenizer = chat_tokenizer(family)
    rows = generate_splits(task, SIZES, 1)["test"][:6]
    for row, of_row in zip(rows, tokenize(tokenizer, rows, 2, chat=Chat()), strict=True):
        prompt = tokenizer.decode([*of_row.prefix, *of_row.problem])
        assert prompt.count("And ") == 3
        assert prompt.rstrip().count(row["source"]) == 1
        assert of_row.layout.symbols.count("?") == 1

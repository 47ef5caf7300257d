"""Cut chains: some equations of the gold chain, `;`, and the answer."""

import pytest

from think_to_talk.errors import InputError
from think_to_talk.formulas.cuts import (
    CutTexts,
    cut_examples,
    cut_row,
    given_of_cut,
    n_cuts,
    shortened,
)
from think_to_talk.formulas.datasets import generate_splits

ROW = {
    "source": "b = 7 - e , e = 4 ; b =?",
    "target": " b = 7 - e , e = 4 , b = 7 - 4 , b = 3\n",
    "scratchpad": "b = 7 - e , e = 4 , b = 7 - 4 , b = 3",
    "original_answer": "3",
}


@pytest.mark.parametrize(
    ("equations", "chain"),
    [
        (0, "; b = 3"),
        (1, "b = 7 - e ; b = 3"),
        (3, "b = 7 - e , e = 4 , b = 7 - 4 ; b = 3"),
    ],
)
def test_a_cut_chain_ends_with_its_answer(equations, chain):
    cut = cut_row(ROW, equations)
    assert (cut["scratchpad"], cut["target"]) == (chain, f" {chain}\n")
    assert {**cut, **{key: ROW[key] for key in ("scratchpad", "target")}} == ROW


@pytest.mark.parametrize(
    ("chain", "expected"),
    [
        ("full", ROW["scratchpad"]),
        ("none", "b = 3"),
        (0, "; b = 3"),
        (2, "b = 7 - e , e = 4 ; b = 3"),
        (3, "b = 7 - e , e = 4 , b = 7 - 4 ; b = 3"),
    ],
)
def test_a_task_may_ask_for_a_part_of_the_chain(chain, expected):
    row = shortened(ROW, chain)
    assert row == {**ROW, "scratchpad": expected, "target": f" {expected}\n"}
    # A chain that is cut can be cut again.
    if chain not in ("full", "none"):
        assert n_cuts(row) == chain + 1
        assert cut_row(row, chain) == row


def test_examples_have_such_chains_too_as_far_as_they_have_the_equations():
    context = "e = 4 ; e =? e = 4\nb = 7 - e , e = 4 ; b =? b = 7 - e , e = 4 , b = 3\n"
    row = {**ROW, "few_shot_context": context}
    assert shortened(row, "full") == row
    assert shortened(row, "none")["few_shot_context"] == (
        "e = 4 ; e =? e = 4\nb = 7 - e , e = 4 ; b =? b = 3\n"
    )
    assert shortened(row, 2)["few_shot_context"] == (
        "e = 4 ; e =? ; e = 4\nb = 7 - e , e = 4 ; b =? b = 7 - e , e = 4 ; b = 3\n"
    )


def test_more_equations_than_a_chain_has_are_refused():
    with pytest.raises(InputError, match=r"^chain: 4 equations are asked for .*'b = 7 - e.* has 3"):
        shortened(ROW, 4)


def test_spaces_are_those_of_the_chain():
    row = {**ROW, "scratchpad": "b=7-e, e=4,b=3", "target": " b=7-e, e=4,b=3\n"}
    assert n_cuts(row) == 3
    cuts = [cut_row(row, equations)["scratchpad"] for equations in range(3)]
    assert cuts == ["; b=3", "b=7-e; b=3", "b=7-e, e=4;b=3"]
    both = "e = 4 ; e =?e=4\nb = 7 - e , e = 4 ; b =?b=7-e\t, e=4,b=3\n"
    cut = cut_examples(both, 0).splitlines()
    assert cut[0] == "e = 4 ; e =?; e=4"
    chain = cut[1].removeprefix("b = 7 - e , e = 4 ; b =?")
    assert chain in ("; b=3", "b=7-e\t; b=3", "b=7-e\t, e=4;b=3")


def test_an_example_without_a_question_is_refused():
    with pytest.raises(InputError, match=r"few_shot_context: example 2, 'e = 5', has no `\?`"):
        cut_examples("e = 4 ; e =? e = 4\ne = 5\n", 0)


def test_there_is_a_cut_before_the_chain_and_after_each_equation_but_the_answer():
    assert n_cuts(ROW) == 4
    with pytest.raises(AssertionError):
        cut_row(ROW, 4)


def test_examples_are_cut_at_places_of_their_own_that_the_seed_draws(tasks):
    sizes = {"train": 40, "valid": 1, "test": 1, "probing_train": 1}
    rows = generate_splits(tasks["level-2"], sizes, 3)["train"]
    examples = [f"{row['source']}{row['target']}" for row in rows]
    cut = cut_examples("".join(examples), 5).splitlines(keepends=True)
    kept = []
    for example, short in zip(examples, cut, strict=True):
        problem, _, chain = example.strip().partition("=? ")
        *equations, answer = chain.split(" , ")
        possible = [
            f"{problem}=? {' , '.join(equations[:n])} ; {answer}\n".replace("  ", " ")
            for n in range(len(equations) + 1)
        ]
        kept.append(possible.index(short))
    assert set(kept) == set(range(len(equations) + 1))
    # Fewer examples are cut alike, and another seed cuts elsewhere.
    assert cut_examples("".join(examples[:3]), 5) == "".join(cut[:3])
    assert cut_examples("".join(examples), 6) != "".join(cut)
    assert cut_examples("", 5) == ""


def test_an_answer_alone_answers_at_once_as_it_is():
    alone = shortened(ROW, "none")
    assert n_cuts(alone) == 1
    assert cut_row(alone, 0) == alone
    context = "e = 4 ; e =? e = 4\nb = 7 - e , e = 4 ; b =? b = 3\n"
    assert cut_examples(context, 0) == context


#: Names hold the word that says that the answer is due.
CHAIN = "So has 4 plus 3 apples. So has 7 apples. Soso has 7 minus 2 apples. Soso has 5 apples"
QUESTION = "How many apples does Soso have?"
SENTENCES = {"source": QUESTION, "target": f" {CHAIN}\n", "scratchpad": CHAIN}
TEXTS = CutTexts.from_config(
    {"answer": "{x} has {value} apples", "cut": "So {x} has {value} apples"}
)


@pytest.mark.parametrize(
    ("equations", "kept"),
    [
        (0, ""),
        (1, "So has 4 plus 3 apples. "),
        (3, "So has 4 plus 3 apples. So has 7 apples. Soso has 7 minus 2 apples. "),
    ],
)
def test_a_chain_in_words_is_cut_by_the_words_of_its_answer(equations, kept):
    assert n_cuts(SENTENCES) == 4
    cut = cut_row(SENTENCES, equations, TEXTS)
    assert cut["target"] == f" {kept}So Soso has 5 apples\n" == f" {cut['scratchpad']}\n"
    assert given_of_cut(cut, TEXTS) == f" {kept}So "


def test_nothing_is_given_of_an_answer_alone():
    for row, texts in ((ROW, None), (SENTENCES, TEXTS)):
        alone = shortened(row, "none")
        assert cut_row(alone, 0, texts) == alone
        assert given_of_cut(alone, texts) == ""


def test_all_up_to_the_sign_is_given_of_a_cut_chain_in_symbols():
    assert given_of_cut(cut_row(ROW, 1)) == " b = 7 - e ;"
    assert given_of_cut(cut_row(ROW, 0)) == " ;"


def test_examples_in_words_are_cut_by_words():
    context = f"{QUESTION} {CHAIN}\nHow many apples does Ann have? Ann has 1 apples\n"
    shown = cut_examples(context, 1, TEXTS).splitlines()
    assert shown[0].endswith("So Soso has 5 apples")
    assert shown[1] == "How many apples does Ann have? So Ann has 1 apples"


def test_a_sentence_that_is_no_answer_is_named():
    row = {**SENTENCES, "scratchpad": "Ann has 1 apples. Ann is here"}
    with pytest.raises(InputError, match="'Ann is here' is no answer of the wording"):
        cut_row(row, 0, TEXTS)

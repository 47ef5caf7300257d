"""What models are trained on: problems of no split, whole chains and chains that are cut."""

import pytest
import torch
from support.checkpoints import SIZES
from support.templates import template
from support.wordings import APPLES, NAMES

from think_to_talk.formulas.datasets import generate_splits
from think_to_talk.formulas.wording_entries import task_words
from think_to_talk.models.training_examples import Examples, encode, training_examples
from think_to_talk.tokens.symbol_tokenizer import symbol_tokenizer


@pytest.fixture(scope="module")
def tokenizer():
    return symbol_tokenizer()


def test_no_problem_of_any_split_is_trained_on(tasks, tokenizer):
    # The same seed draws the same problems first, unless they are held out.
    splits = generate_splits(tasks["level-1"], SIZES, 42)
    held_out = {row["source"] for rows in splits.values() for row in rows}
    examples = training_examples(tokenizer, {"level-1": tasks["level-1"]}, held_out, 3000, 42)[
        "level-1"
    ]
    held_out_ids = {
        tuple(ids) for rows in splits.values() for ids in encode(tokenizer, rows).ids.tolist()
    }
    assert len(examples.rows) == len(examples.whole.ids) == 3000
    assert held_out_ids.isdisjoint(map(tuple, examples.whole.ids.tolist()))


def test_a_tasks_own_cut_is_learned(tasks, tokenizer):
    """The model must write the `;` of a task whose chains are cut; that of `cut` is given."""
    task = {"task": {**tasks["level-3"], "chain": 2}}
    examples = training_examples(tokenizer, task, set(), 5, 3)["task"].whole
    learned = tokenizer.decode(examples.ids[0][examples.learned[0]].tolist())
    assert learned.count("=") == 3
    assert learned.count(";") == 1


def test_a_cut_chain_is_given_up_to_its_cut_and_teaches_what_follows(tasks, tokenizer):
    task = {"task": tasks["level-3"]}
    examples = training_examples(tokenizer, task, set(), 50, 3, cut=True)["task"]
    assert examples.n_cuts == 6
    rows = [7, 0, 49, 7]
    whole = examples.whole.select(rows)
    for equations in range(6):
        cut = examples.cut(rows, equations)
        n_problem, n_given = (int(some.learned[0].nonzero()[0]) for some in (whole, cut))
        assert torch.equal(cut.ids[:, :n_problem], whole.ids[:, :n_problem])
        given = tokenizer.decode(cut.ids[0, n_problem:n_given].tolist())
        assert given.count("=") == equations
        assert given.count(",") == max(equations - 1, 0)
        assert given.endswith(";")
        learned = tokenizer.convert_ids_to_tokens(cut.ids[0, n_given:].tolist())
        assert learned[1] == "="
        assert learned[2].isdigit()
        assert learned[3:] == ["\n"]


def test_a_chain_in_words_is_cut_only_if_its_wording_says_how_it_answers(tasks):
    equations = ["v0 = num", "v1 = v0 ± num"]
    wording = {**APPLES, "cut": "So {x} has {value} apples"}
    apples, said = (template(equations, names=NAMES, wording=texts) for texts in (APPLES, wording))
    tokenizer = symbol_tokenizer(task_words(said))
    task = {"symbols": tasks["level-1"], "apples": apples, "said": said}
    examples = training_examples(tokenizer, task, set(), 20, 3, cut=True)
    assert {name: of_task.n_cuts for name, of_task in examples.items()} == {
        **{"symbols": 5, "apples": 0, "said": 5},
    }
    for place in range(5):
        cut = examples["said"].cut([3, 5], place)
        for row, learned in zip(cut.ids.tolist(), cut.learned, strict=True):
            tokens = tokenizer.convert_ids_to_tokens(row)
            n_given = int(learned.nonzero()[0])
            given = tokens[:n_given]
            assert given[-1] == "So"
            assert given.count(".") == 2 + place
            assert tokens[n_given] in NAMES
            assert tokens[n_given + 1] == "has"
            assert tokens[-2:] == ["apples", "\n"]
            assert learned[n_given:].all()


def test_joined_examples_are_those_of_all_and_what_fills_a_row_is_not_learned(tasks, tokenizer):
    task = {"task": tasks["level-3"]}
    examples = training_examples(tokenizer, task, set(), 9, 3, cut=True)["task"]
    several = [examples.cut([1], 2), examples.whole.select([4, 5]), examples.cut([2, 3], 0)]
    joined = Examples.joined(several)
    alone = [row for some in several for row in zip(some.ids, some.learned, strict=True)]
    assert len(joined.ids) == len(alone) == 5
    for ids, learned, (own, own_learned) in zip(joined.ids, joined.learned, alone, strict=True):
        assert torch.equal(ids[: len(own)], own)
        assert torch.equal(learned[: len(own)], own_learned)
        assert not learned[len(own) :].any()

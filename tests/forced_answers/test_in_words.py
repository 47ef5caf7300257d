"""Forced answers of problems in words, against whole passes of prompts that are written by hand."""

import random

import pytest
import torch
from support.architectures import FAMILIES, random_model
from support.checkpoints import byte_level
from support.facts import facts_of
from support.forced_answers import IDENTITY
from support.templates import template
from support.wordings import APPLES, NAMES

from think_to_talk.forced_answers.reading import forced_answer_rows
from think_to_talk.formulas.cuts import CutTexts
from think_to_talk.formulas.datasets import generate_splits
from think_to_talk.formulas.wording_entries import cut_texts, task_words
from think_to_talk.tokens.symbol_tokenizer import symbol_tokenizer

WORDING = {**APPLES, "cut": "So {x} has {value} apples"}
SIZES = {"train": 3, "valid": 1, "test": 9, "probing_train": 60}
SHOTS = 2


def task_of(values):
    names, equations = NAMES[:3], ["v0 = num ± num", "v1 = v0 ± num"]
    return template(equations, "in_order", names=names, wording=WORDING, values=values)


def cut_at(chain, equations):
    """A chain in words, cut after so many sentences."""
    *sentences, answer = chain.split(". ")
    name, _, value, _ = answer.split()
    return ". ".join([*sentences[:equations], f"So {name} has {value} apples"])


def prompts_of(row, equations):
    """What the model is given up to the number of its answer, by hand."""
    shown = ""
    for number, example in enumerate(row["few_shot_context"].splitlines()[:SHOTS]):
        question, mark, chain = example.partition("? ")
        place = random.Random(f"{IDENTITY['seed']} {number}").randrange(chain.count(". ") + 1)
        shown += f"{question}{mark}{cut_at(chain, place)}\n"
    given = cut_at(row["scratchpad"], equations).rsplit(" ", 2)[0]
    return f"{shown}{row['source']} {given}"


@torch.inference_mode()
def probability(model, tokenizer, prompt, number):
    """How probable the tokens of a number are after a prompt, one pass and no cache."""
    given = tokenizer(prompt)["input_ids"]
    ids = tokenizer(f"{prompt} {number} apples\n")["input_ids"]
    assert ids[: len(given)] == given
    spelled = tokenizer(f"{prompt} {number}")["input_ids"][len(given) :]
    assert ids[len(given) : len(given) + len(spelled)] == spelled
    logits = model(torch.tensor([ids]), use_cache=False).logits[0].double().log_softmax(dim=-1)
    steps = enumerate(spelled, start=len(given) - 1)
    return sum(logits[place, token] for place, token in steps).exp().item()


def forced(model, tokenizer, task, rows, n_classes):
    return list(
        forced_answer_rows(
            model,
            facts_of(model),
            tokenizer,
            rows,
            shots=SHOTS,
            texts=CutTexts.from_config(cut_texts(task)),
            batch_size=4,
            n_classes=n_classes,
            identity=IDENTITY,
        )
    )


@pytest.mark.parametrize("trained", [True, False], ids=["token per word", "byte-level"])
def test_digits_of_sentences_are_those_of_one_prompt_at_a_time(trained):
    task = task_of([0, 9])
    splits = generate_splits(task, SIZES, 3)
    rows = splits["test"]
    texts = [row["source"] + row["target"] for part in splits.values() for row in part]
    texts += [text.replace(". ", ". So ") for text in texts]
    tokenizer = symbol_tokenizer(task_words(task)) if trained else byte_level(texts)
    model = random_model(FAMILIES[0])
    found = forced(model, tokenizer, task, rows, 10)
    assert [row["cut"] for row in found] == list(range(6))
    for cut, row in enumerate(found):
        expected = [
            [probability(model, tokenizer, prompts_of(given, cut), n) for n in range(10)]
            for given in rows
        ]
        answers = [int(given["original_answer"]) for given in rows]
        right = [of_row[answer] for of_row, answer in zip(expected, answers, strict=True)]
        assert row["answer"] == answers
        assert row["probability"] == pytest.approx(sum(right) / 9, rel=1e-4)
        assert row["digit_mass"] == pytest.approx(sum(map(sum, expected)) / 9, rel=1e-4)
    # The last token of each sentence, and of the problem before all.
    assert [row["equation"] for row in found] == [-1, 0, 1, 2, 3, 4]


def test_numbers_of_several_tokens_are_read_within_sentences():
    task = task_of([10, 29])
    rows = generate_splits(task, {**SIZES, "probing_train": 1}, 3)["test"]
    tokenizer = symbol_tokenizer(task_words(task), 29)
    model = random_model(FAMILIES[0])
    for cut, row in enumerate(forced(model, tokenizer, task, rows, 30)):
        right = [
            probability(model, tokenizer, prompts_of(given, cut), given["original_answer"])
            for given in rows
        ]
        assert row["probability"] == pytest.approx(sum(right) / 9, rel=1e-4)

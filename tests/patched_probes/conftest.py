"""Pairs of level 1, and random probes of their positions."""

import pytest
from support.checkpoints import byte_level
from support.patching import tokenized

from think_to_talk.formulas.counterfactuals import draw_pairs
from think_to_talk.formulas.datasets import generate_splits
from think_to_talk.formulas.edits import Edit
from think_to_talk.formulas.templates import Template

SIZES = {"train": 5, "valid": 1, "test": 300, "probing_train": 1}


@pytest.fixture(scope="session")
def drawn(tasks):
    """(rows, pairs) of level 1; the edit changes both variables."""
    task = tasks["level-1"]
    rows = [row for split in generate_splits(task, SIZES, 3).values() for row in split]
    edit = Edit.from_config(["v0.1", "v1.1"], Template.from_config(task))
    return rows, list(draw_pairs(edit, 6, 3, rows))


@pytest.fixture(scope="session")
def tokenizer(drawn):
    """Of tokens that have spaces and digits together."""
    return byte_level([row["source"] + row["target"] for row in drawn[0]])


@pytest.fixture(scope="session")
def pairs(drawn):
    return drawn[1]


@pytest.fixture(scope="session")
def tokens(tokenizer, pairs):
    """The pairs behind two examples."""
    return tokenized(tokenizer, pairs, 2)

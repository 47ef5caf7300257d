"""Datasets: the splits of a task, their rows, seeds and few-shot examples."""

import hashlib
import json
import re

import pytest
from support.repository import GENERAL_FEW_SHOT
from support.templates import KEYS, PAPER_SIZES, SMALL_SIZES, template

from think_to_talk.formulas import datasets
from think_to_talk.formulas.sampling import draw_rows
from think_to_talk.formulas.templates import Template


@pytest.mark.parametrize(
    ("task", "shape", "symbols"),
    [
        ("level-1", "B = # ± A , A = # ; B =?", 2),
        ("level-2", "A = # ± # , B = # ± A ; B =?", 2),
        ("level-3", "B = # ± A , A = # ± # ; B =?", 2),
        ("level-4", "C = # ± B , B = # ± # , A = # ± # ; C =?", 3),
        ("level-5", "C = # ± B , B = # ± A , A = # ± # ; C =?", 3),
    ],
)
def test_the_five_levels_have_the_shapes_of_the_paper(tasks, task, shape, symbols):
    for row in datasets.generate_splits(tasks[task], SMALL_SIZES, 42)["test"]:
        names = {
            q.split()[0]: chr(ord("A") + i) for i, q in enumerate(row["intermediate_questions"])
        }
        assert len(names) == symbols
        canonical = "".join(names.get(c, "#" if c.isdigit() else c) for c in row["source"])
        assert re.sub("[+-]", "±", canonical) == shape


def test_no_problem_repeats_within_or_across_splits(tasks):
    for task in tasks.values():
        splits = datasets.generate_splits(task, PAPER_SIZES, 42)
        sources = [row["source"] for rows in splits.values() for row in rows]
        assert {split: len(rows) for split, rows in splits.items()} == PAPER_SIZES
        assert len(sources) == len(set(sources))


def test_rows_have_the_documented_keys_and_the_first_shots_as_context(tasks):
    splits = datasets.generate_splits(tasks["level-5"], SMALL_SIZES, 42)
    shots = "".join(row["source"] + row["target"] for row in splits["train"][:3])
    for split, rows in splits.items():
        for row in rows:
            prompted = split in ("test", "probing_train")
            assert list(row) == ([*KEYS, "few_shot_context"] if prompted else KEYS)
            assert row.get("few_shot_context", shots) == shots


@pytest.mark.parametrize(
    ("chain", "written"),
    [("none", r" . = \d\n"), (2, r" . = \d [+-] . , . = \d [+-] \d ; . = \d\n")],
)
def test_the_chains_of_all_splits_and_examples_are_what_the_task_asks_for(tasks, chain, written):
    whole = datasets.generate_splits(tasks["level-3"], SMALL_SIZES, 42)
    cut = datasets.generate_splits({**tasks["level-3"], "chain": chain}, SMALL_SIZES, 42)
    for split, rows in cut.items():
        for row, of_whole in zip(rows, whole[split], strict=True):
            assert re.fullmatch(written, row["target"])
            assert row["target"] == f" {row['scratchpad']}\n"
            # They are the same problems.
            assert row["source"] == of_whole["source"]
            assert row["intermediate_answers"] == of_whole["intermediate_answers"]
            for shot in row.get("few_shot_context", "").splitlines(keepends=True):
                assert re.fullmatch(written, shot.partition("=?")[2])


def test_the_same_seed_gives_the_same_bytes_on_every_machine(tasks):
    rows = datasets.generate_splits(tasks["level-5"], SMALL_SIZES, 42)
    digest = hashlib.sha256(json.dumps(rows).encode()).hexdigest()
    assert digest == "2d363e0be15ef4f9b74618b99a7e22696f1bf9e15b9ed013379919b85bde8461"
    assert datasets.generate_splits(tasks["level-5"], SMALL_SIZES, 43) != rows


def test_splits_are_seeded_like_the_paper(tasks):
    """42 for train, 43 for valid, 44 for test, 45 for probing_train."""
    space = Template.from_config(tasks["level-5"])
    splits = datasets.generate_splits(tasks["level-5"], SMALL_SIZES, 42)
    for seed, split in enumerate(["train", "valid", "test", "probing_train"], start=42):
        alone = draw_rows(space, SMALL_SIZES[split], seed, set())
        assert [row["source"] for row in splits[split]] == [row["source"] for row in alone]


def test_general_few_shot_prompts_come_before_the_task_s_own_problems():
    few_shot = template(**GENERAL_FEW_SHOT["few_shot"])
    task = template(**{**GENERAL_FEW_SHOT, "few_shot": few_shot})
    splits = datasets.generate_splits(task, SMALL_SIZES | {"train": 100}, 42)
    context = splits["test"][0]["few_shot_context"]
    shots = context.splitlines()
    assert len(shots) == 50
    assert all(len(shot.split(" ; ")[0].split(" , ")) == 3 for shot in shots)
    right_sides = " ".join(shots)
    assert re.search(r"= [a-z] [,;]", right_sides), "a copied variable"
    assert re.search(r"= [a-z] [+-] \d", right_sides), "variable first"
    assert re.search(r"= \d [+-] [a-z]", right_sides), "number first"
    assert len({shot.split(" ; ")[1][:1] == shot.split(" = ")[0] for shot in shots}) == 2
    assert re.fullmatch(
        r". = \d [+-] . , . = \d [+-] \d , . = \d [+-] \d ; . =\?", splits["test"][0]["source"]
    )

"""Chains whose answers are forced: their cuts stand at positions of the task, as probes do."""

import re

from support.architectures import FAMILIES, random_model
from support.facts import facts_of
from support.forced_answers import IDENTITY
from support.templates import template

from think_to_talk.forced_answers.chains import Chains
from think_to_talk.forced_answers.reading import forced_answer_rows
from think_to_talk.formulas.datasets import generate_splits
from think_to_talk.tokens.symbol_tokenizer import symbol_tokenizer
from think_to_talk.tokens.task_positions import TaskPositions
from think_to_talk.tokens.write_shards import write_token_shards

SIZES = {"train": 4, "valid": 1, "test": 12, "probing_train": 1}


def test_rows_that_happen_to_tokenize_alike_have_the_positions_of_their_task(tmp_path):
    """Of a task with numbers of one token and of two, the test rows have those of two alone."""
    task = template(["v0 = num", "v1 = num ± v0"], values=[0, 30])
    rows = generate_splits(task, SIZES, 3)["test"]
    tokenizer = symbol_tokenizer((), 30)
    test = [row for row in rows if all(len(s) == 2 for s in re.findall("[0-9]+", row["target"]))]
    assert 0 < len(test) < len(rows)
    write_token_shards(
        tokenizer,
        {"test": test, "probing_train": rows},
        {"test": [tmp_path / "t"], "probing_train": [tmp_path / "p"]},
        shots=0,
        shard_rows=len(rows),
        identity={"task": "t"},
    )
    positions = TaskPositions.read([tmp_path / "t"], {"task": "t"})
    assert Chains.of(tokenizer, test, 0).positions.are_symbols is False
    model = random_model(type(FAMILIES[0])(**{**FAMILIES[0].to_diff_dict(), "vocab_size": 99}))
    options = {"shots": 0, "batch_size": 5, "n_classes": 31, "positions": positions}
    found = list(
        forced_answer_rows(model, facts_of(model), tokenizer, test, **options, identity=IDENTITY)
    )
    # `B=#±A,A=#,B=#±A,B=#±#,B=#`: before it, and after each equation, in symbols.
    assert [row["relative_position"] for row in found] == [-1, 4, 8, 14, 20]
    for row in found:
        assert positions.layout.place(positions.layout.n_problem + row["relative_position"]) == {
            key: row[key] for key in ("relative_position", "equation", "symbol", "symbol_index")
        }

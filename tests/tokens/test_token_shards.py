"""Token shards: every row of every split once, in order, with what all rows share."""

import json
import runpy
import sys
import warnings

import pytest
import torch
from support.checkpoints import byte_level, random_gpt2
from support.repository import REPOSITORY

from think_to_talk.errors import InputError
from think_to_talk.files.jsonl import write_jsonl
from think_to_talk.formulas.datasets import generate_splits
from think_to_talk.tokens.prompts import align, tokenize
from think_to_talk.tokens.shards import TokenShard
from think_to_talk.tokens.stop_ids import newline_tokens
from think_to_talk.tokens.symbol_tokenizer import symbol_tokenizer
from think_to_talk.tokens.write_shards import write_token_shards

IDENTITY = {"model": "m", "seed": "1", "task": "level-1"}
SIZES = {"train": 5, "valid": 1, "test": 7, "probing_train": 5}


@pytest.mark.parametrize(("shard_rows", "bos"), [(3, "none"), (7, "tokenizer")])
def test_shards_hold_the_tokenized_rows_in_order(tasks, tmp_path, shard_rows, bos):
    splits = generate_splits(tasks["level-1"], SIZES, 3)
    splits = {split: splits[split] for split in ("probing_train", "test")}
    rows = [*splits["probing_train"], *splits["test"]]
    tokenizer = byte_level(
        [row["few_shot_context"] + row["source"] + row["target"] for row in rows], bos=True
    )
    paths = {
        split: [tmp_path / f"{split}-{n}.safetensors" for n in range(-(-len(kept) // shard_rows))]
        for split, kept in splits.items()
    }
    options = {"shots": 2, "bos": bos, "shard_rows": shard_rows, "identity": IDENTITY}
    options["end_ids"] = [9999]
    write_token_shards(tokenizer, splits, paths, **options)
    tokenized = list(tokenize(tokenizer, rows, 2, bos))
    wanted = iter(tokenized)
    for split, kept in splits.items():
        shards = [TokenShard.open(path, {**IDENTITY, "split": split}) for path in paths[split]]
        assert torch.cat([shard.row for shard in shards]).tolist() == list(range(len(kept)))
        for shard in shards:
            assert len(shard.row) <= shard_rows
            assert tuple(shard.prefix) == tokenized[0].prefix
            assert shard.stop_ids == [*newline_tokens(tokenizer), 9999]
            assert shard.layout == align(tokenizer, rows, tokenized)
            first = tokenizer.convert_ids_to_tokens([*tokenized[0].problem, *tokenized[0].gold])
            assert shard.tokens == first
            for problem, gold in zip(shard.problem.tolist(), shard.gold.tolist(), strict=True):
                row = next(wanted)
                assert (tuple(problem), tuple(gold)) == (row.problem, row.gold)
    assert next(wanted, None) is None


def test_nothing_is_written_of_rows_that_are_too_long_for_the_model(tasks, tmp_path):
    rows = generate_splits(tasks["level-1"], SIZES, 3)["test"]
    first = next(tokenize(symbol_tokenizer(), rows, 2))
    lengths = []

    def check(prompt, chain):
        lengths.append((prompt, chain))
        raise InputError("too long")

    with pytest.raises(InputError, match="too long"):
        write_token_shards(
            symbol_tokenizer(),
            {"test": rows},
            {"test": [tmp_path / "0.safetensors"]},
            shots=2,
            shard_rows=7,
            identity=IDENTITY,
            check_length=check,
        )
    assert lengths == [(len(first.prefix) + len(first.problem), len(first.gold))]
    assert not list(tmp_path.iterdir())


def test_the_tokens_job_counts_exactly_whether_a_model_has_the_positions(
    tasks, tmp_path, monkeypatch, capsys
):
    """A GPT-2 of 64 positions: 13 symbols of the problem, and at most 51 of what it writes."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(warnings, "formatwarning", warnings.formatwarning)
    random_gpt2(tmp_path / "model")
    config = tmp_path / "model/config.json"
    config.write_text(config.read_text().replace('"n_positions": 4096', '"n_positions": 64'))
    rows = generate_splits(tasks["level-1"], SIZES, 3)
    for split in ("test", "probing_train"):
        write_jsonl(tmp_path / f"{split}.jsonl", rows[split])

    def run(max_new_tokens):
        values = {
            "input": {split: f"{split}.jsonl" for split in ("test", "probing_train")},
            "output": {split: [f"{split}.safetensors"] for split in ("test", "probing_train")},
            "params": {
                "checkpoint": {"path": "model"},
                "rows": {split: len(rows[split]) for split in ("test", "probing_train")},
                **{"shots": 0, "bos": "tokenizer", "chat": None, "max_new_tokens": max_new_tokens},
                **{"shard_rows": 7, "identity": IDENTITY},
            },
        }
        arguments = [
            f"{part}.{name}={json.dumps(value)}"
            for part, named in values.items()
            for name, value in named.items()
        ]
        monkeypatch.setattr(sys, "argv", ["tokens.py", *arguments])
        runpy.run_path(str(REPOSITORY / "workflow_scripts/tokens.py"))

    with pytest.raises(SystemExit):
        run(52)
    assert capsys.readouterr().err.splitlines()[-1] == (
        "error: a prompt of 13 tokens and up to 52 after it exceed the 64 positions that the model "
        "has: lower shots or max_new_tokens"
    )
    assert not (tmp_path / "test.safetensors").exists()
    run(51)
    assert (tmp_path / "test.safetensors").exists()

"""Hidden-state shards: what is stored of each row, however it was decoded."""

import copy

import pytest
import torch
from support.facts import facts_of

from think_to_talk.errors import InputError
from think_to_talk.files.jsonl import read_jsonl
from think_to_talk.files.shards import Shards
from think_to_talk.formulas.datasets import generate_splits
from think_to_talk.formulas.rows import is_correct
from think_to_talk.hidden_states.shards import write_hidden_states
from think_to_talk.models.loading import Checkpoint
from think_to_talk.tokens.shards import TokenShard
from think_to_talk.tokens.write_shards import write_token_shards

SIZES = {"train": 10, "valid": 10, "test": 100, "probing_train": 20}
IDENTITY = {"model": "m", "seed": "42", "task": "level-1"}


@pytest.fixture(scope="module")
def prepared(tmp_path_factory, trained_on_level_1, tasks):
    """A model that solves about half of level 1, and the second of two token shards."""
    folder = tmp_path_factory.mktemp("tokens")
    checkpoint = Checkpoint(trained_on_level_1(80))
    model, tokenizer = checkpoint.model(), checkpoint.tokenizer()
    rows = generate_splits(tasks["level-1"], SIZES, 42)["test"]
    paths = [folder / "0.safetensors", folder / "1.safetensors"]
    write_token_shards(
        tokenizer, {"test": rows}, {"test": paths}, shots=0, shard_rows=60, identity=IDENTITY
    )
    return model, tokenizer, rows, TokenShard.open(paths[1], {**IDENTITY, "split": "test"})


def write(prepared, folder, **options):
    model, tokenizer, rows, tokens = prepared
    arguments = {"layers": [0, 2], "max_new_tokens": 60, "batch_size": 16, "cot": "generated"}
    write_hidden_states(
        model,
        facts_of(model),
        tokenizer,
        tokens,
        rows,
        **{**arguments, **options},
        identity={**IDENTITY, "split": "test"},
        hidden_path=folder / "h.safetensors",
        generations_path=folder / "g.jsonl",
    )
    return Shards.open([folder / "h.safetensors"], IDENTITY), read_jsonl(folder / "g.jsonl")


def test_rows_keep_their_numbers_ids_lengths_and_correctness(prepared, tmp_path):
    _, tokenizer, rows, tokens = prepared
    shard, generations = write(prepared, tmp_path)
    assert shard.read("row").tolist() == list(range(60, 100))
    assert [row["row"] for row in generations] == list(range(60, 100))
    correct = shard.read("correct").bool().tolist()
    assert 5 < sum(correct) < 35
    n_problem = tokens.layout.n_problem
    for i, generation in enumerate(generations):
        example = rows[generation["row"]]
        assert generation["source"] == example["source"]
        assert generation["scratchpad"] == example["scratchpad"]
        assert correct[i] == generation["correct"] == is_correct(generation["generation"], example)
        length = int(shard.read("input_length")[i])
        ids = shard.read("input_ids")[i]
        assert (ids[length:] == -1).all()
        assert ids[:n_problem].tolist() == tokens.problem[i].tolist()
        written = tokenizer.decode(ids[n_problem:length].tolist())
        assert written.strip() == generation["generation"][: len(written.strip())]
        assert not shard.read("layer.2")[i, length:].any()


def test_states_are_rounded_to_the_stored_format_and_nothing_else_changes(prepared, tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    first, generations = write(prepared, tmp_path / "a")
    second, same = write(prepared, tmp_path / "b", stored_dtype="bfloat16")
    assert generations == same
    assert torch.equal(first.read("input_ids"), second.read("input_ids"))
    for layer in ("layer.0", "layer.2"):
        assert first.read(layer).dtype == torch.float32
        assert torch.equal(first.read(layer).bfloat16(), second.read(layer))


def test_the_batch_size_does_not_matter(prepared, tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    first, generations = write(prepared, tmp_path / "a", batch_size=1)
    second, again = write(prepared, tmp_path / "b", batch_size=100)
    assert generations == again
    assert torch.equal(first.read("input_ids"), second.read("input_ids"))
    torch.testing.assert_close(first.read("layer.2"), second.read("layer.2"), rtol=1e-4, atol=1e-3)


def test_gold_chains_are_shown_whole_and_correct_says_what_the_model_would_do(prepared, tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    free, _ = write(prepared, tmp_path / "a")
    forced, generations = write(prepared, tmp_path / "b", cot="gold")
    tokens = prepared[3]
    whole = torch.cat([tokens.problem, tokens.gold], dim=1)
    assert torch.equal(forced.read("input_ids").long(), whole)
    assert torch.equal(forced.read("correct"), free.read("correct"))
    assert all(row["generation"] == row["scratchpad"] for row in generations)


@pytest.mark.parametrize(
    ("generation", "correct"),
    [
        ("z = 4 - o , z = 0", True),
        ("z=4-o,z=0\n", True),
        ("  z = 4 - o , z = 0 \nz = 7", True),
        ("z = 4 - o , z = 1", False),
        ("z = 4 - o", False),
    ],
)
def test_spaces_and_what_follows_the_newline_are_ignored(generation, correct):
    assert is_correct(generation, {"scratchpad": "z = 4 - o , z = 0"}) == correct


def test_states_that_are_not_finite_end_the_job_and_write_nothing(prepared, tmp_path):
    model, *others = prepared
    model = copy.deepcopy(model)
    with torch.no_grad():
        model.model.layers[0].mlp.down_proj.weight[0] = torch.inf
    with pytest.raises(InputError, match=r"models\.m: .*% of the hidden states of layer 2 are not"):
        write((model, *others), tmp_path)
    assert not list(tmp_path.iterdir())

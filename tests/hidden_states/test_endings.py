"""Generations that end with an end-of-sequence token, or are right in other tokens than the gold.

The model is trained to write the chains of some problems in chosen tokens.
"""

import pytest
import torch
import yaml
from jsonschema import Draft202012Validator
from support.checkpoints import byte_level
from support.decoding import decode, tokens_of
from support.facts import facts_of
from support.repository import REPOSITORY
from transformers import LlamaConfig, LlamaForCausalLM

from think_to_talk.files.jsonl import read_jsonl, write_jsonl
from think_to_talk.files.shards import Shards
from think_to_talk.formulas.datasets import generate_splits
from think_to_talk.hidden_states.shards import write_hidden_states
from think_to_talk.models.loading import Checkpoint
from think_to_talk.probes.splits import Split
from think_to_talk.tokens.shards import TokenShard
from think_to_talk.tokens.stop_ids import newline_tokens
from think_to_talk.tokens.write_shards import write_token_shards

IDENTITY = {"model": "m", "seed": "42", "task": "level-1", "split": "test"}
#: How the model writes each row's chain of thought.
STYLES = ["gold", "end", "split", "spaceless", "wrong", "long end", "end", "split end", "gold"]
#: Greedy decoding of these writes the gold chain's text.
RIGHT = [style != "wrong" for style in STYLES]
ALIGNED = [style in ("gold", "end", "spaceless", "long end") for style in STYLES]


def in_style(tokenizer, style, gold):
    """The ids of a gold chain, written in a style."""

    def token(text):
        return tokenizer.convert_tokens_to_ids(text)

    ids = list(gold)
    comma = ids.index(token("Ġ,"))
    if "split" in style:
        ids[comma : comma + 1] = [token("Ġ"), token(",")]
    if style == "spaceless":
        ids[comma] = token(",")
    if style == "wrong":
        ids[-2] = token("Ġ3") if ids[-2] != token("Ġ3") else token("Ġ4")
    if "end" in style:
        ids[-1] = token("<longer>" if "long" in style else "<end>")
    return ids


def memorised(tokenizer, rows):
    """A small model that writes the chain of each row in the style of its place."""
    _, problem, gold, _ = tokens_of(tokenizer, rows, 0)
    torch.manual_seed(0)
    model = LlamaForCausalLM(
        LlamaConfig(
            vocab_size=len(tokenizer),
            hidden_size=64,
            intermediate_size=128,
            num_hidden_layers=2,
            num_attention_heads=2,
            bos_token_id=None,
            eos_token_id=tokenizer.convert_tokens_to_ids("<end>"),
        )
    )
    chains = [in_style(tokenizer, s, g) for s, g in zip(STYLES, gold.tolist(), strict=True)]
    width = max(map(len, chains))
    # No loss on the problem and after the end.
    padded = torch.tensor([chain + [-100] * (width - len(chain)) for chain in chains])
    ids = torch.cat([problem, padded.clamp(min=0)], dim=1)
    labels = torch.cat([torch.full_like(problem, -100), padded], dim=1)
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    for _ in range(150):
        loss = model(input_ids=ids, labels=labels).loss
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    return model.eval(), chains


@pytest.fixture(scope="module")
def prepared(tmp_path_factory, tasks):
    """Checkpoint, dataset and token shard; the chains that the model was trained to write."""
    folder = tmp_path_factory.mktemp("memorised")
    sizes = {"train": 10, "valid": 10, "test": len(STYLES), "probing_train": 10}
    rows = generate_splits(tasks["level-1"], sizes, 42)["test"]
    texts = generate_splits(tasks["level-1"], {**sizes, "test": 200}, 1)["test"]
    tokenizer = byte_level([row["source"] + row["target"] for row in [*texts, *rows]])
    # Neither is marked as special, and only a config names them.
    tokenizer.add_tokens(["<end>", "<longer>"])
    model, chains = memorised(tokenizer, rows)
    model.generation_config.eos_token_id = tokenizer.convert_tokens_to_ids(["<end>", "<longer>"])
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    write_jsonl(folder / "test.jsonl", rows)
    path = folder / "tokens.safetensors"
    write_token_shards(
        tokenizer,
        {"test": rows},
        {"test": [path]},
        shots=0,
        shard_rows=99,
        identity=IDENTITY,
        end_ids=Checkpoint(folder).end_ids(),
    )
    return folder, rows, TokenShard.open(path, IDENTITY), chains


def write(prepared, folder, cot="generated", **options):
    checkpoint, rows, tokens, _ = prepared
    model = Checkpoint(checkpoint).model()
    write_hidden_states(
        model,
        facts_of(model),
        Checkpoint(checkpoint).tokenizer(),
        tokens,
        rows,
        **{"layers": [0, 2], "max_new_tokens": 40, "batch_size": 4, **options},
        cot=cot,
        identity=IDENTITY,
        hidden_path=folder / "h.safetensors",
        generations_path=folder / "g.jsonl",
    )
    return Shards.open([folder / "h.safetensors"], IDENTITY), read_jsonl(folder / "g.jsonl")


LEFT_OUT = "g.jsonl: 2 of 8 correct generations are written in other tokens than the gold chain"


@pytest.mark.parametrize("batch_size", [2, 16])
def test_decoding_ends_where_generate_ends(prepared, batch_size):
    folder, rows, tokens, chains = prepared
    model, tokenizer = Checkpoint(folder).model(), Checkpoint(folder).tokenizer()
    ends = Checkpoint(folder).end_ids()
    generated, exact, _ = decode(
        model, tokenizer, rows, 0, batch_size=batch_size, end_ids=ends, max_new_tokens=40
    )
    assert generated == chains
    output = model.generate(
        tokens.problem,
        attention_mask=torch.ones_like(tokens.problem),
        do_sample=False,
        max_new_tokens=40,
        eos_token_id=[*newline_tokens(tokenizer), *model.generation_config.eos_token_id],
        pad_token_id=0,
    )[:, tokens.problem.shape[1] :]
    for ids, row in zip(generated, output.tolist(), strict=True):
        assert ids == row[: len(ids)]
        assert not any(row[len(ids) :])
    assert exact == [style == "gold" for style in STYLES]


def test_rows_are_correct_by_their_text_and_aligned_by_their_tokens(prepared, tmp_path):
    _, rows, tokens, chains = prepared
    with pytest.warns(UserWarning, match=LEFT_OUT):
        shard, generations = write(prepared, tmp_path)
    schema = yaml.safe_load((REPOSITORY / "schemas/generation_row.schema.yaml").read_text())
    for row, example, chain in zip(generations, rows, chains, strict=True):
        Draft202012Validator(schema).validate(row)
        assert row["ended"]
        assert row["n_tokens"] == len(chain)
        assert "<" not in row["generation"]
        assert row["scratchpad"] == example["scratchpad"]
    assert [row["correct"] for row in generations] == RIGHT
    assert [row["aligned"] for row in generations] == ALIGNED
    assert shard.read("correct").bool().tolist() == ALIGNED
    n_gold = tokens.gold.shape[1]
    n_problem = tokens.layout.n_problem
    for ids, chain in zip(shard.read("input_ids").tolist(), chains, strict=True):
        assert ids[n_problem:] == chain[:n_gold]


def test_the_state_of_each_position_is_of_the_token_that_was_written_there(prepared, tmp_path):
    folder, _, tokens, chains = prepared
    with pytest.warns(UserWarning, match=LEFT_OUT):
        shard, _ = write(prepared, tmp_path, layers=[0, 1])
    model = Checkpoint(folder).model()
    n = tokens.layout.n_positions
    assert shard.read("input_length").tolist() == [n] * len(STYLES)
    for problem, chain, stored in zip(tokens.problem, chains, shard.read("layer.1"), strict=True):
        whole = torch.tensor([[*problem.tolist(), *chain]])
        with torch.inference_mode():
            states = model(whole, output_hidden_states=True).hidden_states
        torch.testing.assert_close(stored, states[1][0, :n], rtol=1e-4, atol=1e-4)


def test_probes_of_correct_rows_keep_ends_and_leave_out_other_tokens(prepared, tmp_path):
    with pytest.warns(UserWarning, match=LEFT_OUT):
        write(prepared, tmp_path)
    split = Split.open(
        [tmp_path / "h.safetensors"],
        prepared[0] / "test.jsonl",
        IDENTITY,
        only_correct=True,
        labels="answers",
    )
    assert split.rows.tolist() == [i for i, aligned in enumerate(ALIGNED) if aligned]


def test_a_given_gold_chain_is_correct_if_the_model_would_end_it_in_its_own_way(
    prepared, tmp_path, recwarn
):
    shard, generations = write(prepared, tmp_path, cot="gold")
    would = [style in ("gold", "end", "long end") for style in STYLES]
    assert [row["correct"] for row in generations] == would
    assert [row["aligned"] for row in generations] == would
    assert shard.read("correct").bool().tolist() == would
    tokens = prepared[2]
    whole = torch.cat([tokens.problem, tokens.gold], dim=1)
    assert torch.equal(shard.read("input_ids").long(), whole)
    assert not [warning for warning in recwarn if "other tokens" in str(warning.message)]


def test_a_generation_that_was_cut_before_its_end_is_aligned_as_far_as_it_goes(prepared, tmp_path):
    n_gold = prepared[2].gold.shape[1]
    _, generations = write(prepared, tmp_path, max_new_tokens=n_gold - 1)
    rows = [row for row, style in zip(generations, STYLES, strict=True) if style == "gold"]
    assert all(row["correct"] and row["aligned"] and not row["ended"] for row in rows)

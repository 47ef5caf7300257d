"""The logit lens on numbers of several tokens: their first ones, as the model itself would say."""

import pytest
import torch
import yaml
from jsonschema import Draft202012Validator
from support.checkpoints import smollm2_checkpoint
from support.repository import REPOSITORY
from support.templates import template
from transformers import LlamaConfig, LlamaForCausalLM

from think_to_talk.files.jsonl import write_jsonl
from think_to_talk.formulas.datasets import generate_splits
from think_to_talk.hidden_states.pass_check import check_passes
from think_to_talk.hidden_states.shards import write_hidden_states
from think_to_talk.logit_lens.reading import lens_rows
from think_to_talk.models.loading import Checkpoint
from think_to_talk.tokens.shards import TokenShard
from think_to_talk.tokens.symbol_tokenizer import symbol_tokenizer
from think_to_talk.tokens.write_shards import write_token_shards

IDENTITY = {"model": "m", "seed": "1", "task": "t", "split": "test"}


def random_llama():
    tokenizer = symbol_tokenizer((), 30)
    sizes = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2}
    config = LlamaConfig(
        **sizes, num_attention_heads=2, vocab_size=len(tokenizer), bos_token_id=None
    )
    config.initializer_range = 0.2
    torch.manual_seed(0)
    return LlamaForCausalLM(config).eval(), tokenizer


def smollm2():
    checkpoint = Checkpoint(smollm2_checkpoint())
    return checkpoint.model(), checkpoint.tokenizer()


@pytest.mark.parametrize(
    ("make", "values", "n_rows", "last"),
    [
        (random_llama, [0, 30], 60, 2),
        (random_llama, [10, 30], 60, 2),
        (smollm2, [0, 30], 6, 30),
    ],
    ids=["symbols", "tokens", "SmolLM2"],
)
def test_the_last_layer_reads_the_first_digit_that_the_model_itself_would_say(
    tmp_path, make, values, n_rows, last
):
    model, tokenizer = make()
    task = template(["v0 = num", "v1 = num ± v0"], values=values)
    sizes = {"train": 4, "valid": 1, "test": n_rows, "probing_train": 1}
    rows = generate_splits(task, sizes, 1)["test"]
    tokens, hidden, dataset = (tmp_path / name for name in ("t.st", "h.st", "rows.jsonl"))
    write_jsonl(dataset, rows)
    about = {key: IDENTITY[key] for key in ("model", "seed", "task")}
    write_token_shards(
        tokenizer, {"test": rows}, {"test": [tokens]}, shots=1, shard_rows=n_rows, identity=about
    )
    shard = TokenShard.open(tokens, IDENTITY)
    facts, _, _ = check_passes(model)
    write_hidden_states(
        model,
        facts,
        tokenizer,
        shard,
        rows,
        layers=[last],
        max_new_tokens=40,
        batch_size=20,
        cot="gold",
        identity=IDENTITY,
        hidden_path=hidden,
        generations_path=tmp_path / "generations.jsonl",
    )
    given = [hidden], [tokens], dataset
    read = lens_rows(
        *(model, facts, tokenizer, *given),
        **{"batch_size": 32, "n_classes": values[1] + 1, "identity": {**about, "seed": 1}},
    )
    layout, ragged = shard.layout, shard.ragged
    assert (ragged is not None) == (values[0] == 0)
    numbers = [value for row in rows for value in row["intermediate_answers"]]
    known = {int(s) for row in rows for s in row["target"].split() if s.isdigit()}
    assert max(map(len, map(str, numbers))) == 2
    # {first digit: the smallest number of the chains that begins with it}.
    smallest = {str(n)[0]: n for n in sorted(known, reverse=True)}
    digits = sorted(smallest, key=smallest.get)
    ids = torch.tensor([tokenizer.convert_tokens_to_ids(digit) for digit in digits])
    validator = Draft202012Validator(
        yaml.safe_load((REPOSITORY / "schemas/logit_lens_row.schema.yaml").read_text())
    )
    agree = total = 0
    masses = torch.zeros(layout.n_positions, n_rows)
    for number in range(n_rows):
        n_problem, n_gold = layout.n_problem, shard.gold.shape[1]
        places = list(range(layout.n_positions))
        if ragged is not None:
            n_problem, n_gold = int(ragged.problem_length[number]), int(ragged.gold_length[number])
            places = ragged.symbol_token[number].tolist()
        whole = [*shard.prefix, *shard.problem[number, :n_problem].tolist()]
        whole += shard.gold[number, :n_gold].tolist()
        with torch.inference_mode():
            logits = model(torch.tensor([whole])).logits[0, len(shard.prefix) :].float()
        masses[:, number] = logits.softmax(dim=-1)[places][:, ids].sum(dim=-1)
        said = [smallest[digits[i]] for i in logits[places][:, ids].argmax(dim=-1).tolist()]
        for row in read:
            agree += row["predictions"][number] == said[row["position"]]
            total += 1
    # Rounding may decide between two that are as likely.
    assert agree > 0.99 * total
    for row in read:
        validator.validate(row)
        values_of = [r["intermediate_answers"][row["variable"]] for r in rows]
        assert row["answer"] == [smallest[str(value)[0]] for value in values_of]
        assert row["chance"] == max(map(row["answer"].count, row["answer"])) / n_rows
        assert row["reads"] == "first token"
        mass = float(masses[row["position"]].mean())
        assert row["digit_mass"] == pytest.approx(mass, rel=2e-3, abs=1e-4)

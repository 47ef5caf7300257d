"""Probes on patched runs whose positions are symbols, or whose numbers have two tokens."""

import pytest
import torch
from support.architectures import random_model
from support.facts import facts_of
from support.patched_probes import plain_states, random_probes, read_one
from support.templates import template
from support.whole_numbers import SIZES, VALUES, Run, alike, pairs_of
from transformers import LlamaConfig

from think_to_talk.formulas.datasets import generate_splits
from think_to_talk.hidden_states.passes import Passes
from think_to_talk.interventions.specs import directed
from think_to_talk.interventions.tokenized_pairs import RUNS, PairAxis
from think_to_talk.patched_probes.runs import PatchedReader
from think_to_talk.tokens.prompts import tokenize
from think_to_talk.tokens.ragged import TaskLayout
from think_to_talk.tokens.symbol_tokenizer import symbol_tokenizer

PROBED = (0, 2)


@pytest.mark.parametrize(
    ("values", "chosen"), [("ragged", list), ("alike", list), ("ragged", alike)]
)
@torch.inference_mode()
def test_readings_are_those_of_each_pair_s_own_tokens(values, chosen):
    """Also where the pairs of a task whose positions are symbols happen to tokenize alike."""
    tokenizer = symbol_tokenizer((), 99)
    task = template(["v0 = num", "v1 = num ± v0"], values=VALUES[values], shots=1)
    pairs = chosen(pairs_of(task, ["v1.1"], 40 if chosen is alike else 8))
    rows = generate_splits(task, {**SIZES, "test": 40}, 1)["test"]
    positions = TaskLayout.of(tokenizer, rows, list(tokenize(tokenizer, rows, "all"))).positions
    sizes = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
    model = random_model(LlamaConfig(vocab_size=len(tokenizer), intermediate_size=64, **sizes))
    axis = PairAxis.of(tokenizer, [pairs], "all", positions=positions)
    own = PairAxis.of(tokenizer, [pairs], "all").positions
    assert (own == positions) == (chosen is list)
    specs = directed(axis.layout, 2, axis.number_tokens)
    specs = [spec for spec in specs if spec.positions]
    probes = random_probes(axis.layout, PROBED, 32)
    by_symbol, n_read = values == "ragged", 0
    assert axis.positions.are_symbols == by_symbol
    for group in axis.groups(pairs):
        passes = Passes(model, facts_of(model), group.prefix, 3)
        batches = PatchedReader(passes, probes).readings(group, specs)
        place = 0
        for batch in batches:
            for column in range(len(batch.solved)):
                pair = pairs[group.kept[place]]
                place += 1
                check(model, tokenizer, pair, probes, specs, batch, column, by_symbol)
                n_read += 1
    assert 1 < n_read <= len(pairs)
    assert (n_read < len(pairs)) == (by_symbol and chosen is list)


def check(model, tokenizer, pair, probes, specs, batch, column, by_symbol):
    """Compare what is read of a pair with plain passes over its own tokens."""
    runs = {
        name: Run(tokenizer, pair, prefix, by_symbol)
        for name, prefix in zip(RUNS, ("base_", ""), strict=True)
    }
    states = {name: plain_states(model, torch.tensor(run.ids))[0] for name, run in runs.items()}

    def read(run, states):
        last = [run.tokens(position)[-1] for position in range(len(probes.places))]
        return torch.tensor(
            [[read_one(probes, at, p, states[at][t]) for p, t in enumerate(last)] for at in PROBED]
        )

    for name, run in runs.items():
        assert torch.equal(batch.unpatched[name][..., column].long(), read(run, states[name]))
    for spec, patched in zip(specs, batch.patched, strict=True):
        run = runs[spec.target]
        places = [token for position in spec.positions for token in run.tokens(position)]
        put = {layer: states[spec.source][layer] for layer in spec.layers}
        found, _ = plain_states(model, torch.tensor(run.ids), put, places)
        expected = read(run, found)[:, min(spec.positions) :]
        assert torch.equal(patched[..., column].long(), expected), spec.name

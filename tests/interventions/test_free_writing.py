"""Free writing after patches of the problem, against plain decoding of one pair at a time."""

from dataclasses import replace

import pytest
import torch
import yaml
from jsonschema import Draft202012Validator
from support.architectures import FAMILIES, random_model
from support.checkpoints import byte_level
from support.facts import SLOWER_WAYS, facts_of, slower
from support.patching import plain_states, replaced, tokenized
from support.repository import REPOSITORY

from think_to_talk.errors import InputError
from think_to_talk.formulas.counterfactuals import draw_pairs
from think_to_talk.formulas.datasets import generate_splits
from think_to_talk.formulas.edits import Edit
from think_to_talk.formulas.templates import Template
from think_to_talk.hidden_states.free_writing import FreeWriter
from think_to_talk.hidden_states.passes import Passes
from think_to_talk.interventions.free_writing import FreePatcher, free_writing_rows
from think_to_talk.interventions.specs import SpecSettings, of_the_problem
from think_to_talk.interventions.tokenized_pairs import RUNS

SIZES = {"train": 5, "valid": 1, "test": 300, "probing_train": 1}
IDENTITY = {"model": "m", "seed": 3, "task": "t"}
SHOTS, N_PAIRS = 2, 3
#: Layers from 2 on at the end of the operand's equation, as the published code's interventions.
OWN = {"upper": {"source": "base", "layers": "from 2", "span": {"equations": [-2, -2]}}}
OWN["back"] = {"source": "edited", "layers": [0, 3], "span": {"equations": [-3, -1]}}
SETTINGS = SpecSettings(window=2, stride=2, specs=OWN)


@pytest.fixture(scope="module")
def rows(tasks):
    return [row for split in generate_splits(tasks["level-1"], SIZES, 3).values() for row in split]


@pytest.fixture(scope="module")
def tokenizer(rows):
    return byte_level([row["source"] + row["target"] for row in rows])


def pairs_of(tasks, rows, places=("v0.1", "v1.1")):
    edit = Edit.from_config(list(places), Template.from_config(tasks["level-1"]))
    return list(draw_pairs(edit, N_PAIRS, 3, rows))


@pytest.fixture(scope="module")
def tokens(tasks, rows, tokenizer):
    return tokenized(tokenizer, pairs_of(tasks, rows), SHOTS)


def specs_of(tokens, n_layers=3):
    return of_the_problem(SETTINGS.all_specs(tokens.layout, n_layers), tokens.layout)


@torch.inference_mode()
def following(model, tokens, spec, pair, written, run="edited"):
    """What a model writes behind each id of a chain in one run of a pair: one pass without a cache.

    A chain is that of greedy decoding if it is what follows.
    """
    prefix, n_problem = list(tokens.prefix), tokens.layout.n_problem
    assert len(written) == tokens.layout.n_positions - n_problem
    problems = {run: [*prefix, *ids[pair, :n_problem].tolist()] for run, ids in tokens.runs.items()}
    states, layers, places = [], (), []
    if spec is not None:
        states = plain_states(model, torch.tensor([problems[spec.source]]))
        layers, places, run = spec.layers, [len(prefix) + p for p in spec.positions], spec.target
    with replaced(model, states, layers, places):
        logits = model(torch.tensor([problems[run] + written]), use_cache=False).logits
    return logits[0, len(problems[run]) - 1 : -1].argmax(-1).tolist()


def written(model, tokens, specs, facts=None, batch_size=64):
    passes = Passes(model, facts or facts_of(model), tokens.prefix, batch_size)
    return FreePatcher(FreeWriter(passes, frozenset()), tokens).written([0, 1, 2], specs)


def test_the_specs_are_those_that_patch_nothing_but_the_problem(tokens):
    names = [spec.name for spec in specs_of(tokens)]
    windows = ("layers 0 to 1", "layers 2 to 3")
    grid = [f"equation {e}, {window}" for e in (-3, -2, -1) for window in windows]
    assert names == [*grid, "problem", "upper", "back"]


@pytest.mark.parametrize("config", FAMILIES, ids=lambda config: config.model_type)
def test_chains_are_those_of_plain_decoding(config, tokens):
    model, specs = random_model(config), specs_of(tokens)
    found = written(model, tokens, specs)
    for pair in range(N_PAIRS):
        for run in RUNS:
            chain = found[run][pair]
            assert chain == following(model, tokens, None, pair, chain, run)
        for spec in specs:
            chain = found[spec][pair]
            assert chain == following(model, tokens, spec, pair, chain), spec.name
    # The patches do something, and not the same; one random model repeats one token all the same.
    least = 1 if "gemma" in config.model_type else 5
    assert len({str(chains) for chains in found.values()}) >= least


@pytest.mark.parametrize("without", SLOWER_WAYS, ids="-".join)
def test_the_slower_ways_and_smaller_batches_write_the_same(tokens, without):
    model, specs = random_model(FAMILIES[0]), specs_of(tokens)
    quick = written(model, tokens, specs)
    assert written(model, tokens, specs, slower(facts_of(model), without), batch_size=2) == quick


def test_with_its_whole_problem_patched_a_run_is_the_other_run(tokens):
    model = random_model(FAMILIES[0])
    [problem] = [spec for spec in specs_of(tokens) if spec.name == "problem"]
    found = written(model, tokens, [problem])
    assert found[problem] == found["base"] != found["edited"]


def test_a_run_s_own_states_change_nothing(tokens):
    model = random_model(FAMILIES[0])
    same = replace(tokens, runs=dict.fromkeys(RUNS, tokens.runs["edited"]))
    found = written(model, same, specs_of(tokens))
    assert all(chains == found["edited"] for chains in found.values())


def found_rows(model, tokenizer, edits, settings=SETTINGS):
    return list(
        free_writing_rows(
            model,
            facts_of(model),
            tokenizer,
            edits,
            settings,
            shots=SHOTS,
            batch_size=2,
            identity=IDENTITY,
        )
    )


def test_rows_fit_their_schema_and_say_what_is_written(tasks, rows, tokenizer, tokens):
    schema = yaml.safe_load((REPOSITORY / "schemas/free_writing_row.schema.yaml").read_text())
    model = random_model(FAMILIES[0])
    found = found_rows(model, tokenizer, {"random": pairs_of(tasks, rows)})
    specs = specs_of(tokens)
    assert [(row["spec"], row["rows"]) for row in found] == [
        (spec.name, which) for spec in specs for which in ("solved", "all")
    ]
    for row in found:
        Draft202012Validator(schema).validate(row)
        # A random model solves no problem, and writes no chain.
        assert row["n"] == (0 if row["rows"] == "solved" else N_PAIRS)
        assert (row["success"], row["other"]) == ((None, None) if not row["n"] else (0, 1))
    equations = {row["spec"]: row["equation"] for row in found}
    assert equations["upper"] == -2
    assert equations["problem"] is equations["back"] is None


class Copying:
    """In place of what a model writes: for each spec, the chains of one run or another."""

    def __init__(self, tokens, followed):
        self.tokens, self.followed = tokens, followed

    def written(self, pairs, specs):
        chains = {run: ids[pairs].tolist() for run, ids in self.tokens.chains.items()}
        return {**chains, **{spec: chains[self.followed(spec)] for spec in specs}}


def test_success_is_the_whole_chain_of_the_source(tasks, rows, tokenizer, tokens, monkeypatch):
    copying = Copying(tokens, lambda spec: "base" if spec.kind == "sliding" else "edited")
    monkeypatch.setattr(FreePatcher, "written", copying.written)
    for row in found_rows(random_model(FAMILIES[0]), tokenizer, {"e": pairs_of(tasks, rows)}):
        follows_base = row["kind"] == "sliding"
        of_source = follows_base == (row["source"] == "base")
        assert row["n"] == N_PAIRS
        assert (row["success"], row["unchanged"], row["other"]) == (of_source, not of_source, 0)
        assert row["answer"] == of_source


def test_an_edit_after_which_no_chain_differs_has_no_rows(tasks, rows, tokenizer):
    pairs = [{**pair, "target": pair["base_target"]} for pair in pairs_of(tasks, rows)]
    assert found_rows(random_model(FAMILIES[0]), tokenizer, {"none": pairs}) == []


def test_layers_from_one_on_that_a_model_does_not_have_are_refused(tokens):
    own = {"upper": {"source": "base", "layers": "from 12", "span": {"equations": [-1, -1]}}}
    message = r"interventions\.specs\.upper\.layers: \[12\] do not exist; the model has layers 0 to"
    with pytest.raises(InputError, match=message):
        SpecSettings(1, 1, own).all_specs(tokens.layout, 3)

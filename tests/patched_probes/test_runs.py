"""Probes on patched runs, against plain passes of one pair and one spec at a time."""

import warnings

import pytest
import torch
from support.architectures import FAMILIES, random_model
from support.facts import SLOWER_WAYS, facts_of, slower
from support.patched_probes import plain_states, random_probes, read_one

from think_to_talk.hidden_states.passes import Passes
from think_to_talk.interventions.specs import Spec, directed
from think_to_talk.interventions.tokenized_pairs import RUNS
from think_to_talk.patched_probes.runs import PatchedReader, Readings

N_LAYERS = 3
#: Not all: what probes read does not depend on what is patched.
PROBED = (0, 1, 3)
LAST_STATES = {"llama": "model.norm", "gpt2": "transformer.ln_f"}


def specs_of(tokens):
    n = tokens.layout.n_positions
    return [
        *directed(tokens.layout, N_LAYERS),
        Spec("scattered", "own", "edited", (0, 3), (2, 5, 11), (0,)),
        Spec("between probed layers", "own", "base", (2,), (4, 5), (0,)),
        Spec("the last", "own", "edited", (1,), (n - 1,), (0,)),
    ]


def readings(model, tokens, probes, specs, batch_size=4, facts=None, last_layer="before_norm"):
    passes = Passes(model, facts or facts_of(model), tokens.prefix, batch_size, last_layer)
    batches = PatchedReader(passes, probes).readings(tokens, specs)
    return Readings.joined(batches)


def whole(tokens, run, pair):
    return torch.cat([torch.tensor(tokens.prefix), tokens.runs[run][pair]])


def read_all(probes, states, shift):
    """What probes read [layers, positions, variables] of states of one row."""
    positions = range(len(probes.places))
    return torch.tensor(
        [[read_one(probes, la, p, states[la][shift + p]) for p in positions] for la in PROBED]
    )


@torch.inference_mode()
def check(model, tokens, probes, specs, found, last_state=None):
    """Compare readings with those of plain passes, one after the other."""
    shift, gold = len(tokens.prefix), tokens.chains
    changed = 0

    def read(states):
        if last_state is not None:
            states = {**states, N_LAYERS: last_state(states[N_LAYERS])}
        return read_all(probes, states, shift)

    for pair in range(len(tokens.runs["base"])):
        unpatched, states, solved = {}, {}, True
        for run in RUNS:
            states[run], logits = plain_states(model, whole(tokens, run, pair))
            unpatched[run] = read(states[run])
            assert torch.equal(found.unpatched[run][..., pair].long(), unpatched[run])
            said = logits[shift + tokens.layout.n_problem - 1 : -1].argmax(dim=-1)
            solved &= torch.equal(said, gold[run][pair])
        assert bool(found.solved[pair]) == solved
        for spec, patched in zip(specs, found.patched, strict=True):
            put = {layer: states[spec.source][layer] for layer in spec.layers}
            places = [shift + position for position in spec.positions]
            run = whole(tokens, spec.target, pair)
            expected = read(plain_states(model, run, put, places)[0])
            first = min(spec.positions)
            assert torch.equal(patched[..., pair].long(), expected[:, first:]), spec.name
            # What a causal model reads before is as it was.
            assert torch.equal(expected[:, :first], unpatched[spec.target][:, :first])
            changed += not torch.equal(expected, unpatched[spec.target])
    assert changed > len(specs), "the specs should matter"


@pytest.mark.parametrize("config", FAMILIES, ids=lambda config: config.model_type)
def test_they_are_those_of_one_pair_and_one_spec_at_a_time(config, tokens):
    model = random_model(config)
    probes = random_probes(tokens.layout, PROBED, 32)
    specs = specs_of(tokens)
    check(model, tokens, probes, specs, readings(model, tokens, probes, specs))


@pytest.mark.parametrize("config", [FAMILIES[0], FAMILIES[3]], ids=lambda config: config.model_type)
def test_the_last_layer_is_read_as_the_probes_read_it(config, tokens):
    model = random_model(config)
    probes = random_probes(tokens.layout, PROBED, 32)
    specs = specs_of(tokens)
    facts = facts_of(model)
    name = LAST_STATES[config.model_type]
    facts = type(facts)(**{**vars(facts), "last_state": name})
    found = readings(model, tokens, probes, specs, facts=facts, last_layer="after_norm")
    check(model, tokens, probes, specs, found, model.get_submodule(name))


@pytest.mark.parametrize("without", SLOWER_WAYS)
def test_a_slower_way_reads_the_same(without, tokens):
    model = random_model(FAMILIES[0])
    probes = random_probes(tokens.layout, PROBED, 32)
    specs = specs_of(tokens)
    facts = slower(facts_of(model), without)
    same(
        readings(model, tokens, probes, specs),
        readings(model, tokens, probes, specs, facts=facts),
    )


def same(one, other):
    assert torch.equal(one.solved, other.solved)
    for run in RUNS:
        assert torch.equal(one.unpatched[run], other.unpatched[run])
    for a, b in zip(one.patched, other.patched, strict=True):
        assert torch.equal(a, b)


@pytest.mark.parametrize("batch_size", [1, 64])
def test_the_batch_size_changes_nothing(batch_size, tokens):
    model = random_model(FAMILIES[0])
    probes = random_probes(tokens.layout, PROBED, 32)
    specs = specs_of(tokens)
    same(
        readings(model, tokens, probes, specs),
        readings(model, tokens, probes, specs, batch_size),
    )


def test_a_batch_that_runs_out_of_memory_is_halved(tokens, monkeypatch):
    """A batch of more than two pairs does not fit, in the middle of its patched passes."""
    model = random_model(FAMILIES[0])
    probes = random_probes(tokens.layout, PROBED, 32)
    specs = specs_of(tokens)
    wanted = readings(model, tokens, probes, specs)
    whole_pass = PatchedReader._patched_pass

    def small_only(self, source, ids, *rest):
        if len(ids) > 2:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return whole_pass(self, source, ids, *rest)

    monkeypatch.setattr(PatchedReader, "_patched_pass", small_only)
    with pytest.warns(UserWarning, match="out of memory with a batch of [63] rows") as warned:
        found = readings(model, tokens, probes, specs, batch_size=6)
    same(wanted, found)
    assert len(warned) == 2


@pytest.mark.parametrize("source", RUNS)
@pytest.mark.parametrize("layers", [(0,), (0, 1, 2, 3)])
def test_with_all_inputs_replaced_everything_reads_as_the_source(source, layers, tokens):
    model = random_model(FAMILIES[0])
    probes = random_probes(tokens.layout, PROBED, 32)
    everything = tuple(range(tokens.layout.n_positions))
    spec = Spec("everything", "own", source, layers, everything, (0,))
    found = readings(model, tokens, probes, [spec])
    assert torch.equal(found.patched[0], found.unpatched[source])
    assert not torch.equal(found.patched[0], found.unpatched[spec.target])


def test_a_model_is_as_it_was_afterwards(tokens):
    model = random_model(FAMILIES[0])
    before = plain_states(model, whole(tokens, "base", 0))[1]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        readings(model, tokens, random_probes(tokens.layout, PROBED, 32), specs_of(tokens))
    assert torch.equal(plain_states(model, whole(tokens, "base", 0))[1], before)
    for module in model.modules():
        assert not module._forward_hooks
        assert not module._forward_pre_hooks

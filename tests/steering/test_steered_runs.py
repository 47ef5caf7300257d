"""Steered runs, against plain greedy decoding with one hook, in whole passes without a cache.

Ids are those of greedy decoding if each is what the model writes behind those before it.
"""

import operator

import pytest
import torch
from support.architectures import FAMILIES, random_model, tiny_model
from support.checkpoints import byte_level
from support.facts import SLOWER_WAYS, facts_of, slower
from support.patching import changing

from think_to_talk.formulas.datasets import generate_splits
from think_to_talk.hidden_states.pass_check import check_passes
from think_to_talk.hidden_states.passes import Passes
from think_to_talk.steering.directions import Probe
from think_to_talk.steering.places import Place
from think_to_talk.steering.steered_runs import Steerer
from think_to_talk.steering.targets import Targets
from think_to_talk.steering.task_tokens import RowTokens
from think_to_talk.tokens.prompts import align, tokenize
from think_to_talk.tokens.symbol_tokenizer import symbol_tokenizer

SIZES = {"train": 4, "valid": 1, "test": 3, "probing_train": 200}
N_LAYERS, WIDTH, SHOTS = 3, 32, 2
IDENTITY = {"model": "m", "seed": 3, "task": "t"}


@pytest.fixture(scope="module")
def rows(tasks):
    return generate_splits(tasks["level-1"], SIZES, 3)["test"]


@pytest.fixture(scope="module")
def tokenizer(rows):
    return byte_level([row["few_shot_context"] + row["source"] + row["target"] for row in rows])


class Problems:
    """Tokenized rows. Their chains are what the model itself writes, and steering may change."""

    def __init__(self, model, tokenizer, rows, shots=SHOTS):
        tokenized = list(tokenize(tokenizer, rows, shots))
        layout = align(tokenizer, rows, tokenized)
        self.prefix, self.n_problem = tokenized[0].prefix, layout.n_problem
        problem = torch.tensor([row.problem for row in tokenized])
        self.n_positions = layout.n_positions
        written = torch.tensor(self.plain(model, problem, self.n_problem))
        self.ids = torch.cat([problem, written], dim=1)
        positions = range(self.n_positions)
        self.tokens = [RowTokens(row, self.n_problem, positions) for row in self.ids]

    def given(self, place):
        """Tokens that a run is given."""
        return max(place.position + 1, self.n_problem)

    @torch.inference_mode()
    def following(self, model, ids):
        """[rows, n] what a model writes behind each of the ids [rows, n] of rows."""
        prefix = torch.tensor(self.prefix, dtype=torch.long).expand(len(ids), -1)
        logits = model(torch.cat([prefix, ids], dim=1), use_cache=False).logits
        return logits[:, len(self.prefix) :].argmax(-1)

    def plain(self, model, ids, given):
        """What a model writes behind the first `given` ids of each row, one after the other."""
        known = ids[:, :given]
        while known.shape[1] < self.n_positions:
            known = torch.cat([known, self.following(model, known)[:, -1:]], dim=1)
        return known[:, given:].tolist()


def until(stops, ids):
    """The ids up to the first stop, with it."""
    end = next((i for i, token in enumerate(ids) if token in stops), len(ids))
    return ids[: end + 1]


def replacing(model, place, shift, states):
    """While it lasts, the hidden states of one place are others."""

    def put(_layer, hidden):
        hidden = hidden.clone()
        hidden[:, shift + place.position] = states
        return hidden

    return changing(model, [place.layer], put)


@torch.inference_mode()
def own_states(model, problems, place):
    """[rows, hidden] the hidden states of plain passes at a place below the last layer."""
    prefix = torch.tensor(problems.prefix).expand(len(problems.ids), -1)
    ids = torch.cat([prefix, problems.ids], dim=1)
    states = model(ids, output_hidden_states=True).hidden_states[place.layer]
    return states[:, len(problems.prefix) + place.position]


def places_of(problems):
    """Two variables; in the problem, at its end and in the chain; two at one position."""
    n = problems.n_problem
    chosen = [
        *((0, 0, n - 4), (0, 1, n - 4), (1, 2, n - 2), (0, 1, n - 1), (1, 0, n + 3)),
        *((0, 2, n + 3), (1, 1, n + 9)),
    ]
    number = problems.n_positions - 2
    return [Place(v, layer, position, number, 1.0, None) for v, layer, position in chosen]


def targets_of(places, rows):
    """Random probes, and chains for all values."""
    generator = torch.Generator().manual_seed(5)
    probes = {
        place: Probe(
            torch.randn(10, WIDTH, generator=generator), torch.randn(10, generator=generator)
        )
        for place in places
    }
    chains = {v: {row: dict.fromkeys(range(10), "") for row in range(len(rows))} for v in (0, 1)}
    return probes, Targets(probes, chains, [1, 3], 1, IDENTITY)


def steered(model, problems, rows, facts, places, stops=(), batch_size=4):
    passes = Passes(model, facts, problems.prefix, batch_size)
    steerer = Steerer(passes, problems.tokens, frozenset(stops))
    _, targets = targets_of(places, rows)
    runs = {place: [] for place in places}
    n = 0
    for n_rows, found in steerer.runs(list(range(len(rows))), places, targets.steer):
        n += n_rows
        for place, of_place in found:
            runs[place] += of_place
    assert n == len(rows)
    return runs


def check(model, problems, rows, facts, stops=(), batch_size=4, places=None):
    """Compare all runs with plain ones; returns how many there are, and how many are unchanged."""
    places = places or places_of(problems)
    runs = steered(model, problems, rows, facts, places, stops, batch_size)
    n, unchanged = 0, 0
    for place, of_place in runs.items():
        given = problems.given(place)
        written = [run.written for run in of_place]
        own = problems.ids[[run.row for run in of_place]]
        ids = own.clone()
        for row, of_run in zip(ids, written, strict=True):
            row[given : given + len(of_run)] = torch.tensor(of_run)
        states = torch.stack([run.state for run in of_place])
        with replacing(model, place, len(problems.prefix), states):
            following = problems.following(model, ids)[:, given - 1 : -1].tolist()
        assert written == [until(stops, row) for row in following], place
        n += len(of_place)
        unchanged += sum(map(operator.eq, written, own[:, given:].tolist()))
    return n, unchanged


@pytest.mark.parametrize("config", FAMILIES, ids=lambda config: config.model_type)
def test_a_run_writes_what_plain_decoding_with_one_hook_writes(config, tokenizer, rows):
    model = random_model(config)
    problems = Problems(model, tokenizer, rows)
    n, unchanged = check(model, problems, rows, facts_of(model))
    assert n > 50
    assert 0 < unchanged < n, "steering should change some chains, and leave others"


@pytest.mark.parametrize("config", [FAMILIES[0], FAMILIES[3]], ids=lambda c: c.model_type)
def test_the_moved_states_are_the_runs_own_and_a_step(config, tokenizer, rows):
    """Of the plain model's states: to the target along the weights, or at random and as far."""
    model = random_model(config)
    problems = Problems(model, tokenizer, rows)
    places = places_of(problems)
    runs = steered(model, problems, rows, facts_of(model), places)
    probes, _ = targets_of(places, rows)
    for place, of_place in runs.items():
        own, probe = own_states(model, problems, place), probes[place]
        weight, bias = probe.weight.double(), probe.bias.double()
        kinds = {(run.factor, run.kind) for run in of_place}
        assert {(1, "probe"), (1, "random")} <= kinds
        for run in of_place:
            before = weight @ own[run.row] + bias
            after = weight @ run.state + bias
            step = run.state - own[run.row]
            assert run.predicted == before.argmax() != run.target
            assert step.norm().item() == pytest.approx(run.length, rel=1e-9)
            assert run.share == pytest.approx(run.length / own[run.row].norm().item())
            if run.kind == "random":
                torch.testing.assert_close(after, before, rtol=0, atol=1e-8)
                continue
            assert after.argmax() == run.target
            less = weight @ (own[run.row] + 0.99 / run.factor * step) + bias
            assert less.argmax() != run.target
            along = weight[run.target] - weight[run.predicted]
            assert torch.nn.functional.cosine_similarity(step, along, 0).item() > 1 - 1e-9


@pytest.mark.parametrize("without", SLOWER_WAYS, ids="-".join)
@pytest.mark.parametrize("shots", [0, SHOTS])
def test_the_slower_ways_give_the_same(tokenizer, rows, without, shots):
    model = random_model(FAMILIES[0])
    problems = Problems(model, tokenizer, rows, shots)
    check(model, problems, rows, slower(facts_of(model), without))


@pytest.mark.parametrize("model_type", ["mamba", "lfm2", "gemma3_text"])
def test_a_model_whose_cache_is_no_list_of_tokens_is_steered_in_a_slower_way(model_type, rows):
    """Sliding windows of eight tokens, convolutions, states."""
    model = tiny_model(model_type)
    problems = Problems(model, symbol_tokenizer(), rows[:2], 1)
    places = places_of(problems)[1::3]
    check(model, problems, rows[:2], check_passes(model)[0], places=places)


@pytest.mark.parametrize("batch_size", [1, 5, 64])
def test_the_batch_size_changes_nothing(tokenizer, rows, batch_size):
    model = random_model(FAMILIES[0])
    problems = Problems(model, tokenizer, rows)
    check(model, problems, rows, facts_of(model), batch_size=batch_size)


def test_a_stop_ends_a_run(tokenizer, rows):
    model = random_model(FAMILIES[3])
    problems = Problems(model, tokenizer, rows)
    # What only steered runs write: a gold chain has no stop before its end.
    runs = steered(model, problems, rows, facts_of(model), places_of(problems))
    every = [run.written for of_place in runs.values() for run in of_place]
    stops = set().union(*every) - set(problems.ids.unique().tolist())
    assert any(stops.isdisjoint(written) for written in every)
    check(model, problems, rows, facts_of(model), stops)


def test_a_state_that_no_later_position_reads_changes_nothing(tokenizer, rows):
    """Of the last layer, where the next token is given or not yet read."""
    model = random_model(FAMILIES[0])
    problems = Problems(model, tokenizer, rows)
    places = [
        Place(0, N_LAYERS, position, problems.n_positions - 2, 1.0, None)
        for position in (problems.n_problem - 5, problems.n_problem - 2)
    ]
    runs = steered(model, problems, rows, facts_of(model), places)
    for place, of_place in runs.items():
        assert of_place
        for run in of_place:
            assert run.written == problems.ids[run.row, problems.given(place) :].tolist()


def test_the_last_layer_changes_the_next_token_alone(tokenizer, rows):
    """What follows is what the model writes behind that token, by itself."""
    model = random_model(FAMILIES[0])
    problems = Problems(model, tokenizer, rows)
    place = Place(0, N_LAYERS, problems.n_problem + 3, problems.n_positions - 2, 1.0, None)
    runs = steered(model, problems, rows, facts_of(model), [place])
    given = problems.given(place)
    changed = 0
    for run in runs[place]:
        ids = problems.ids[[run.row]]
        changed += run.written[0] != ids[0, given]
        ids[0, given] = run.written[0]
        assert [run.written[1:]] == problems.plain(model, ids, given + 1)
    assert changed


def test_a_model_is_as_it_was_after_steering(tokenizer, rows):
    model = random_model(FAMILIES[0])
    problems = Problems(model, tokenizer, rows)
    steered(model, problems, rows, facts_of(model), places_of(problems))
    for module in model.modules():
        assert not module._forward_hooks
        assert not module._forward_pre_hooks
    again = problems.plain(model, problems.ids, problems.n_problem)
    assert again == problems.ids[:, problems.n_problem :].tolist()

"""Activation patching: nothing, everything, and each spec by itself, on any architecture."""

import itertools
from dataclasses import replace

import pytest
import torch
from accelerate import dispatch_model
from support.architectures import FAMILIES, random_model
from support.checkpoints import byte_level
from support.facts import SLOWER_WAYS, decoder_blocks, facts_of, slower
from support.patching import plain_states, replaced, tokenized

from think_to_talk.errors import InputError
from think_to_talk.formulas.counterfactuals import draw_pairs
from think_to_talk.formulas.datasets import generate_splits
from think_to_talk.formulas.edits import Edit
from think_to_talk.formulas.templates import Template
from think_to_talk.hidden_states.passes import Passes
from think_to_talk.interventions.patched_runs import Outputs, Patcher
from think_to_talk.interventions.specs import (
    Spec,
    answers,
    directed,
    from_config,
    positions_of,
    sliding,
)
from think_to_talk.interventions.tokenized_pairs import RUNS

SIZES = {"train": 5, "valid": 1, "test": 300, "probing_train": 1}
N_LAYERS = 3


@pytest.fixture(scope="module")
def tokens(tasks):
    """Pairs of level 1 behind two examples, in tokens that have spaces and digits together."""
    task = tasks["level-1"]
    rows = [row for split in generate_splits(task, SIZES, 3).values() for row in split]
    tokenizer = byte_level([row["source"] + row["target"] for row in rows])
    edit = Edit.from_config(["v0.1", "v1.1"], Template.from_config(task))
    return tokenized(tokenizer, list(draw_pairs(edit, 6, 3, rows)), 2)


@pytest.fixture(scope="module", params=FAMILIES, ids=lambda config: config.model_type)
def model(request):
    return random_model(request.param)


def whole(tokens, run):
    """Ids [pairs, tokens] of the examples, the problem and the chain."""
    ids = tokens.runs[run]
    return torch.cat([torch.tensor(tokens.prefix).expand(len(ids), -1), ids], dim=1)


def read(tokens, logits, places):
    """(most likely tokens, base's logit less edited's) [pairs, places] of logits before them."""
    gold = {run: tokens.chains[run][:, list(places)] for run in RUNS}
    base, edited = (logits.gather(-1, gold[run][..., None])[..., 0] for run in RUNS)
    return logits.argmax(dim=-1), base - edited


def same(found, expected):
    """Whether answers are (tokens, differences of logits)."""
    # Random models are in float64, so that they are the same in whatever order they add.
    torch.testing.assert_close(
        found.differences.double(), expected[1].double(), rtol=1e-6, atol=1e-6
    )
    return torch.equal(found.tokens, expected[0])


@torch.inference_mode()
def one_spec(model, tokens, spec):
    """What the patched run says, as of `read`: one spec at a time, no prefix shared."""
    states = plain_states(model, whole(tokens, spec.source))
    shift, result = len(tokens.prefix), []
    for t in spec.forced:
        end = shift + tokens.layout.n_problem + t
        places = [shift + p for p in spec.positions if shift + p < end]
        with replaced(model, states, spec.layers, places):
            logits = model(whole(tokens, spec.target)[:, :end]).logits[:, -1]
        result.append(logits)
    return read(tokens, torch.stack(result, dim=1), spec.forced)


def every_length(n_chain):
    return tuple(range(n_chain))


def run(model, tokens, specs, batch_size=64, facts=None):
    patcher = Patcher(Passes(model, facts or facts_of(model), tokens.prefix, batch_size))
    return Outputs.joined(patcher.outputs(tokens.runs, tokens.layout.n_problem, specs))


@torch.inference_mode()
def unpatched(model, tokens, run):
    """What a run says in place of each token of the chain, as of `read`, by one plain pass."""
    n_problem = len(tokens.prefix) + tokens.layout.n_problem
    logits = model(whole(tokens, run)).logits[:, n_problem - 1 : -1]
    return read(tokens, logits, range(logits.shape[1]))


def test_patching_nothing_gives_the_unpatched_output(model, tokens):
    lengths = every_length(tokens.chains["base"].shape[1])
    nothing = [
        Spec("no positions", "own", "base", (0, 1, 2, 3), (), lengths),
        Spec("no layers", "own", "base", (), (0, 1, 2), lengths),
        # A run's own hidden states change nothing either, however many: the pairs are the same.
        Spec("no positions of the other", "own", "edited", (0, 1, 2, 3), (), lengths),
    ]
    output = run(model, tokens, nothing)
    for spec, patched in zip(nothing, output.patched, strict=True):
        assert same(patched, unpatched(model, tokens, spec.target))
    for name in RUNS:
        assert same(output.unpatched[name], unpatched(model, tokens, name))


def test_patching_a_run_with_its_own_states_gives_the_unpatched_output(model, tokens):
    twice = replace(tokens, runs=dict.fromkeys(RUNS, tokens.runs["edited"]))
    n = tokens.layout.n_positions
    lengths = every_length(n - tokens.layout.n_problem)
    specs = [
        Spec("a window", "own", "base", (1, 2), tuple(range(first, first + 5)), lengths)
        for first in range(0, n - 5, 3)
    ]
    for patched in run(model, twice, specs).patched:
        assert torch.equal(patched.tokens, unpatched(model, tokens, "edited")[0])
        assert not patched.differences.any()


@pytest.mark.parametrize("source", RUNS)
def test_patching_everything_up_to_the_last_position_gives_the_source_s_output(
    model, tokens, source
):
    lengths = every_length(tokens.layout.n_positions - tokens.layout.n_problem)
    everything = tuple(range(tokens.layout.n_positions))
    specs = [
        Spec("all layers", "own", source, (0, 1, 2, 3), everything, lengths),
        Spec("the input alone", "own", source, (0,), everything, lengths),
        Spec("the output alone", "own", source, (3,), everything, lengths),
    ]
    for patched in run(model, tokens, specs).patched:
        assert same(patched, unpatched(model, tokens, source))
    assert not torch.equal(*(unpatched(model, tokens, name)[0] for name in RUNS))


def test_each_spec_gives_what_it_gives_alone_without_a_shared_prefix(model, tokens):
    specs = [
        *sliding(tokens.layout, N_LAYERS, window=2, stride=1),
        *directed(tokens.layout, N_LAYERS),
        Spec("scattered", "own", "edited", (0, 3), (2, 5, 11), (0, 7)),
        Spec("after what is read", "own", "base", (1,), (tokens.layout.n_positions - 1,), (0,)),
    ]
    outputs = run(model, tokens, specs).patched
    plain = {name: unpatched(model, tokens, name) for name in RUNS}
    changed = 0
    for spec, patched in zip(specs, outputs, strict=True):
        assert same(patched, one_spec(model, tokens, spec)), spec.name
        changed += not torch.equal(patched.tokens, plain[spec.target][0][:, list(spec.forced)])
    assert changed > len(specs) / 4, "the specs should matter"


@pytest.mark.parametrize("without", SLOWER_WAYS)
def test_a_slower_way_gives_the_same(model, tokens, without):
    specs = [
        *sliding(tokens.layout, N_LAYERS, window=2, stride=1),
        Spec("after what is read", "own", "base", (1,), (tokens.layout.n_positions - 1,), (0,)),
    ]
    wanted = run(model, tokens, specs)
    found = run(model, tokens, specs, facts=slower(facts_of(model), without))
    for one, other in zip(wanted.patched, found.patched, strict=True):
        assert same(one, (other.tokens, other.differences))
    for name in RUNS:
        other = found.unpatched[name]
        assert same(wanted.unpatched[name], (other.tokens, other.differences))


@pytest.mark.parametrize("batch_size", [1, 4, 13])
def test_the_batch_size_changes_nothing(tokens, batch_size):
    model = random_model(FAMILIES[0])
    specs = list(sliding(tokens.layout, N_LAYERS, window=1, stride=1))
    wanted, found = run(model, tokens, specs), run(model, tokens, specs, batch_size)
    for one, other in zip(wanted.patched, found.patched, strict=True):
        assert same(one, (other.tokens, other.differences))
    for name in RUNS:
        other = found.unpatched[name]
        assert same(wanted.unpatched[name], (other.tokens, other.differences))


def test_a_model_spread_over_devices_is_patched_as_on_one(tokens, tmp_path):
    """One of its blocks lives on disk, the only other place that a CPU machine has."""
    model = random_model(FAMILIES[0])
    specs = list(sliding(tokens.layout, N_LAYERS, window=1, stride=1))
    wanted = run(model, tokens, specs)
    elsewhere = set(decoder_blocks(model)[1].modules())
    with_weights = {n: m for n, m in model.named_modules() if [*m.parameters(recurse=False)]}
    device_map = {n: "disk" if m in elsewhere else "cpu" for n, m in with_weights.items()}
    spread = dispatch_model(model, device_map, main_device="cpu", offload_dir=tmp_path)
    assert any(parameter.device.type == "meta" for parameter in spread.parameters())
    for one, other in zip(wanted.patched, run(spread, tokens, specs).patched, strict=True):
        assert same(one, (other.tokens, other.differences))


def test_a_model_is_as_it_was_after_patching(tokens):
    model = random_model(FAMILIES[0])
    before = unpatched(model, tokens, "base")
    run(model, tokens, list(directed(tokens.layout, N_LAYERS)))
    assert torch.equal(unpatched(model, tokens, "base")[1], before[1])
    for module in model.modules():
        assert not module._forward_hooks
        assert not module._forward_pre_hooks
        assert "forward" not in vars(module)


# z = 4 - o , o = 4 ; z =? z = 4 - o , o = 4 , z = 4 - o , z = 4 - 4 , z = 0⏎


def symbols(layout, positions):
    return "".join(layout.symbols[layout.position_symbol[p]] for p in positions)


def test_spans_are_given_by_equation_by_symbol_or_by_position(tokens):
    layout = tokens.layout
    assert symbols(layout, positions_of({"equations": [-3, -3]}, layout)) == "B=#±A,"
    assert symbols(layout, positions_of({"equations": [-1, 0]}, layout)) == "B?B=#±A,"
    assert symbols(layout, positions_of({"symbols": [6, 8]}, layout)) == "A=#"
    assert positions_of({"positions": [3, 5]}, layout) == (3, 4, 5)
    with pytest.raises(InputError, match=r"equations: \[9, 9\] holds no position; .* -3 to 4"):
        positions_of({"equations": [9, 9]}, layout)


def test_the_answers_are_the_last_numbers_of_the_chain_s_equations(tokens):
    layout = tokens.layout
    read = [layout.n_problem + answer.forced for answer in answers(layout)]
    assert [answer.equation for answer in answers(layout)] == [0, 1, 2, 3, 4]
    assert symbols(layout, read) == "#####"
    assert read[-1] == layout.n_positions - 2


def test_the_grid_is_every_window_times_every_equation(tokens):
    grid = list(sliding(tokens.layout, n_layers=8, window=4, stride=2))
    windows = [(0, 1, 2, 3), (2, 3, 4, 5), (4, 5, 6, 7)]
    equations = [-3, -2, -1, 0, 1, 2, 3, 4]
    spans = [positions_of({"equations": [e, e]}, tokens.layout) for e in equations]
    wanted = list(itertools.product(spans, windows))
    assert [(spec.positions, spec.layers) for spec in grid] == wanted
    # Each is asked for all numbers that come after it.
    assert [len(spec.forced) for spec in grid[::3]] == [5, 5, 5, 5, 4, 3, 2, 1]
    # A window larger than the model is the model.
    assert {spec.layers for spec in sliding(tokens.layout, 3, 9, 1)} == {(0, 1, 2, 3)}


def test_the_directed_parts_leave_out_the_position_that_is_read(tokens):
    layout = tokens.layout
    # (`=?` is one token here.)
    parts = {spec.name: symbols(layout, spec.positions) for spec in directed(layout, 3)}
    assert parts == {
        "problem": "B=#±A,A=#;B?",
        "earlier chain": "B=#±A,A=#,B=#±A,",
        "last equation": "B=#±#,B",
        "chain": "B=#±A,A=#,B=#±A,B=#±#,B",
        "everything before": "B=#±A,A=#;B?B=#±A,A=#,B=#±A,B=#±#,B",
    }


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"layers": [1, 7]}, "specs.mine.layers: [7] do not exist; the model has layers 0 to 3"),
        ({"forced": 99}, "specs.mine.forced: 99 leaves nothing to read; the chain has"),
        ({"span": {"symbols": [90, 95]}}, "specs.mine.symbols: [90, 95] holds no position"),
    ],
)
def test_a_spec_that_the_model_or_task_does_not_have_is_named(tokens, entry, message):
    usual = {"source": "base", "layers": "all", "span": {"equations": [0, 0]}}
    with pytest.raises(InputError) as error:
        list(from_config({"mine": {**usual, **entry}}, tokens.layout, 3))
    assert message in str(error.value)


def test_a_spec_of_the_config_reaches_to_the_last_layer_and_the_last_token(tokens):
    layout = tokens.layout
    n_chain = layout.n_positions - layout.n_problem
    entry = {"source": "edited", "layers": [0, 3], "span": {"positions": [3, 5]}}
    entries = {"answer": entry, "last token": {**entry, "layers": "all", "forced": n_chain - 1}}
    answer, last = from_config(entries, layout, 3)
    assert answer == Spec("answer", "own", "edited", (0, 3), (3, 4, 5), (n_chain - 2,))
    assert last == Spec("last token", "own", "edited", (0, 1, 2, 3), (3, 4, 5), (n_chain - 1,))
    assert (last.target, next(directed(layout, 3)).target) == ("base", "edited")
    for beyond, message in (
        ({"layers": [4]}, r"\[4\] do not exist"),
        ({"forced": n_chain}, "nothing to read"),
    ):
        with pytest.raises(InputError, match=message):
            list(from_config({"beyond": {**entry, **beyond}}, layout, 3))

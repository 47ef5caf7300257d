"""Rates of probes on patched runs: hand-made cases, counted pairs, schema and errors."""

import itertools
from dataclasses import replace

import pytest
import torch
import yaml
from jsonschema import Draft202012Validator
from support.architectures import FAMILIES, random_model
from support.facts import decoder_blocks, facts_of
from support.patched_probes import plain_states, random_probes
from support.patching import tokenized
from support.repository import REPOSITORY
from transformers import LlamaConfig

from think_to_talk.errors import InputError
from think_to_talk.files.jsonl import write_jsonl
from think_to_talk.files.shards import write_shard
from think_to_talk.formulas.rows import base_row
from think_to_talk.hidden_states.passes import Passes
from think_to_talk.intervals import share
from think_to_talk.interventions.specs import Spec
from think_to_talk.models.loading import Checkpoint
from think_to_talk.patched_probes.rows import patched_probe_rows, rows_of_edit
from think_to_talk.patched_probes.runs import PatchedReader, Readings
from think_to_talk.probes.linear import Probes
from think_to_talk.probes.stored import StoredProbes
from think_to_talk.tokens.symbol_tokenizer import symbol_tokenizer

SCHEMA = yaml.safe_load((REPOSITORY / "schemas/patched_probe_row.schema.yaml").read_text())
IDENTITY = {"model": "m", "seed": 1, "task": "t"}
#: An own spec of the config: the input of the question and of the chain's first equation.
OWN = {"mine": {"source": "edited", "layers": [0], "span": {"equations": [-1, 0]}}}


# Probes that read a one-hot of the token.


@pytest.fixture(scope="module")
def symbols(pairs):
    """The pairs with a token per symbol."""
    return tokenized(symbol_tokenizer(), pairs, 0)


@pytest.fixture(scope="module")
def one_hot_rows(symbols, pairs):
    """Makes rows of a model whose states hold their token alone, and of probes that read it."""
    tokenizer = symbol_tokenizer()
    width = 4 * (len(tokenizer) // 4 + 1)
    config = LlamaConfig(
        hidden_size=width,
        intermediate_size=8,
        num_hidden_layers=2,
        num_attention_heads=2,
        vocab_size=len(tokenizer),
    )
    model = random_model(config)
    with torch.no_grad():
        model.get_input_embeddings().weight.copy_(torch.eye(len(tokenizer), width))
        for block in decoder_blocks(model):
            block.self_attn.o_proj.weight.zero_()
            block.mlp.down_proj.weight.zero_()
    weight = torch.zeros(symbols.layout.n_positions, 2, 10, width)
    for digit in range(10):
        weight[:, :, digit, tokenizer.convert_tokens_to_ids(str(digit))] = 1
    probe = Probes(weight, torch.zeros(weight.shape[:-1]))
    places = [symbols.layout.place(p) for p in range(symbols.layout.n_positions)]
    probes = StoredProbes(places, dict.fromkeys((0, 1, 2), probe))

    def rows(*specs, solved=(True,) * 6):
        passes = Passes(model, facts_of(model), symbols.prefix, 4)
        reader = PatchedReader(passes, probes)
        found = Readings.joined(reader.readings(symbols, list(specs)))
        # The model cannot write chains: all pairs count unless the test says otherwise.
        return list(
            rows_of_edit(pairs, list(specs), probes, replace(found, solved=torch.tensor(solved)))
        )

    return rows


def test_a_replaced_input_moves_what_is_read_there_and_nothing_else(one_hot_rows, symbols):
    # B = # ± A , A = # ; B =? ...: the number of A, the same in the chain.
    numbers = [i for i, symbol in enumerate(symbols.layout.symbols) if symbol == "#"]
    positions = [symbols.layout.position_symbol.index(symbol) for symbol in numbers]
    in_problem = positions[1]
    [in_chain, *_] = [
        position
        for position, symbol in zip(positions, numbers, strict=True)
        if position >= symbols.layout.n_problem and symbols.layout.symbols[symbol - 2] == "A"
    ]
    rows = one_hot_rows(Spec("input", "own", "base", (0,), (in_problem,), (0,)))
    assert {row["position"] for row in rows} == set(range(in_problem, len(symbols.runs["base"][0])))
    of_a = {(row["layer"], row["position"]): row for row in rows if row["variable"] == 0}
    for layer in range(3):
        there, later = of_a[layer, in_problem], of_a[layer, in_chain]
        for row in (there, later):
            assert (row["source_accuracy"], row["target_accuracy"]) == (1, 1)
        assert {key: there[key] for key in share("moved", 6, 6)} == share("moved", 6, 6)
        assert (there["kept"], there["other"]) == (0, 0)
        assert (later["moved"], later["kept"], later["other"]) == (0, 1, 0)
        assert there["patched"] == (layer == 0)
        assert (there["symbol"], there["relative_position"]) == ("#", -5)
    # Everywhere else the patched run reads as the unpatched one.
    for (_, position), row in of_a.items():
        if position != in_problem:
            assert row["kept"] == row["target_accuracy"]
            assert not row["patched"]


def test_a_replaced_state_moves_what_is_computed_from_it_alone(one_hot_rows, symbols):
    """Layers below it, and other positions, stay as they are."""
    place = symbols.layout.position_symbol.index(8)
    assert symbols.layout.symbols[8] == "#"
    rows = one_hot_rows(Spec("layer 1", "own", "edited", (1,), (place,), (0,)))
    moved = {
        (row["layer"], row["position"]) for row in rows if not row["variable"] and row["moved"] == 1
    }
    assert moved == {(1, place), (2, place)}
    assert [row["layer"] for row in rows if row["patched"] and row["variable"] == 0] == [1]


@pytest.mark.parametrize("source", ["base", "edited"])
def test_with_everything_replaced_each_probe_says_what_it_says_of_the_source(
    one_hot_rows, symbols, source
):
    everything = tuple(range(symbols.layout.n_positions))
    rows = one_hot_rows(Spec("everything", "own", source, (0, 1, 2), everything, (0,)))
    assert len(rows) == 3 * symbols.layout.n_positions * 2
    for row in rows:
        assert row["patched"]
        assert row["moved"] == row["source_accuracy"]


# Rows of a model that solves some pairs.


@pytest.fixture(scope="module")
def trained(trained_on_level_1):
    folder = trained_on_level_1(150)
    return folder, Checkpoint(folder).model()


@pytest.fixture(scope="module")
def probes(symbols):
    """Of two layers; one of them was not fitted."""
    found = random_probes(symbols.layout, (0, 2), 64)
    found.layers[2].weight[7, 1] = found.layers[2].bias[7, 1] = torch.nan
    return found


def rows_of(trained, pairs, probes, specs=OWN, **options):
    folder, model = trained
    options = {"shots": 0, "batch_size": 4, "identity": IDENTITY, **options}
    tokenizer = Checkpoint(folder).tokenizer()
    edits = {"edit": pairs}
    return list(
        patched_probe_rows(model, facts_of(model), tokenizer, edits, probes, specs, **options)
    )


def solved_pairs(model, symbols):
    """Numbers of the pairs whose two chains the model writes, by plain passes."""
    first = symbols.layout.n_problem - 1
    found = set(range(len(symbols.runs["base"])))
    for run, pair in itertools.product(symbols.runs, range(len(symbols.runs["base"]))):
        ids = symbols.runs[run][pair]
        said = plain_states(model, ids)[1][first:-1].argmax(dim=-1)
        if not torch.equal(said, ids[first + 1 :]):
            found.discard(pair)
    return found


def test_counted_are_solved_pairs_whose_values_differ(trained, pairs, symbols, probes):
    solved = solved_pairs(trained[1], symbols)
    assert solved, "the model should solve some pair"
    rows = rows_of(trained, pairs, probes)
    for variable in range(2):
        differ = {
            i
            for i, pair in enumerate(pairs)
            if pair["intermediate_answers"][variable]
            != base_row(pair)["intermediate_answers"][variable]
        }
        counts = {row["n"] for row in rows if row["variable"] == variable}
        n = len(solved & differ)
        assert counts == ({n} if n else set())


def test_a_pair_is_solved_if_both_chains_are_written_token_by_token(trained, symbols, probes):
    """Chains that end in another digit than the model's are not those that it writes."""
    _, model = trained
    runs = {run: ids.clone() for run, ids in symbols.runs.items()}
    digit = symbol_tokenizer().convert_tokens_to_ids
    for run, pair in (("edited", 2), ("base", 4)):
        answer = runs[run][pair, -2]
        answer.copy_(torch.tensor(digit("1" if answer == digit("0") else "0")))
    altered = replace(symbols, runs=runs)
    spec = Spec("input", "own", "base", (0,), (3,), (0,))
    reader = PatchedReader(Passes(model, facts_of(model), (), 4), probes)
    found = Readings.joined(reader.readings(altered, [spec]))
    assert set(found.solved.nonzero()[:, 0].tolist()) == solved_pairs(model, altered)
    assert solved_pairs(model, altered) == solved_pairs(model, symbols) - {2, 4}


def test_pairs_that_are_not_solved_count_nowhere(one_hot_rows, symbols):
    spec = Spec("input", "own", "base", (0,), (3,), (0,))
    some = [True, False, True, True, False, False]
    assert {row["n"] for row in one_hot_rows(spec, solved=some)} == {3}
    assert one_hot_rows(spec, solved=[False] * 6) == []


def test_rows_fit_their_schema_and_their_places(trained, pairs, symbols, probes):
    rows = rows_of(trained, pairs, probes)
    validator = Draft202012Validator(SCHEMA)
    first = {"problem": 0, "everything before": 0, "chain": symbols.layout.n_problem}
    specs = {}
    for row in rows:
        validator.validate(row)
        specs.setdefault(row["spec"], set()).add(row["position"])
        assert row["moved"] + row["kept"] + row["other"] == pytest.approx(1)
        place = symbols.layout.place(row["position"])
        assert place == {key: row[key] for key in place}
        # No probe, no row.
        assert (row["layer"], row["position"], row["variable"]) != (2, 7, 1)
    assert set(specs) == {*first, "earlier chain", "last equation", "mine"}
    for spec, position in first.items():
        # Nothing before the first patched position, which a causal model cannot change.
        assert min(specs[spec]) == position
    [question] = {row["equation"] for row in rows if row["position"] == min(specs["mine"])}
    assert question == -1
    assert {row["kind"] for row in rows if row["spec"] == "mine"} == {"own"}


def test_a_model_that_solves_nothing_has_no_rows_and_the_log_says_so(pairs, probes, trained):
    folder, _ = trained
    config = LlamaConfig(**{**FAMILIES[0].to_dict(), "hidden_size": 64})
    model = random_model(config)
    with pytest.warns(UserWarning, match=r"m on t \(seed 1\), edit edit: of no pair the model"):
        assert rows_of((folder, model), pairs, probes) == []


# Stored probes.


def write_probes(folder, probes, identity=IDENTITY):
    rows = [
        {"layer": layer, "position": position, **place, "variable": variable, "score": layer / 4}
        for layer in probes.layers
        for position, place in enumerate(probes.places)
        for variable in range(2)
    ]
    write_jsonl(folder / "t.jsonl", rows)
    tensors = {}
    for layer, of_layer in probes.layers.items():
        tensors |= {f"layer.{layer}.weight": of_layer.weight, f"layer.{layer}.bias": of_layer.bias}
    shapes = {name: (tensor.dtype, tuple(tensor.shape)) for name, tensor in tensors.items()}
    metadata = {key: str(value) for key, value in identity.items()}
    with write_shard(folder / "t.safetensors", shapes, metadata) as stored:
        for name, tensor in tensors.items():
            stored[name].copy_(tensor)
    return folder / "t.jsonl", folder / "t.safetensors"


def test_probes_are_read_as_they_were_stored(tmp_path, probes):
    found = StoredProbes.read(*write_probes(tmp_path, probes), IDENTITY)
    assert found.places == probes.places
    assert list(found.layers) == [0, 2]
    assert found.scores[2, 7, 1] == 0.5
    assert len(found.scores) == 2 * len(probes.places) * 2
    for layer, of_layer in found.layers.items():
        for name in ("weight", "bias"):
            expected = getattr(probes.layers[layer], name)
            torch.testing.assert_close(
                getattr(of_layer, name), expected, rtol=0, atol=0, equal_nan=True
            )
    assert not found.fitted[1, 7, 1]
    assert int((~found.fitted).sum()) == 1


def test_probes_of_another_result_are_refused(tmp_path, probes):
    files = write_probes(tmp_path, probes, {**IDENTITY, "task": "other"})
    with pytest.raises(InputError, match=r"t\.safetensors: task is 'other', expected 't'"):
        StoredProbes.read(*files, IDENTITY)


def test_pairs_with_other_positions_than_the_probes_are_refused(trained, pairs, probes):
    fewer = StoredProbes(probes.places[:-1], probes.layers)
    message = r"tasks\.t\.edits: problems .* have 39 positions, .* read 38, .* of the probes' task"
    with pytest.raises(InputError, match=message):
        rows_of(trained, pairs, fewer)


def test_a_symbol_that_all_pairs_share_is_no_other_position(trained, pairs, probes):
    """Where all pairs have the same operator, their layout names it; the probes' has `±`."""
    named = [{**place, "symbol": "±"} for place in probes.places]
    rows = rows_of(trained, pairs, StoredProbes(named, probes.layers))
    assert {row["symbol"] for row in rows} == {"±"}

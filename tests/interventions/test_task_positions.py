"""Pairs count the positions of their task, whether or not they happen to tokenize alike."""

from dataclasses import replace

import pytest
from support.architectures import FAMILIES, random_model
from support.checkpoints import trained_once
from support.facts import facts_of
from support.patched_probes import random_probes
from support.templates import template
from support.whole_numbers import EQUATIONS, SIZES, VALUES, Plain, alike, digits_of, pairs_of

from think_to_talk.errors import InputError
from think_to_talk.formulas.altered_chains import draw_inconsistent_pairs
from think_to_talk.formulas.datasets import generate_splits
from think_to_talk.formulas.templates import Template
from think_to_talk.interventions.free_writing import free_writing_rows
from think_to_talk.interventions.inconsistent_chains import inconsistent_chain_rows
from think_to_talk.interventions.patching import PatchingSettings, patching_rows
from think_to_talk.interventions.specs import SpecSettings
from think_to_talk.interventions.tokenized_pairs import RUNS, PairAxis
from think_to_talk.models.loading import Checkpoint
from think_to_talk.patched_probes.rows import patched_probe_rows
from think_to_talk.tokens.symbol_tokenizer import symbol_tokenizer
from think_to_talk.tokens.task_positions import TaskPositions
from think_to_talk.tokens.write_shards import write_token_shards

OPTIONS = {"batch_size": 16, "identity": {"model": "m", "seed": 1, "task": "t"}}
#: Of `B = # ± A , A = # ; B = ?`; the first number has two digits, so that others are no tokens.
PATCHED = {"source": "base", "layers": [0, 2], "span": {"positions": [4, 8]}}
SPECS = {
    "the answer": PATCHED,
    "an operand": {**PATCHED, "forced": 2},
    "a result": {**PATCHED, "source": "edited", "forced": 8},
    "a sign": {**PATCHED, "layers": "all", "forced": 3},
    "the end": {**PATCHED, "span": {"positions": [8, 11]}, "forced": 20},
}


def positions_of(tokenizer, task, folder):
    """The positions of a task, as its token shards have them."""
    splits = generate_splits(task, {**SIZES, "test": 40}, 1)
    paths = {split: [folder / split] for split in ("test", "probing_train")}
    splits = {split: splits[split] for split in paths}
    identity = {"task": "t"}
    write_token_shards(tokenizer, splits, paths, shots=0, shard_rows=40, identity=identity)
    return TaskPositions.read(paths["test"], identity)


@pytest.fixture(scope="module")
def ragged(tmp_path_factory):
    """A model, its tokenizer, pairs that tokenize alike, and the positions of their task."""
    task = template(EQUATIONS, values=VALUES["ragged"], shots=1)
    checkpoint = Checkpoint(trained_once("ragged-numbers", task, steps=250))
    model, tokenizer = checkpoint.model().double(), checkpoint.tokenizer()
    pairs = alike(pairs_of(task, ["v0.1", "v1.1"], 120))[:4]
    # The model writes its chains behind no examples.
    without = {f"{run}few_shot_context": "" for run in ("base_", "")}
    pairs = [{**pair, **without} for pair in pairs]
    positions = positions_of(tokenizer, task, tmp_path_factory.mktemp("ragged"))
    assert positions.are_symbols
    assert not PairAxis.of(tokenizer, [pairs], 0).positions.are_symbols
    return model, tokenizer, pairs, positions


@pytest.fixture(scope="module")
def plain(ragged):
    model, tokenizer, pairs, _ = ragged
    return [Plain(model, tokenizer, pair, True, 2) for pair in pairs]


def test_patches_count_the_symbols_of_a_task_though_its_pairs_tokenize_alike(ragged, plain):
    model, tokenizer, pairs, positions = ragged
    assert len(pairs) == 4
    settings = PatchingSettings(window=3, stride=3, specs=SPECS)
    given = model, facts_of(model), tokenizer, {"e": pairs}, settings
    rows = list(patching_rows(*given, shots=0, positions=positions, **OPTIONS))
    own = [row for row in rows if row["kind"] == "own" and row["rows"] == "all"]
    # The sign is the same in both problems of a pair.
    assert {row["spec"] for row in own} == {*SPECS} - {"a sign"}
    for row in [*own, *(row for row in rows if row["kind"] != "own" and row["rows"] == "all")]:
        expected = [plain[i].says(row)[0] for i in row["pairs"]]
        assert row["outputs"] == expected, row["spec"]
        differ = [i for i, pair in enumerate(plain) if len({pair.gold(r, row) for r in RUNS}) > 1]
        assert row["pairs"] == differ
    read = {row["forced"] for row in rows if row["answer_equation"] is not None}
    # `B = # ± A , A = # , B = # ± A , B = # ± # , B = # ⏎` has symbols alone.
    assert read == {2, 8, 12, 20, 24}


def test_free_writing_counts_them_too(ragged, plain):
    model, tokenizer, pairs, positions = ragged
    settings = SpecSettings(window=3, stride=3, specs=SPECS)
    given = model, facts_of(model), tokenizer, {"e": pairs}, settings
    rows = list(free_writing_rows(*given, shots=0, positions=positions, **OPTIONS))
    own = [row for row in rows if row["kind"] == "own" and row["rows"] == "all"]
    assert {row["spec"] for row in own} == {*SPECS}
    for row in own:
        assert row["pairs"] == [*range(len(pairs))]
        assert row["outputs"] == [pair.writes(row) for pair in plain], row["spec"]


def test_numbers_may_have_the_digits_of_the_tasks_though_those_of_its_pairs_have_one(ragged):
    """A run that says 12 does not say 1, though no pair has a number of two digits."""
    model, tokenizer, _, positions = ragged
    task = template(EQUATIONS, values=VALUES["ragged"], shots=1)
    drawn = pairs_of(task, ["v0.1", "v1.1"], 300)
    pairs = [p for p in drawn if {*digits_of(p, ""), *digits_of(p, "base_")} == {1}]
    pairs = [{**p, "base_few_shot_context": "", "few_shot_context": ""} for p in pairs][:12]
    assert len(pairs) == 12
    axis = PairAxis.of(tokenizer, [pairs], 0, positions=positions)
    assert (axis.longest, axis.further_tokens) == (2, 6)
    settings = PatchingSettings(window=3, stride=3, specs=SPECS)
    given = model, facts_of(model), tokenizer, {"e": pairs}, settings
    rows = list(patching_rows(*given, shots=0, positions=positions, **OPTIONS))
    plain = [Plain(model, tokenizer, pair, True, 2) for pair in pairs]
    rows = [row for row in rows if row["rows"] == "all" and row["kind"] == "own"]
    said = [(row["outputs"], [plain[i].says(row)[0] for i in row["pairs"]]) for row in rows]
    assert all(outputs == expected for outputs, expected in said)
    assert any(len(text) == 2 for _, expected in said for text in expected)


def edits_of(tokenizer, pairs, positions):
    """(rows of patching, of free writing, and of probes) for the pairs of an edit."""
    config = {**FAMILIES[0].to_diff_dict(), "vocab_size": len(tokenizer)}
    model = random_model(type(FAMILIES[0])(**config))
    given = model, facts_of(model), tokenizer, {"e": pairs}
    options = {**OPTIONS, "shots": 0, "positions": positions}
    probes = random_probes(positions.layout, (0, 2), 32)
    yield patching_rows(*given, PatchingSettings(2, 2, SPECS, random_donor=True), **options)
    yield free_writing_rows(*given, SpecSettings(2, 2, SPECS), **options)
    yield patched_probe_rows(*given, probes, SPECS, **options)


def chains_of(tokenizer, pairs, positions):
    config = {**FAMILIES[0].to_diff_dict(), "vocab_size": len(tokenizer)}
    model = random_model(type(FAMILIES[0])(**config))
    options = {**OPTIONS, "shots": 0, "positions": positions, "max_new_tokens": 30}
    return inconsistent_chain_rows(model, facts_of(model), tokenizer, pairs, **options)


def left_out(rows):
    """(rows, what is said of pairs that are left out)."""
    with pytest.warns(UserWarning, match="pairs are left out") as told:
        found = list(rows)
    lines = [str(w.message) for w in told if "left out" in str(w.message)]
    return found, [line.split(": ")[1].split(", since")[0] for line in lines]


def test_of_a_task_whose_rows_take_the_same_tokens_a_pair_that_does_not_is_left_out(tmp_path):
    task = template(EQUATIONS, values=VALUES["alike"], shots=1)
    tokenizer = symbol_tokenizer((), 29)
    positions = positions_of(tokenizer, task, tmp_path)
    assert not positions.are_symbols
    other = template(EQUATIONS, values=VALUES["ragged"], shots=1)
    pairs = [*pairs_of(task, ["v1.1"], 3), *pairs_of(other, ["v1.1"], 12)]
    fit = [i for i, p in enumerate(pairs) if {*digits_of(p, ""), *digits_of(p, "base_")} == {2}]
    assert 3 <= len(fit) < len(pairs)
    n = len(pairs) - len(fit)
    for rows in edits_of(tokenizer, pairs, positions):
        found, lines = left_out(rows)
        # Random donors, if there are any, are of the pairs that fit.
        assert lines == [f"{n} of {len(pairs)} pairs are left out"]
        for row in found:
            assert {*row["pairs"]} <= {*fit}
            assert set(row["positions"]) <= set(range(positions.layout.n_positions))
    drawn = [
        pair
        for one in (task, other)
        for pair in draw_inconsistent_pairs(Template.from_config(one), 8, 1, [])
    ]
    fit = [i for i, p in enumerate(drawn) if {*digits_of(p, ""), *digits_of(p, "base_")} == {2}]
    found, lines = left_out(chains_of(tokenizer, drawn, positions))
    assert lines == [f"{len(drawn) - len(fit)} of {len(drawn)} pairs are left out"]
    assert found[-1]["pairs"] == fit


def test_of_a_task_with_symbols_a_pair_that_lacks_one_is_left_out(tmp_path):
    """The rows of the task have a lone space before a number, and its pairs do not."""
    task = template(EQUATIONS, values=VALUES["ragged"], shots=1)
    tokenizer = symbol_tokenizer((), 29)
    positions = positions_of(tokenizer, task, tmp_path)
    layout = positions.layout
    at = layout.symbols.index("#")
    layout = replace(
        layout,
        position_symbol=(*range(at + 1), *layout.position_symbol[at:]),
        completes=(True,) * at + (False,) + layout.completes[at:],
        n_problem=layout.n_problem + 1,
    )
    spaced = TaskPositions(layout, are_symbols=True)
    pairs = pairs_of(task, ["v1.1"], 4)
    for rows in edits_of(tokenizer, pairs, spaced):
        assert left_out(rows) == ([], ["4 of 4 pairs are left out"])
    drawn = list(draw_inconsistent_pairs(Template.from_config(task), 4, 1, []))
    assert left_out(chains_of(tokenizer, drawn, spaced)) == ([], ["4 of 4 pairs are left out"])


def test_probes_of_a_task_do_not_refuse_pairs_that_tokenize_alike(ragged):
    model, tokenizer, pairs, positions = ragged
    probes = random_probes(positions.layout, (0, 2), model.config.hidden_size)
    given = model, facts_of(model), tokenizer, {"e": pairs}, probes, SPECS
    rows = list(patched_probe_rows(*given, shots=0, positions=positions, **OPTIONS))
    assert {row["position"] for row in rows} == set(range(positions.layout.n_positions))
    with pytest.raises(InputError, match=r"tasks\.t\.edits: .* the positions of the probes' task"):
        list(patched_probe_rows(*given, shots=0, **OPTIONS))

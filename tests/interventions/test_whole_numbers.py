"""Patching where numbers take several tokens: each rate by greedy decoding, one pair at a time."""

from collections import Counter

import pytest
from support.checkpoints import smollm2_checkpoint, train_small
from support.facts import SLOWER_WAYS, facts_of, slower
from support.templates import template
from support.whole_numbers import N, Plain, pairs_of

from think_to_talk.files.jsonl import write_jsonl
from think_to_talk.files.possibly_empty import read_any
from think_to_talk.interventions.donors import with_random_donors
from think_to_talk.interventions.patching import PatchingSettings, patching_rows
from think_to_talk.interventions.tokenized_pairs import RUNS
from think_to_talk.models.loading import Checkpoint

IDENTITY = {"model": "m", "seed": 1, "task": "t"}
OWN = {
    "all of it": {"source": "edited", "layers": "all", "span": {"positions": [0, 99]}},
    # A number that no equation ends with, and what is no number.
    "an operand": {
        "source": "base",
        "layers": [0, 2],
        "span": {"equations": [-3, -3]},
        "forced": 2,
    },
    # The final answer's own symbol: what is said of it first stays, the rest may change.
    "its number": {"source": "base", "layers": "all", "span": {"symbols": [37, 37]}},
    "a sign": {"source": "base", "layers": [1], "span": {"equations": [-3, -2]}, "forced": 1},
}
SETTINGS = PatchingSettings(window=2, stride=2, specs=OWN, random_donor=True)
OPTIONS = {"shots": "all", "batch_size": 16, "identity": IDENTITY}


@pytest.fixture(scope="module")
def rows(several_tokens):
    model, tokenizer, pairs, *_ = several_tokens
    return list(patching_rows(model, facts_of(model), tokenizer, pairs, SETTINGS, **OPTIONS))


@pytest.fixture(scope="module")
def plain(several_tokens):
    """{(edit, donor): {number: a pair, run in plain passes}} of pairs with as many tokens."""
    model, tokenizer, edits, by_symbol, _ = several_tokens

    def runs(pairs):
        every = {i: Plain(model, tokenizer, pair, by_symbol, 2) for i, pair in pairs.items()}
        return {i: pair for i, pair in every.items() if pair.take_as_many()}

    found = {}
    for edit, pairs in edits.items():
        found[edit, "paired"] = runs(dict(enumerate(pairs)))

        def fits(edited, base, pairs=pairs):
            other = {k: v for k, v in pairs[base].items() if k.startswith("base_")}
            mixed = Plain(model, tokenizer, {**pairs[edited], **other}, by_symbol, 2)
            return mixed.take_as_many()

        found[edit, "random"] = runs(with_random_donors(pairs, fits))
    return found


def test_a_patched_run_says_what_greedy_decoding_writes(rows, plain):
    outcomes, donors = Counter(), Counter()
    # Each takes a hundred passes: some of them.
    for row in [*rows[::13], *(row for row in rows if row["spec"] == "its number")]:
        target = {"base": "edited", "edited": "base"}[row["source"]]
        pairs = plain[row["edit"], row["donor"]]
        gold = {i: {run: pair.gold(run, row) for run in RUNS} for i, pair in pairs.items()}
        counted = [i for i, of_pair in gold.items() if of_pair["base"] != of_pair["edited"]]
        alone = {i: {run: pairs[i].says(row, run) for run in RUNS} for i in counted}
        right = {run: [alone[i][run][0] == gold[i][run] for i in counted] for run in RUNS}
        if row["rows"] == "solved":
            counted = [i for i, *both in zip(counted, *right.values(), strict=True) if all(both)]
        else:
            for run in RUNS:
                assert row[f"{run}_accuracy"] == sum(right[run]) / len(counted)
        assert row["pairs"] == counted
        said = {i: pairs[i].says(row) for i in counted}
        assert row["outputs"] == [text for text, _ in said.values()]
        kinds = [kind_of(text, gold[i], row["source"], target) for i, (text, _) in said.items()]
        for kind in KINDS:
            assert row[kind] == (kinds.count(kind) / len(counted) if counted else None)
        outcomes.update(kinds)
        donors[row["donor"]] += len(counted)
        moved = [
            (after - alone[i][target][1]) / (alone[i][row["source"]][1] - alone[i][target][1])
            for i, (_, after) in said.items()
            if alone[i]["base"][1] > 0 > alone[i]["edited"][1]
        ]
        if row["rows"] == "all" or not moved:
            assert row["logit_difference"] is None
        else:
            assert row["logit_difference"] == pytest.approx(sum(moved) / len(moved), abs=1e-5)
    assert min(outcomes[kind] for kind in KINDS) > 5, outcomes
    assert min(donors["paired"], donors["random"]) > 10, donors


KINDS = ("success", "unchanged", "other")


def kind_of(text, gold, source, target):
    return "success" if text == gold[source] else "unchanged" if text == gold[target] else "other"


def test_pairs_that_do_not_take_as_many_tokens_are_left_out_in_one_line(
    several_tokens, plain, recwarn
):
    model, tokenizer, edits, by_symbol, _ = several_tokens
    settings = PatchingSettings(window=3, stride=3, specs={})
    rows = list(patching_rows(model, facts_of(model), tokenizer, edits, settings, **OPTIONS))
    told = [str(w.message) for w in recwarn if "pairs are left out" in str(w.message)]
    left_out = {edit: N - len(plain[edit, "paired"]) for edit in edits}
    assert any(left_out.values()) == by_symbol
    assert [line.split(": ")[1].split(" pairs")[0] for line in told] == [
        f"{n} of {N}" for n in left_out.values() if n
    ]
    for row in rows:
        assert set(row["pairs"]) <= set(plain[row["edit"], "paired"])


def test_an_edit_none_of_whose_pairs_fit_has_no_rows(several_tokens, tmp_path):
    model, tokenizer, edits, by_symbol, _ = several_tokens
    if not by_symbol:
        return
    pairs = [pair for of_edit in edits.values() for pair in of_edit]
    none = [p for p in pairs if not Plain(model, tokenizer, p, by_symbol, 2).take_as_many()]
    # Without random donors, whose states may fit all the same.
    settings = PatchingSettings(window=2, stride=2, specs={})
    rows = patching_rows(model, facts_of(model), tokenizer, {"e": none}, settings, **OPTIONS)
    with pytest.warns(UserWarning, match="pairs are left out.*; it has no rows") as told:
        write_jsonl(tmp_path / "rows.jsonl", rows)
    assert len([w for w in told if "left out" in str(w.message)]) == 1
    assert read_any(tmp_path / "rows.jsonl") == []


@pytest.fixture(scope="module")
def of_few(several_tokens):
    """A function of facts and batch size: the rows of some of the pairs."""
    model, tokenizer, edits, *_ = several_tokens
    few = {"first": edits["first"][: N // 2]}

    def rows(facts, batch_size):
        options = {**OPTIONS, "batch_size": batch_size}
        return list(patching_rows(model, facts, tokenizer, few, SETTINGS, **options))

    return rows


@pytest.fixture(scope="module")
def in_one_batch(several_tokens, of_few):
    model, *_ = several_tokens
    return of_few(facts_of(model), 16)


@pytest.mark.parametrize("without", [None, *SLOWER_WAYS])
def test_neither_a_slower_way_nor_the_batch_size_changes_a_row(
    several_tokens, of_few, in_one_batch, without
):
    model, *_ = several_tokens
    found = of_few(slower(facts_of(model), without) if without else facts_of(model), 7)
    assert found
    for one, other in zip(found, in_one_batch, strict=True):
        for key, value in one.items():
            near = isinstance(value, float)
            assert value == (pytest.approx(other[key], abs=1e-5) if near else other[key])


def test_edits_of_a_distractor_change_nothing_but_by_chance(tmp_path):
    task = template(["v0 = num", "v1 = num", "v2 = num ± v1"], values=[0, 14], shots=1)
    train_small(tmp_path, task, steps=60)
    model, tokenizer = Checkpoint(tmp_path).model(), Checkpoint(tmp_path).tokenizer()
    pairs = {"distractor": pairs_of(task, ["v0.1"], N)}
    rows = list(patching_rows(model, facts_of(model), tokenizer, pairs, SETTINGS, **OPTIONS))
    assert {row["donor"] for row in rows} == {"paired"}
    assert {row["success"] for row in rows} == {row["logit_difference"] for row in rows} == {None}
    every = [row for row in rows if row["rows"] == "all" and row["answer_equation"] is not None]
    kept = {row["n"] for row in every}
    assert len(kept) == 1
    assert 0 < kept.pop() < N


@pytest.mark.thorough
def test_a_pretrained_model_with_a_token_per_digit_says_what_greedy_decoding_writes():
    """SmolLM2-135M-Instruct, which writes a space, and a token per digit."""
    task = template(["v0 = num", "v1 = num ± v0"], values=[5, 30], shots=1)
    folder = smollm2_checkpoint()
    model, tokenizer = Checkpoint(folder).model(), Checkpoint(folder).tokenizer()
    pairs = {"edit": pairs_of(task, ["v0.1"], 6)}
    # The model copies numbers of the chain that it is shown; at the first result it is asked, too.
    # A position is a symbol, or the space before a number.
    result = {"source": "base", "layers": [0, 10], "span": {"equations": [-2, -2]}, "forced": 10}
    settings = PatchingSettings(window=31, stride=31, specs={"result": result})
    given = model, facts_of(model), tokenizer, pairs, settings
    rows = list(patching_rows(*given, **{**OPTIONS, "batch_size": 6}))
    every = [Plain(model, tokenizer, pair, True, 2) for pair in pairs["edit"]]
    plain = {i: pair for i, pair in enumerate(every) if pair.take_as_many()}
    chosen = [row for row in rows if row["rows"] == "all" and row["spec"] in ("result", "problem")]
    lengths = set()
    for row in chosen:
        assert set(row["pairs"]) <= set(plain)
        said = [plain[i].says(row)[0] for i in row["pairs"]]
        assert row["outputs"] == said
        lengths |= set(map(len, said))
    assert {row["spec"] for row in chosen} == {"result", "problem"}
    assert 2 in lengths

"""Interventions: rates by hand, what the model is asked for, and chains with a wrong result."""

import copy
from collections import Counter

import pytest
import torch
import yaml
from jsonschema import Draft202012Validator
from scipy.stats import binomtest
from scipy.stats import t as student
from support.checkpoints import smollm2_checkpoint
from support.facts import facts_of
from support.repository import REPOSITORY
from tokenizers import processors

from think_to_talk.formulas.altered_chains import draw_inconsistent_pairs
from think_to_talk.formulas.counterfactuals import draw_pairs
from think_to_talk.formulas.datasets import generate_splits
from think_to_talk.formulas.edits import Edit
from think_to_talk.formulas.templates import Template
from think_to_talk.interventions.inconsistent_chains import inconsistent_chain_rows
from think_to_talk.interventions.patching import PatchingSettings, patching_rows
from think_to_talk.interventions.specs import DIRECTED
from think_to_talk.interventions.table import rows_of_inconsistent_chains, rows_of_patching
from think_to_talk.models.loading import Checkpoint

IDENTITY = {"model": "m", "seed": 1, "task": "level-1"}
N = 40
CHAINS = {"shots": 0, "batch_size": 16, "max_new_tokens": 40, "identity": IDENTITY}
OWN = {
    "all": {"source": "edited", "layers": "all", "span": {"positions": [0, 99]}},
    "input": {"source": "base", "layers": [0], "span": {"equations": [-3, -3]}, "forced": 2},
}


@pytest.fixture(scope="module")
def model(trained_on_level_1):
    """A model that solves about half of level 1, how it may be run, and its tokenizer."""
    checkpoint = Checkpoint(trained_on_level_1(80))
    model = checkpoint.model()
    return model, facts_of(model), checkpoint.tokenizer()


@pytest.fixture(scope="module")
def edits(tasks):
    template = Template.from_config(tasks["level-1"])
    return {
        name: list(draw_pairs(Edit.from_config(places, template), N, 1, []))
        for name, places in tasks["level-1"]["edits"].items()
    }


@pytest.fixture(scope="module")
def rows(model, edits):
    settings = PatchingSettings(window=1, stride=1, specs=OWN)
    return list(patching_rows(*model, edits, settings, shots=0, batch_size=16, identity=IDENTITY))


@pytest.fixture(scope="module")
def chains(model, tasks):
    pairs = list(draw_inconsistent_pairs(Template.from_config(tasks["level-1"]), N, 1, []))
    return pairs, list(inconsistent_chain_rows(*model, pairs, **CHAINS))


def test_a_model_that_ends_its_chains_with_an_end_of_sequence_token_gives_the_same_rows(
    model, chains
):
    """Its logit is what the newline's was, and only a config names it."""
    original, facts, tokenizer = copy.deepcopy(model)
    newline = tokenizer.convert_tokens_to_ids("\n")
    tokenizer.add_tokens(["<end>"])
    end = tokenizer.convert_tokens_to_ids("<end>")
    original.resize_token_embeddings(len(tokenizer))
    with torch.no_grad():
        original.lm_head.weight[end] = original.lm_head.weight[newline]
        original.lm_head.weight[newline] = 0
    pairs, expected = chains
    rows = inconsistent_chain_rows(original, facts, tokenizer, pairs, **CHAINS, end_ids=[end])
    assert list(rows) == expected


def validator(name):
    return Draft202012Validator(
        yaml.safe_load((REPOSITORY / f"schemas/{name}.schema.yaml").read_text())
    )


def test_rows_fit_their_schema(rows, chains):
    for name, some in (("patching_row", rows), ("inconsistent_chain_row", chains[1])):
        for row in some:
            validator(name).validate(row)
    for row in [*rows_of_patching(rows), *rows_of_inconsistent_chains(chains[1])]:
        validator("intervention_row").validate(row)


def number(scratchpad, equation):
    """The last number of an equation of a chain."""
    return [symbol for symbol in scratchpad.split(" , ")[equation] if symbol.isdigit()][-1]


def test_rates_are_shares_of_the_pairs_whose_outputs_are_listed(rows, edits):
    for row in rows:
        if row["answer_equation"] is None:
            continue
        pairs = [edits[row["edit"]][i] for i in row["pairs"]]
        says = row["outputs"]
        golds = {
            "base": [number(pair["base_scratchpad"], row["answer_equation"]) for pair in pairs],
            "edited": [number(pair["scratchpad"], row["answer_equation"]) for pair in pairs],
        }
        target = {"base": "edited", "edited": "base"}[row["source"]]
        counts = Counter(
            "success" if said == new else "unchanged" if said == old else "other"
            for said, new, old in zip(says, golds[row["source"]], golds[target], strict=True)
        )
        assert row["n"] == len(pairs) == len(says)
        # A pair whose number is the same in both is never asked.
        assert all(one != other for one, other in zip(golds["base"], golds["edited"], strict=True))
        for outcome in ("success", "unchanged", "other"):
            if not pairs:
                assert row[outcome] is row[f"{outcome}_ci_low"] is None
                continue
            assert row[outcome] == counts[outcome] / len(pairs)
            interval = binomtest(counts[outcome], len(pairs)).proportion_ci(0.95, "wilson")
            assert row[f"{outcome}_ci_low"] == pytest.approx(interval.low)
            assert row[f"{outcome}_ci_high"] == pytest.approx(interval.high)


def test_solved_pairs_are_those_that_both_runs_get_right(rows):
    of = {(r["edit"], r["spec"], r["forced"], r["rows"]): r for r in rows}
    fewer = 0
    for (edit, spec, forced, which), row in of.items():
        if which == "solved":
            every = of[edit, spec, forced, "all"]
            assert set(row["pairs"]) <= set(every["pairs"])
            assert row["base_accuracy"] == row["edited_accuracy"] == 1
            least = every["base_accuracy"] + every["edited_accuracy"] - 1
            assert row["n"] >= least * every["n"] - 1e-9
            assert row["n"] <= min(every["base_accuracy"], every["edited_accuracy"]) * every["n"]
            fewer += row["n"] < every["n"]
    assert fewer, "the model should get some wrong"


def test_what_must_follow_follows(rows):
    solved = [row for row in rows if row["rows"] == "solved"]
    for row in solved:
        if row["spec"] in ("everything before", "all"):
            assert row["logit_difference"] == pytest.approx(1, abs=1e-4)
        if row["kind"] == "sliding" and row["equation"] == -1 and row["layers"] == [2]:
            assert row["logit_difference"] == pytest.approx(0, abs=1e-4)
        # All that comes before the position that is read, or all of the run.
        if row["spec"] in ("everything before", "all"):
            assert row["success"] == 1
        # The last layer of the question says nothing to any later position.
        if row["kind"] == "sliding" and row["equation"] == -1 and row["layers"] == [2]:
            assert row["unchanged"] == 1
    # The first number, changed in the input where the problem says it, is copied to the chain.
    copied = [r for r in solved if r["spec"] == "input" and r["edit"] == "first-formula"]
    assert [r["success"] > 0.8 for r in copied] == [True]
    assert {row["variable"] for row in solved if row["answer_equation"] == 4} == {1}
    assert {row["variable"] for row in solved if row["answer_equation"] in (1, 3)} == {0}
    assert {row["variable"] for row in solved if row["answer_equation"] == 0} == {None}


def test_the_logit_difference_says_how_far_a_patch_moves_the_model(rows, model, edits):
    network, _, tokenizer = model
    solved = [row for row in rows if row["rows"] == "solved" and row["edit"] == "second-formula"]
    row = next(row for row in solved if row["spec"] == "problem")
    pairs = [edits["second-formula"][i] for i in row["pairs"]]
    texts = {
        "base": [pair["base_source"] + pair["base_target"] for pair in pairs],
        "edited": [pair["source"] + pair["target"] for pair in pairs],
    }
    ids = {run: torch.tensor(tokenizer(text)["input_ids"]) for run, text in texts.items()}
    read = ids["base"].shape[1] - 3
    states = {}

    def keep(layer):
        return lambda _m, _a, out: states.__setitem__(layer, out)

    blocks = network.model.layers
    handles = [block.register_forward_hook(keep(i)) for i, block in enumerate(blocks)]
    handles.append(
        blocks[0].register_forward_pre_hook(lambda _m, args: keep("in")(_m, args, args[0]))
    )
    with torch.inference_mode():
        logits = {"base": network(ids["base"]).logits[:, read]}
    for handle in handles:
        handle.remove()
    positions = row["positions"]

    def put(layer):
        def hook(_m, _a, out):
            new = out.clone()
            new[:, positions] = states[layer][:, positions]
            return new

        return hook

    with torch.inference_mode():
        logits["edited"] = network(ids["edited"]).logits[:, read]
        handles = [block.register_forward_hook(put(i)) for i, block in enumerate(blocks)]
        handles.append(
            blocks[0].register_forward_pre_hook(lambda _m, args: (put("in")(_m, args, args[0]),))
        )
        logits["patched"] = network(ids["edited"]).logits[:, read]
    for handle in handles:
        handle.remove()
    gold = {run: of_run[:, read + 1] for run, of_run in ids.items()}
    difference = {
        run: (of_run.gather(1, gold["base"][:, None]) - of_run.gather(1, gold["edited"][:, None]))
        for run, of_run in logits.items()
    }
    moved = (difference["patched"] - difference["edited"]) / (
        difference["base"] - difference["edited"]
    )
    assert row["logit_difference"] == pytest.approx(moved.mean().item(), rel=1e-3)
    half = student.ppf(0.975, len(pairs) - 1) * moved.std().item() / len(pairs) ** 0.5
    assert row["logit_difference_ci_high"] - row["logit_difference"] == pytest.approx(
        half, rel=1e-3
    )
    assert {r["logit_difference"] for r in rows if r["rows"] == "all"} == {None}


def test_the_grid_asks_for_each_number_of_the_chain_from_the_span_on(rows):
    asked = {
        (row["equation"], row["answer_equation"])
        for row in rows
        if row["kind"] == "sliding" and row["edit"] == "random"
    }
    # The chain: B = # - A, A = #, B = # - A, B = # - #, B = #.
    assert asked == {(e, a) for e in range(-3, 5) for a in range(5) if a >= e}
    directed = [row for row in rows if row["kind"] == "directed"]
    assert {row["spec"] for row in directed} == set(DIRECTED)
    assert {row["answer_equation"] for row in directed} == {4}


def written_after(model, texts):
    """What `generate` writes after each text, up to the newline; texts have one length."""
    network, _, tokenizer = model
    ids = tokenizer(texts, return_tensors="pt")["input_ids"]
    end = tokenizer.convert_tokens_to_ids("\n")
    options = {"max_new_tokens": 40, "do_sample": False, "eos_token_id": end, "pad_token_id": end}
    output = network.generate(ids, attention_mask=torch.ones_like(ids), **options)
    return [text.split("\n")[0] for text in tokenizer.batch_decode(output[:, ids.shape[1] :])]


def test_after_a_wrong_result_the_model_writes_what_generate_writes(model, chains):
    pairs, (solved, every) = chains
    assert (solved["rows"], every["rows"]) == ("solved", "all")
    assert (every["variable"], every["equation"], every["n"]) == (0, 1, N)
    shown = [" , ".join(pair["scratchpad"].split(" , ")[:2]) for pair in pairs]
    texts = [f"{pair['source']} {chain}" for pair, chain in zip(pairs, shown, strict=True)]
    finals = [text.split("=")[-1].strip() for text in written_after(model, texts)]
    assert every["outputs"] == finals
    follows = Counter()
    for pair, final in zip(pairs, finals, strict=True):
        chain, problem = pair["original_answer"], pair["base_original_answer"]
        follows["chain" if final == chain else "problem" if final == problem else "other"] += 1
    assert every["follows_chain"] == follows["chain"] / N
    assert every["follows_problem"] == follows["problem"] / N
    assert every["other"] == pytest.approx(follows["other"] / N)
    # Those that the model solves without the wrong result.
    right = [
        text.replace(" ", "") == pair["base_scratchpad"].replace(" ", "")
        for text, pair in zip(
            written_after(model, [pair["base_source"] for pair in pairs]), pairs, strict=True
        )
    ]
    assert solved["pairs"] == [i for i in range(N) if right[i]]
    assert 0 < solved["n"] < N


def test_models_are_shown_a_bos_token_unless_the_config_says_none(model, edits, chains):
    """It is the first token of the first pass, or no token of any row's beginning."""
    network, facts, tokenizer = model
    with_bos = copy.deepcopy(tokenizer)
    token, id_ = tokenizer.convert_ids_to_tokens(1), 1
    with_bos.backend_tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{token}:0 $A:0", special_tokens=[(token, id_)]
    )
    settings = PatchingSettings(window=4, stride=4, specs={})
    options = {"shots": 0, "batch_size": 16, "identity": IDENTITY}
    pairs, _ = chains
    first: list[int] = []
    recording = network.register_forward_pre_hook(
        lambda _module, _args, given: first.append(int(given["input_ids"][0, 0])), with_kwargs=True
    )
    few = {name: rows[:4] for name, rows in edits.items()}
    for rows in (
        lambda *setting, **bos: patching_rows(*setting, few, settings, **options, **bos),
        lambda *setting, **bos: inconsistent_chain_rows(
            *setting, pairs[:8], max_new_tokens=20, **options, **bos
        ),
    ):
        first.clear()
        plain = list(rows(network, facts, tokenizer))
        assert list(rows(network, facts, with_bos, bos="none")) == plain
        assert first[0] != id_
        first.clear()
        list(rows(network, facts, with_bos))
        assert first[0] == id_
    recording.remove()


@pytest.mark.thorough
def test_a_pretrained_model_behind_examples_is_patched_too(tasks):
    """SmolLM2-135M-Instruct, whose tokenizer knows nothing of our symbols."""
    sizes = {"train": 5, "valid": 1, "test": 1, "probing_train": 1}
    splits = [row for rows in generate_splits(tasks["level-1"], sizes, 1).values() for row in rows]
    edit = Edit.from_config(["v0.1"], Template.from_config(tasks["level-1"]))
    pairs = list(draw_pairs(edit, 4, 1, splits))
    folder = smollm2_checkpoint()
    model = Checkpoint(folder).model()
    rows = list(
        patching_rows(
            model,
            facts_of(model),
            Checkpoint(folder).tokenizer(),
            {"edit": pairs},
            PatchingSettings(window=16, stride=15, specs={}),
            shots=3,
            batch_size=8,
            identity=IDENTITY,
        )
    )
    layers = {tuple(row["layers"]) for row in rows if row["kind"] == "sliding"}
    assert layers == {tuple(range(16)), tuple(range(15, 31))}
    every = [row for row in rows if row["rows"] == "all"]
    assert {row["n"] for row in every} == {4}
    # In the middle of a chain that it is shown, a number is followed by what it is to copy.
    copied = [row for row in every if row["answer_equation"] == 1]
    assert {row["base_accuracy"] for row in copied} == {1.0}
    for row in every:
        assert all(said.isdigit() for said in row["outputs"])
        if row["spec"] == "everything before":
            # Right or wrong, the base run's answers.
            assert row["success"] == row["base_accuracy"]

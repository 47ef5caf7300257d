"""Rates of steering: outcomes, what is left out, and a model that must say what its probe says."""

import pytest
import torch
import yaml
from jsonschema import Draft202012Validator
from support.architectures import FAMILIES, random_model
from support.facts import facts_of
from support.repository import REPOSITORY
from transformers import LlamaConfig

from think_to_talk.errors import UnreadError
from think_to_talk.files.shards import Shards, write_shard
from think_to_talk.formulas.ceilings import ceiling_rows
from think_to_talk.formulas.datasets import generate_splits
from think_to_talk.formulas.steered_chains import steered_chains
from think_to_talk.formulas.templates import Template
from think_to_talk.hidden_states.model_check import check_model
from think_to_talk.intervals import share
from think_to_talk.steering.rows import (
    SteeringSettings,
    Task,
    outcomes,
    probed_values,
    stated_value,
    steering_rows,
)
from think_to_talk.steering.steered_runs import Steered
from think_to_talk.tokens.prompts import align, tokenize
from think_to_talk.tokens.symbol_tokenizer import symbol_tokenizer
from think_to_talk.tokens.task_positions import TaskPositions

SIZES = {"train": 4, "valid": 1, "test": 12, "probing_train": 1}
IDENTITY = {"model": "m", "seed": 3, "task": "t"}
SHOTS, WIDTH, N_LAYERS = 1, 32, 3
SETTINGS = SteeringSettings(problems=8, factors=[1, 2], controls=2, threshold=0.9)
#: Solved by the model, or said to be.
ALIGNED = [row for row in range(12) if row not in (1, 4)]


@pytest.fixture(scope="module")
def dataset(tasks):
    return generate_splits(tasks["level-2"], SIZES, 3)["test"]


@pytest.fixture(scope="module")
def layout(dataset):
    tokenizer = symbol_tokenizer()
    return align(tokenizer, dataset, list(tokenize(tokenizer, dataset, SHOTS)))


@pytest.fixture
def task(dataset, layout, tasks, tmp_path):
    """Random probes; one before A's result and two before B's are accurate."""
    accurate = {(0, 1, 13): (0.95, 0.4), (1, 2, -2): (0.9, 0.9), (1, 3, 29): (1.0, None)}
    n = layout.n_positions
    generator = torch.Generator().manual_seed(0)
    shapes = {}
    for layer in range(N_LAYERS + 1):
        shapes[f"layer.{layer}.weight"] = (torch.float32, (n, 2, 10, WIDTH))
        shapes[f"layer.{layer}.bias"] = (torch.float32, (n, 2, 10))
    with write_shard(tmp_path / "probes.safetensors", shapes, {"task": "t"}) as stored:
        for tensor in stored.values():
            tensor.copy_(torch.randn(tensor.shape, generator=generator))
    template = Template.from_config(tasks["level-2"])
    rows = [
        {
            "layer": layer,
            "position": position,
            **layout.place(position),
            "variable": variable,
            "score": accurate.get((variable, layer, position - layout.n_problem), (0.2,))[0],
            "heldout_score": accurate.get((variable, layer, position - layout.n_problem), (0, 0))[
                1
            ],
        }
        for layer in range(N_LAYERS + 1)
        for position in range(n)
        for variable in range(2)
    ]
    return Task(
        dataset=dataset,
        generations=[{"row": row, "aligned": row in ALIGNED} for row in range(12)],
        probes=rows,
        weights=Shards.open([tmp_path / "probes.safetensors"], {"task": "t"}),
        ceilings=list(ceiling_rows(template)),
        template=template,
        positions=TaskPositions(layout, are_symbols=False),
    )


def llama():
    """Random, in fp64, with a vocabulary that holds the symbols."""
    return random_model(LlamaConfig(**{**FAMILIES[0].to_diff_dict(), "vocab_size": 90}))


def steered(model, task, settings=SETTINGS, batch_size=5, **options):
    options = {"identity": IDENTITY, "shots": SHOTS, **options}
    facts = options.pop("facts", None) or facts_of(model)
    return list(
        steering_rows(
            model, facts, symbol_tokenizer(), task, settings, batch_size=batch_size, **options
        )
    )


def test_there_is_a_row_per_place_factor_and_kind_that_fits_the_schema(task, layout):
    rows = steered(llama(), task)
    schema = yaml.safe_load((REPOSITORY / "schemas/steering_row.schema.yaml").read_text())
    for row in rows:
        Draft202012Validator(schema).validate(row)
    tried = [(row["factor"], row["kind"]) for row in rows]
    each = [(1, "probe"), (1, "random"), (2, "probe"), (2, "random")]
    assert tried == each * (len(rows) // 4)
    found = {
        (row["variable"], row["layer"], row["relative_position"]): row
        for row in rows
        if row["steered"] and (row["factor"], row["kind"]) == (2, "probe")
    }
    assert set(found) == {(0, 1, 13), (1, 2, -2), (1, 3, 29)}
    passes = [found[key]["passes_held_out"] for key in sorted(found)]
    assert passes == [False, True, None]
    assert {row["value_position"] for row in rows if row["variable"] == 0} == {14}
    for row in rows:
        if not row["steered"]:
            assert (row["n"], row["follows"], row["step"], row["sample_ids"]) == (0, None, None, [])
            assert (row["no_target"], row["not_reached"]) == (0, 0)


def test_the_first_solved_rows_are_steered_unless_they_have_no_target_or_no_step(task, dataset):
    for row in steered(llama(), task):
        if not row["steered"]:
            continue
        assert row["solved"] == 8
        n = 8 - row["no_target"] - row["not_reached"]
        assert row["n"] == n * (1 if row["kind"] == "probe" else SETTINGS.controls)
        assert set(row["sample_ids"]) <= {0, 2, 3, 5, 6, 7, 8, 9}
        assert len(set(row["sample_ids"])) == n
        for number, predicted, target in zip(
            row["sample_ids"], row["predictions"], row["targets"], strict=True
        ):
            chains = steered_chains(dataset[number], task.template, row["variable"])
            assert target in set(chains) - {predicted}


def test_rates_are_those_of_what_is_written(task, dataset):
    for row in steered(llama(), task):
        if not row["n"]:
            continue
        hits = sum(v == t for v, t in zip(row["values"], row["targets"], strict=True))
        expected = share("value", hits, row["n"])
        assert {key: row[key] for key in expected} == expected
        assert row["follows"] + row["unchanged"] + row["other"] == pytest.approx(1)
        assert row["follows"] <= row["value"]
        assert len(row["outputs"]) == len(row["values"]) == row["n"]


@pytest.mark.parametrize("batch_size", [1, 64])
def test_the_batch_size_changes_nothing(task, batch_size):
    exact = ("sample_ids", "predictions", "targets", "values", "outputs", "follows", "not_reached")
    model = llama()
    for a, b in zip(steered(model, task), steered(model, task, batch_size=batch_size), strict=True):
        assert {key: a[key] for key in exact} == {key: b[key] for key in exact}
        assert (a["step"] or 0) == pytest.approx(b["step"] or 0, rel=1e-9)


def test_another_seed_draws_other_targets(task):
    model = llama()
    one, other = (
        [row["targets"] for row in steered(model, task, identity={**IDENTITY, "seed": seed})]
        for seed in (3, 4)
    )
    assert one != other


def test_without_controls_there_are_no_random_steps(task):
    rows = steered(llama(), task, SteeringSettings(8, [1], 0, 0.9))
    assert {row["kind"] for row in rows} == {"probe"}


def test_a_model_that_solves_nothing_is_not_steered(task):
    unsolved = [{"row": row, "aligned": False} for row in range(12)]
    rows = steered(llama(), Task(**{**vars(task), "generations": unsolved}))
    assert {(row["n"], row["solved"], row["follows"]) for row in rows} == {(0, 0, None)}


def test_a_model_whose_probes_could_not_be_trained_is_not_steered(task):
    none = [{**row, "score": None} for row in task.probes]
    rows = steered(llama(), Task(**{**vars(task), "probes": none}))
    schema = yaml.safe_load((REPOSITORY / "schemas/steering_row.schema.yaml").read_text())
    for row in rows:
        Draft202012Validator(schema).validate(row)
        assert (row["accuracy"], row["steered"], row["n"]) == (None, False, 0)
    assert {row["variable"] for row in rows} == {0, 1}


def test_a_task_without_any_place_cannot_be_read(task):
    with pytest.raises(UnreadError, match=r"^no value is determined by the problem"):
        steered(llama(), Task(**{**vars(task), "ceilings": []}))


def digits_only(model, tokenizer):
    """Have a model say a digit whatever it is given; returns the rows [10, hidden] of its head."""
    ids = [tokenizer.convert_tokens_to_ids(str(digit)) for digit in range(10)]
    head = torch.nn.Linear(WIDTH, 90).double()
    torch.nn.init.zeros_(head.weight)
    torch.nn.init.constant_(head.bias, -1e4)
    weight = torch.randn(10, WIDTH, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        head.weight[ids] = weight.double()
        head.bias[ids] = 0
    model.lm_head = head
    return weight


@pytest.mark.parametrize(("variable", "t"), [(0, 13), (1, 29)])
def test_a_model_says_what_its_own_head_is_made_to_say(task, layout, tmp_path, variable, t):
    """Where the probe is the head itself, the next token is the target in every row."""
    model = llama()
    weight = digits_only(model, symbol_tokenizer())
    shapes = {"layer.3.weight": (torch.float32, (layout.n_positions, 2, 10, WIDTH))}
    shapes["layer.3.bias"] = (torch.float32, (layout.n_positions, 2, 10))
    with write_shard(tmp_path / "head.safetensors", shapes, {}) as stored:
        stored["layer.3.weight"][:] = weight
    place = (N_LAYERS, t, variable)
    probes = [
        {**row, "score": 1.0}
        for row in task.probes
        if (row["layer"], row["relative_position"], row["variable"]) == place
    ]
    weights = Shards.open([tmp_path / "head.safetensors"], {})
    own = Task(**{**vars(task), "probes": probes, "weights": weights})
    facts = check_model(model).facts
    assert facts.last_state == "model.norm"
    rows = steered(model, own, last_layer="after_norm", facts=facts)
    assert len(rows) == 4
    for row in rows:
        assert row["n"] > 3
        first = [int(output[0]) for output in row["outputs"]]
        assert first == row["targets" if row["kind"] == "probe" else "predictions"]


def test_outcomes_are_told_by_the_whole_chain():
    gold = "b = 7 - e , e = 4 - 2 , e = 2 , b = 7 - e , b = 7 - 2 , b = 5"
    other = "b = 7 - e , e = 4 - 2 , e = 3 , b = 7 - e , b = 7 - 3 , b = 4"
    dataset = [{"scratchpad": gold, "intermediate_questions": ["e =", "b ="]}]
    texts = [
        other.replace(" ", ""),
        gold,
        # The value alone; another value; no end.
        other[:-1] + "5",
        gold.replace("e = 2", "e = 6"),
        other[:-4],
    ]
    runs = [Steered(0, torch.zeros(2), "probe", 1, 2, 3, length, 0.5) for length in range(5)]
    found = outcomes(runs, texts, 0, dataset, {0: {0: {3: other}}})
    rates = [found[key] for key in ("follows", "value", "unchanged", "other")]
    assert rates == pytest.approx([1 / 5, 3 / 5, 1 / 5, 3 / 5])
    assert found["values"] == [3, 2, 3, 6, 3]
    assert (found["n"], found["step"], found["relative_step"]) == (5, 2, 0.5)
    assert found["outputs"][:4] == ["4", "5", "5", "5"]


def test_a_value_is_the_first_result_of_its_variable():
    chain = "b = 7 - e , e = 4 - 2 , e = 3 , b = 7 - e , b = 7 - 3 , b = 4"
    assert stated_value(chain, "e =") == 3
    assert stated_value(chain, "b =") == 4
    assert stated_value(chain, "c =") is None
    assert stated_value("b = 7 - e , e = 12 ; e = 5", "e =") == 12
    assert stated_value("e = b", "e =") is None
    assert stated_value("e=4", "e =") == 4


def test_no_probe_is_made_to_say_what_it_was_not_trained_on(task):
    every = [row["intermediate_answers"] for row in task.dataset]
    generations = [{"aligned": number % 2 == 0} for number in range(len(every))]
    few = probed_values(task.dataset, generations, "correct")
    assert few == [{values[v] for values in every[::2]} for v in range(2)]
    assert probed_values(task.dataset, generations, "all") == [
        {values[v] for values in every} for v in range(2)
    ]
    few = [few[0] - {min(few[0])}, few[1] - {max(few[1])}]
    rows, free = steered(llama(), Task(**{**vars(task), "probed": few})), steered(llama(), task)
    left_out = {(row["variable"], target) for row in free for target in row["targets"]}
    left_out -= {(row["variable"], target) for row in rows for target in row["targets"]}
    assert left_out
    for row in rows:
        assert set(row["targets"]) <= few[row["variable"]]
    none = steered(llama(), Task(**{**vars(task), "probed": [set(), set()]}))
    assert all(row["n"] == 0 for row in none)
    assert {row["no_target"] for row in none if row["steered"]} == {len(ALIGNED[:8])}

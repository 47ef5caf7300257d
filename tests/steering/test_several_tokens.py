"""Steering where numbers take several tokens, or rows other ones: each run by plain passes."""

import pytest
import torch
import yaml
from jsonschema import Draft202012Validator
from support.facts import SLOWER_WAYS, facts_of, slower
from support.patching import plain_states
from support.repository import REPOSITORY
from support.steering import (
    NAMES,
    Case,
    by_heart,
    case_of,
    naive,
    random_llama,
    room,
    steered,
    task_of,
)
from support.templates import template
from support.whole_numbers import EQUATIONS

from think_to_talk.errors import UnreadError
from think_to_talk.formulas.steered_chains import steered_chains
from think_to_talk.formulas.symbols import text_symbols
from think_to_talk.steering import rows as steering
from think_to_talk.steering.steered_runs import Steerer
from think_to_talk.tokens.symbol_tokenizer import symbol_tokenizer


@pytest.fixture(scope="module", params=NAMES, name="case")
def case_(request):
    return case_of(request.param)


@pytest.fixture
def recorded(monkeypatch):
    """[(place, run)] of all runs, as `steering_rows` makes them."""
    found = []

    class Recording(Steerer):
        def runs(self, *args):
            for n, batch in super().runs(*args):
                found.extend((place, run) for place, runs in batch for run in runs)
                yield n, batch

    monkeypatch.setattr(steering, "Steerer", Recording)
    return found


def spread_scores(layer, position, variable):
    """About half of the places are steered."""
    return (7 * layer + 5 * position + 3 * variable) % 11 / 10


def test_each_run_writes_what_greedy_decoding_token_by_token_writes(case, recorded, tmp_path):
    task = task_of(case, tmp_path, spread_scores)
    rows = steered(case, task)
    schema = yaml.safe_load((REPOSITORY / "schemas/steering_row.schema.yaml").read_text())
    for row in rows:
        Draft202012Validator(schema).validate(row)
    limits = {row: room(case, row, task) for row in range(case.n)}
    assert len(recorded) > 50
    assert {place.variable for place, _ in recorded} == {0, 1}
    for place, run in recorded[::3]:
        assert run.written == naive(case, place, run, limits[run.row]), place
    targets = {target for row in rows for target in row["targets"]}
    assert max(targets) > 9


def test_the_state_that_is_moved_is_that_of_the_last_token_of_a_position(case, recorded, tmp_path):
    task = task_of(case, tmp_path, spread_scores)
    steered(case, task)
    states = [plain_states(case.model, torch.tensor([run.ids])) for run in case.runs[: case.n]]
    for place, run in recorded:
        token = case.runs[run.row].tokens(place.position)[-1]
        own = states[run.row][place.layer][0, token]
        assert (run.state - own).norm().item() == pytest.approx(run.length, rel=1e-6)
        at = slice(place.variable, place.variable + 1)
        weight, bias = (
            task.weights.read(f"layer.{place.layer}.{part}", at)[place.position, 0].double()
            for part in ("weight", "bias")
        )
        assert (weight @ own + bias).argmax() == run.predicted
        said = int((weight @ run.state + bias).argmax())
        assert said == (run.target if run.kind == "probe" else run.predicted)


def test_neither_the_batch_size_nor_a_slower_way_changes_a_row(case, tmp_path):
    task = task_of(case, tmp_path, spread_scores)
    exact = ("sample_ids", "predictions", "targets", "values", "outputs", "not_reached")
    rows = steered(case, task, 0, [2])
    assert all(row["sample_ids"] == sorted(row["sample_ids"]) for row in rows)
    options = [{"batch_size": 1}, {"batch_size": 64}]
    options += [{"facts": slower(facts_of(case.model), SLOWER_WAYS[-1])}]
    for option in options:
        for a, b in zip(rows, steered(case, task, 0, [2], **option), strict=True):
            assert {key: a[key] for key in exact} == {key: b[key] for key in exact}


def test_the_last_layer_is_a_place_if_the_next_token_begins_the_number(case, tmp_path):
    rows = steered(case, task_of(case, tmp_path, lambda *_: 0.0))
    layout = case.layouts.layout
    last = [row for row in rows if row["layer"] == case.n_layers]
    for row in last:
        for run in case.runs:
            token = run.tokens(row["position"])[-1]
            assert run.text[run.spans[token + 1][0] : run.spans[token + 1][1]].strip().isdigit()
            assert not run.text[slice(*run.spans[token])].strip().isdigit()
    for variable in range(2):
        of_variable = [row for row in rows if row["variable"] == variable]
        (value,) = {row["value_position"] + layout.n_problem for row in of_variable}
        for run, row in zip(case.runs, case.dataset, strict=True):
            digits = [t for t in run.tokens(value) if run.text[slice(*run.spans[t])].strip()]
            written = "".join(run.text[slice(*run.spans[t])] for t in digits).strip()
            answer = str(row["intermediate_answers"][variable])
            assert answer.endswith(written)
            assert len(written) == (len(answer) if run.by_symbol else 1)
            # No place is at or behind the number's first digit.
            end = run.spans[run.tokens(max(row["position"] for row in of_variable))[-1]][1]
            first = run.spans[digits[-1]][1] - len(answer)
            assert end <= first


@pytest.fixture(scope="module")
def larger():
    """Sums from 10 on take another token than those below, wherever the chain states them."""
    return by_heart()


def embedded_digits(case):
    """A probe of the token embedding at a number that says the number with that last token."""
    names = [str(k) if k < 10 else f"##{k % 10}" for k in range(13)]
    ids = case.tokenizer.convert_tokens_to_ids(names)
    weight = case.model.get_input_embeddings().weight[ids].detach()
    return weight, -weight.square().sum(dim=1) / 2


def in_the_problem(case):
    """The layer and position of the number of `A = #`, which a chain copies, and its variable."""
    return 0, case.layouts.layout.symbols.index("#"), 0


def follows(case, run):
    """Whether a run's text is the chain of its target, and by how many tokens that is longer."""
    row, own = case.dataset[run.row], case.runs[run.row]
    start = own.tokens(own.n_problem)[0]
    text = case.tokenizer.decode([*own.ids[:start], *run.written])
    written = text[len(case.tokenizer.decode(own.ids[:start])) :].split("\n")[0]
    chain = steered_chains(row, case.template, 0)[run.target]
    longer = case.following(run.row, f" {chain}\n") - case.following(run.row, row["target"])
    return text_symbols(written) == text_symbols(chain), longer


def test_a_chain_that_takes_more_tokens_than_the_gold_one_is_written_to_its_end(
    larger, recorded, tmp_path, monkeypatch
):
    """The model is given another embedding of A's digit, and reads another problem."""
    place = in_the_problem(larger)
    own = {place: embedded_digits(larger)}
    task = task_of(larger, tmp_path, lambda *at: float(at == place), own)
    (row,) = [row for row in steered(larger, task, 0, [2]) if row["n"]]
    judged = [follows(larger, run) for _, run in recorded]
    assert row["n"] == len(judged)
    assert row["follows"] == sum(right for right, _ in judged) / row["n"]
    longer = [more for right, more in judged if right and more > 0]
    assert set(longer) == {2}, "the result is stated twice"
    assert len(longer) > 5
    assert sum(right and more <= 0 for right, more in judged) > 5
    # Where there is no room for them, they are cut, and none is right.
    monkeypatch.setattr(steering, "further_tokens", lambda *_: 0)
    (cut,) = [row for row in steered(larger, task, 0, [2]) if row["n"]]
    assert round((row["follows"] - cut["follows"]) * row["n"]) == len(longer)


def test_values_and_answers_are_whole_numbers(larger, recorded, tmp_path):
    place = in_the_problem(larger)
    own = {place: embedded_digits(larger)}
    task = task_of(larger, tmp_path, lambda *at: float(at == place), own)
    (row,) = [row for row in steered(larger, task, 0, [2]) if row["n"]]
    said = [larger.dataset[i]["intermediate_answers"][0] for i in row["sample_ids"]]
    assert row["predictions"] == said
    assert max(said) > 9
    lengths = set()
    runs = sorted((run for _, run in recorded), key=lambda run: run.row)
    for run, output, value in zip(runs, row["outputs"], row["values"], strict=True):
        if follows(larger, run)[0]:
            chain = steered_chains(larger.dataset[run.row], larger.template, 0)[run.target]
            assert (value, output) == (run.target, text_symbols(chain)[-1])
            lengths.add(len(output))
    assert lengths == {1, 2}


def test_controls_need_a_hidden_size_above_the_classes(tmp_path):
    tokenizer = symbol_tokenizer((), 99)
    task = template(EQUATIONS, values=[0, 99], shots=1)
    case = Case(task, random_llama(len(tokenizer)), tokenizer)
    given = task_of(case, tmp_path, spread_scores)
    message = r"^a hidden size of 32 leaves no direction orthogonal to the 100 weight rows of a"
    with pytest.raises(UnreadError, match=message):
        steered(case, given)
    assert any(row["n"] for row in steered(case, given, controls=0))

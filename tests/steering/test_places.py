"""Where variables are steered: positions and layers are chosen by the accuracy of their probes."""

import pytest

from think_to_talk.formulas.ceilings import ceiling_rows
from think_to_talk.formulas.datasets import generate_splits
from think_to_talk.formulas.templates import Template
from think_to_talk.steering.places import steered_places
from think_to_talk.steering.task_tokens import TaskTokens
from think_to_talk.tokens.prompts import align, tokenize
from think_to_talk.tokens.symbol_tokenizer import symbol_tokenizer
from think_to_talk.tokens.task_positions import TaskPositions

SIZES = {"train": 3, "valid": 1, "test": 5, "probing_train": 1}
N_LAYERS = 3


@pytest.fixture(scope="module")
def task(tasks):
    """`B=#±A,A=#;B=?B=#±A,A=#,B=#±A,B=#±#,B=#⏎`, a token per symbol; determined at the `#` of A."""
    rows = generate_splits(tasks["level-1"], SIZES, 3)["test"]
    tokenizer = symbol_tokenizer()
    tokenized = list(tokenize(tokenizer, rows, 0))
    positions = TaskPositions(align(tokenizer, rows, tokenized), are_symbols=False)
    tokens = TaskTokens.of(tokenizer, tokenized, positions)
    return tokens, list(ceiling_rows(Template.from_config(tasks["level-1"])))


@pytest.fixture(scope="module")
def layout(task):
    return task[0].layout


def probes(layout, scores, heldout=None, layers=(0, 1, 2, 3)):
    """Probe rows of two variables; accuracy 0.2 but for {(variable, layer, t): accuracy}."""
    return [
        {
            "layer": layer,
            "position": position,
            **layout.place(position),
            "variable": variable,
            "score": scores.get((variable, layer, position - layout.n_problem), 0.2),
            "heldout_score": heldout,
        }
        for layer in layers
        for position in range(layout.n_positions)
        for variable in (0, 1)
    ]


def places(task, scores, variables=(0, 1), **options):
    tokens, ceilings = task
    rows = probes(tokens.layout, scores, **options)
    found = steered_places(variables, rows, ceilings, tokens, N_LAYERS)
    return {v: [place for place in found if place.variable == v] for v in variables}


def where(found, layout):
    return [(place.layer, place.position - layout.n_problem) for place in found]


def test_each_equation_up_to_the_value_has_a_place(task, layout):
    found = places(task, {})
    # The last of equally accurate positions, from `A=#;` on; before the number, the last layer too.
    assert where(found[0], layout) == [(0, -4), (0, -1), (0, 5), (0, 7), (3, 7)]
    assert {place.number - layout.n_problem for place in found[0]} == {8}
    ends = [(0, -4), (0, -1), (0, 5), (0, 9), (0, 15), (0, 21), (0, 23), (3, 23)]
    assert where(found[1], layout) == ends
    assert {place.number - layout.n_problem for place in found[1]} == {24}


def test_the_most_accurate_position_and_layer_are_chosen(task, layout):
    scores = {(1, 2, -2): 0.95, (1, 1, 3): 0.9, (1, 2, 3): 0.9, (1, 2, 4): 0.8, (1, 1, 23): 0.7}
    found = places(task, scores, heldout=0.3)[1]
    assert where(found, layout)[1:3] == [(2, -2), (1, 3)]
    assert [place.accuracy for place in found[1:3]] == [0.95, 0.9]
    assert where(found, layout)[-2:] == [(1, 23), (3, 23)]
    assert {place.held_out_accuracy for place in found} == {0.3}


def test_what_the_text_does_not_determine_yet_is_no_place(task, layout):
    scores = {(0, 1, -6): 1.0, (0, 1, -5): 0.9, (0, 1, -4): 0.8, (1, 0, -13): 1.0}
    found = places(task, scores)
    assert where(found[0], layout)[0] == (1, -5)
    assert where(found[1], layout)[0] == (0, -4)


def test_positions_after_the_token_before_the_number_are_no_places(task, layout):
    scores = {(0, 1, 8): 1.0, (0, 2, 11): 1.0, (0, 1, 6): 1.0, (0, 3, 5): 1.0}
    assert where(places(task, scores)[0], layout)[-3:] == [(0, 5), (0, 7), (3, 7)]


def test_only_saved_layers_are_places(task, layout):
    below = places(task, {}, layers=(1,))[0]
    assert where(below, layout) == [(1, -4), (1, -1), (1, 5), (1, 7)]
    assert where(places(task, {}, layers=(3,))[0], layout) == [(3, 7)]


def test_a_probe_that_could_not_be_trained_is_chosen_last(task, layout):
    none = {(0, layer, t): None for layer in range(4) for t in range(-13, 40)}
    found = places(task, none)[0]
    assert where(found, layout) == [(0, -4), (0, -1), (0, 5), (0, 7), (3, 7)]
    assert {place.accuracy for place in found} == {None}
    almost = {**none, (0, 2, 1): 0.0, (0, 1, 7): 0.4}
    assert where(places(task, almost)[0], layout) == [(0, -4), (0, -1), (2, 1), (1, 7), (3, 7)]


def test_without_ceilings_there_are_no_places(task, layout):
    tokens, _ = task
    assert steered_places((0, 1), probes(layout, {}), [], tokens, N_LAYERS) == []

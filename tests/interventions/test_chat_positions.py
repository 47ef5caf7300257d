"""Positions of a chat template in patching specs, steering and forced answers."""

import pytest
import torch
from support.chats import symbol_chat_tokenizer

from think_to_talk.forced_answers.chains import Chains
from think_to_talk.forced_answers.cut_prompts import CutPrompts
from think_to_talk.formulas.ceilings import ceiling_rows
from think_to_talk.formulas.cuts import cut_examples, cut_row
from think_to_talk.formulas.datasets import generate_splits
from think_to_talk.formulas.templates import Template
from think_to_talk.interventions.specs import directed, of_the_problem, positions_of, sliding
from think_to_talk.steering.places import steered_places
from think_to_talk.steering.task_tokens import TaskTokens
from think_to_talk.tokens.chat import Chat
from think_to_talk.tokens.prompts import align, tokenize
from think_to_talk.tokens.task_positions import TaskPositions

SIZES = {"train": 3, "valid": 1, "test": 5, "probing_train": 1}
#: `B=#±A,A=#;B=?` are 13 positions, and `<|end|>` and `<|assistant|>` two.
TEMPLATE = (13, 14)


@pytest.fixture(scope="module")
def rows(tasks):
    return generate_splits(tasks["level-1"], SIZES, 3)["test"]


@pytest.fixture(scope="module")
def layout(rows):
    tokenizer = symbol_chat_tokenizer()
    return align(tokenizer, rows, list(tokenize(tokenizer, rows, 1, chat=Chat())))


@pytest.mark.parametrize(
    ("span", "expected"),
    [
        ({"equations": [-1, -1]}, range(10, 13)),
        ({"equations": [0, 0]}, range(15, 21)),
        ({"equations": [-1, 0]}, range(10, 21)),
        ({"equations": [-0.5, -0.5]}, TEMPLATE),
        ({"symbols": [12, 12]}, range(12, 13)),
        ({"symbols": [12, 13]}, range(12, 16)),
        ({"positions": [13, 14]}, TEMPLATE),
    ],
)
def test_a_span_has_the_template_where_it_reaches_over_it(layout, span, expected):
    assert positions_of(span, layout) == tuple(expected)


def test_the_grid_has_a_column_for_the_template(layout):
    specs = list(sliding(layout, n_layers=2, window=1, stride=1))
    columns = list(dict.fromkeys(spec.described(layout)["equation"] for spec in specs))
    assert columns == [-3, -2, -1, -0.5, 0, 1, 2, 3, 4]
    of_template = [spec for spec in specs if spec.positions == TEMPLATE]
    assert [spec.name for spec in of_template] == [
        f"template, layers {layer} to {layer}" for layer in range(3)
    ]
    # All numbers of the chain are read after it.
    assert {spec.forced for spec in of_template} == {
        spec.forced for spec in specs if spec.described(layout)["equation"] == -1
    }
    assert set(of_template) <= set(of_the_problem(specs, layout))


def test_a_patch_of_the_whole_problem_has_the_template_too(layout):
    problem = next(spec for spec in directed(layout, 2) if spec.name == "problem")
    assert problem.positions == tuple(range(15))
    assert problem.described(layout)["equation"] is None


def test_the_template_is_a_place_of_its_own_for_steering(rows, layout, tasks):
    probes = [
        {
            "layer": 1,
            "position": position,
            **layout.place(position),
            "variable": 1,
            "score": 0.9 if position in TEMPLATE else 0.2,
            "heldout_score": None,
        }
        for position in range(layout.n_positions)
    ]
    ceilings = list(ceiling_rows(Template.from_config(tasks["level-1"])))
    tokenizer = symbol_chat_tokenizer()
    tokenized = list(tokenize(tokenizer, rows, 1, chat=Chat()))
    tokens = TaskTokens.of(tokenizer, tokenized, TaskPositions(layout, are_symbols=False))
    found = steered_places([1], probes, ceilings, tokens, n_layers=3)
    # The last position of `A=#;`, of the question, of the template, and so on.
    assert [place.position for place in found][:4] == [9, 12, 14, 20]
    assert found[2].accuracy == 0.9
    assert {place.number for place in found} == {layout.n_problem + 24}


def test_cut_prompts_are_what_the_library_makes_of_the_cut_conversation(rows, layout):
    tokenizer = symbol_chat_tokenizer()
    prompts = CutPrompts.of(Chains.of(tokenizer, rows, 2, seed=1, chat=Chat("count")))
    first = prompts.cuts[0]
    assert first.place == {
        "relative_position": -1,
        "equation": -0.5,
        "symbol": "▪",
        "symbol_index": None,
    }
    assert [cut.place["equation"] for cut in prompts.cuts] == [-0.5, 0, 1, 2, 3]
    examples = cut_examples(rows[0]["few_shot_context"], 1).splitlines()[:2]
    turns = [text.partition("=?") for text in examples]
    messages = [{"role": "system", "content": "count"}]
    for problem, question, chain in turns:
        messages.append({"role": "user", "content": problem + question})
        messages.append({"role": "assistant", "content": chain.strip()})
    for cut in prompts.cuts:
        for i, row in enumerate(rows):
            answer = cut_row(row, cut.equations)["scratchpad"]
            ids = tokenizer.apply_chat_template(
                [
                    *messages,
                    {"role": "user", "content": row["source"]},
                    {"role": "assistant", "content": answer},
                ]
            )["input_ids"]
            given = prompts.ids[i, : prompts.n_problem + cut.kept]
            prompt = torch.cat([given, cut.suffix[i]]).tolist()
            # Without the answer and the end of the turn.
            assert [*prompts.prefix, *prompt] == ids[:-2]

"""Rates of steering: how often what a model writes follows the value that a probe was made to say.

A hidden state is moved along the weights of a variable's probe, from the value that the probe says
to another one, just far enough for the probe to say it, or a multiple of that step
(`steering.directions`). The model then writes on by greedy decoding. If it writes the chain of
thought that the problem would have, had the variable that value (`formulas.steered_chains`), it
uses what the probe reads; if it writes the gold chain, it does not. The controls are random steps
of the same length that change no score of the probe. Probes that pass the held-out test
(`probes.heldout`) are compared with those that do not. Sources: Li et al., arXiv:2306.03341 (steps
along the directions of probes); Cox et al., arXiv:2603.01437.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from math import inf
from typing import TYPE_CHECKING, Any

from think_to_talk.errors import UnreadError, located
from think_to_talk.files.shards import Shards
from think_to_talk.formulas.rows import is_correct
from think_to_talk.formulas.stated_values import (
    final_answer,
    number_in_place,
    stated_result,
)
from think_to_talk.formulas.steered_chains import steered_chains, steered_variables
from think_to_talk.formulas.symbols import sentences, text_symbols
from think_to_talk.formulas.templates import Template
from think_to_talk.hidden_states.facts import ModelFacts
from think_to_talk.hidden_states.passes import Passes
from think_to_talk.intervals import mean, share
from think_to_talk.progress import progress
from think_to_talk.steering.places import Place, Rows, steered_places
from think_to_talk.steering.steered_runs import Steered, Steerer
from think_to_talk.steering.targets import Chains, Targets, stored_probe
from think_to_talk.steering.task_tokens import TaskTokens, further_tokens
from think_to_talk.tokens.chat import Chat
from think_to_talk.tokens.generations import written_texts
from think_to_talk.tokens.layout import Layout
from think_to_talk.tokens.prompts import tokenize
from think_to_talk.tokens.stop_ids import stop_ids
from think_to_talk.tokens.task_positions import TaskPositions

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

#: Kinds of steps: along the probe's weights, and the controls.
KINDS = ("probe", "random")


@dataclass(frozen=True)
class SteeringSettings:
    """What is steered.

    problems: the most test rows that are steered, the first of those that the model solves.
    factors: how many times as long as the least step the steps are.
    controls: random steps per row, place and factor.
    threshold: the accuracy that a probe must reach to be steered along; also the held-out accuracy
        that it must reach to pass the held-out test.
    """

    problems: int
    factors: Sequence[float]
    controls: int
    threshold: float

    def reached_by(self, accuracy: float | None) -> bool:
        """Whether an accuracy, if there is one, reaches the threshold."""
        return accuracy is not None and accuracy >= self.threshold


@dataclass(frozen=True)
class Task:
    """What is known of a task before it is steered.

    dataset: its test rows.
    generations: what the model writes for each of them.
    probes: probe rows.
    weights: the shard of the probes' weights.
    ceilings: of its variables.
    template: of its problems.
    positions: of its token shards, which are those of the probes.
    probed: [variables] the values that its probes were trained on; None for all. What a probe has
        not seen has no direction to move along.
    """

    dataset: Rows
    generations: Rows
    probes: Rows
    weights: Shards
    ceilings: Rows
    template: Template
    positions: TaskPositions
    probed: Sequence[Collection[int]] | None = None


def steering_rows(
    model: PreTrainedModel,
    facts: ModelFacts,
    tokenizer: PreTrainedTokenizerBase,
    task: Task,
    settings: SteeringSettings,
    *,
    shots: int | str,
    bos: str = "tokenizer",
    chat: Chat | None = None,
    batch_size: int,
    last_layer: str = "before_norm",
    identity: Mapping[str, Any],
    end_ids: Sequence[int] = (),
) -> Iterator[dict[str, Any]]:
    """A row per place, factor and kind of step (schemas/steering_row.schema.yaml).

    facts: how the model may be run.
    shots, bos, chat: as of `tokens.prompts.tokenize`.
    batch_size: rows at a time.
    last_layer: which state of the last layer the probes read, as of `Passes`.
    identity: model, seed and task.
    end_ids: end-of-sequence ids of the checkpoint, beside the tokenizer's own.
    Raises UnreadError if no value could be steered, or if there are no controls to draw.
    """
    solved = [row["row"] for row in task.generations if row["aligned"]][: settings.problems]
    tokenized = list(tokenize(tokenizer, task.dataset, shots, bos, chat))
    tokens = TaskTokens.of(tokenizer, tokenized, task.positions)
    n_layers = model.config.get_text_config().num_hidden_layers
    variables = steered_variables(task.template)
    places = steered_places(variables, task.probes, task.ceilings, tokens, n_layers)
    if not places:
        raise UnreadError(
            "no value is determined by the problem and stated in the chain of thought, expected "
            "one to steer"
        )
    steered = [place for place in places if settings.reached_by(place.accuracy)]
    chains = {
        variable: {row: _chains(task, row, variable) for row in solved}
        for variable in {place.variable for place in steered}
    }
    targets = Targets(
        {place: stored_probe(task.weights, place) for place in steered},
        chains,
        settings.factors,
        settings.controls,
        identity,
    )
    stops = frozenset(stop_ids(tokenizer, end_ids, chat))
    further = {
        row: further_tokens(
            tokenizer,
            task.dataset[row],
            [chain for of_rows in chains.values() for chain in of_rows[row].values()],
        )
        for row in solved
    }
    passes = Passes(model, facts, tokenized[0].prefix, batch_size, last_layer)
    steerer = Steerer(passes, tokens.rows, stops, further)
    runs: dict[Place, list[Steered]] = {place: [] for place in places}
    description = f"steering {identity['model']}, seed {identity['seed']}, {identity['task']}"
    with (
        progress(len(solved), description, "rows") as bar,
        located(f"models.{identity['model']}"),
    ):
        for n_rows, found in steerer.runs(solved, steered, targets.steer):
            for place, of_place in found:
                runs[place] += of_place
            bar.update(n_rows)
    for place in places:
        # In the order of rows, which may have been steered in groups.
        runs[place].sort(key=lambda run: run.row)
        chain_ids = [
            [*tokens.rows[run.row].given_chain(place.position), *run.written] for run in runs[place]
        ]
        texts = written_texts(tokenizer, chain_ids, stops)
        kinds = KINDS if settings.controls else KINDS[:1]
        for factor, kind in product(settings.factors, kinds):
            numbers = [
                i for i, run in enumerate(runs[place]) if (run.factor, run.kind) == (factor, kind)
            ]
            yield {
                **identity,
                **_described(place, tokens.layout, settings),
                "factor": factor,
                "kind": kind,
                "solved": len(solved),
                "no_target": len(targets.no_target[place]),
                "not_reached": len(targets.not_reached[place, factor]),
                **outcomes(
                    [runs[place][i] for i in numbers],
                    [texts[i] for i in numbers],
                    place.variable,
                    task.dataset,
                    chains,
                ),
            }


def _chains(task: Task, row: int, variable: int) -> dict[int, str]:
    """As of `steered_chains`, of the values that the variable's probes were trained on."""
    chains = steered_chains(task.dataset[row], task.template, variable)
    if task.probed is None:
        return chains
    return {value: chain for value, chain in chains.items() if value in task.probed[variable]}


def probed_values(dataset: Rows, generations: Rows, train_on: str) -> list[set[int]]:
    """[variables] the values that probes were trained on.

    dataset: of the split probing_train. generations: of the same rows.
    train_on: `all` rows, or the `correct` ones.
    """
    rows = [
        row["intermediate_answers"]
        for row, generation in zip(dataset, generations, strict=True)
        if train_on == "all" or generation["aligned"]
    ]
    return [set(values) for values in zip(*rows, strict=True)]


def _described(place: Place, layout: Layout, settings: SteeringSettings) -> dict[str, Any]:
    """Keys of a row: a place, and how accurate its probe is."""
    held_out = place.held_out_accuracy
    return {
        "variable": place.variable,
        "layer": place.layer,
        "position": place.position,
        **layout.place(place.position),
        "value_position": place.number - layout.n_problem,
        "accuracy": place.accuracy,
        "held_out_accuracy": held_out,
        "passes_held_out": None if held_out is None else settings.reached_by(held_out),
        "steered": settings.reached_by(place.accuracy),
    }


def outcomes(
    runs: Sequence[Steered], texts: Sequence[str], variable: int, dataset: Rows, chains: Chains
) -> dict[str, Any]:
    """Keys of a row: what became of some runs of a variable.

    texts: their chains of thought, with what they were given.
    dataset: of the rows that are steered. chains: of these rows.
    """
    n = len(runs)
    written = list(zip(runs, texts, strict=True))
    follows = [
        is_correct(text, {"scratchpad": chains[variable][run.row][run.target]})
        for run, text in written
    ]
    unchanged = [is_correct(text, dataset[run.row]) for run, text in written]
    results = {run.row: _result(dataset[run.row], variable) for run in runs}
    values = [
        stated_value(text, dataset[run.row]["intermediate_questions"][variable], results[run.row])
        for run, text in written
    ]
    value = [found == run.target for found, run in zip(values, runs, strict=True)]
    return {
        "n": n,
        **share("follows", sum(follows), n),
        **share("value", sum(value), n),
        **share("unchanged", sum(unchanged), n),
        **share("other", n - sum(follows) - sum(unchanged), n),
        **mean("step", [run.length for run in runs], (0.0, inf)),
        **mean("relative_step", [run.share for run in runs], (0.0, inf)),
        "sample_ids": [run.row for run in runs],
        "predictions": [run.predicted for run in runs],
        "targets": [run.target for run in runs],
        "values": values,
        "outputs": [final_answer(text, dataset[run.row]) for run, text in written],
    }


def _result(row: Mapping[str, Any], variable: int) -> list[str]:
    """As of `stated_result`: of a dataset row and one of its variables."""
    names = [question.removesuffix(" =") for question in row["intermediate_questions"]]
    return stated_result(row["scratchpad"], names[variable], names)


def stated_value(chain: str, question: str, result: Sequence[str] = ()) -> int | None:
    """The first number that a chain of thought states as the result of a variable; None if none.

    question: as in `intermediate_questions`, the variable and `=`.
    result: the symbols of a sentence that states it, in place of an equation.
    """
    name = question.removesuffix(" =")
    for equation in sentences(chain):
        symbols = text_symbols(equation)
        if result:
            number = number_in_place(symbols, result)
            if number is not None:
                return int(number)
            continue
        match symbols:
            case [left, "=", number] if left == name and number.isdigit():
                return int(number)
    return None

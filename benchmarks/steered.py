"""Steering: all places and directions of a batch of rows together, against one run at a time."""

from __future__ import annotations

from itertools import islice

from alternatives import steered_tokens
from bench import IDENTITY, Bench, default_config
from measure import Row, seconds
from think_to_talk.files.jsonl import read_jsonl, read_probe_rows
from think_to_talk.files.shards import Shards
from think_to_talk.formulas.steered_chains import steered_chains, steered_variables
from think_to_talk.formulas.templates import Template
from think_to_talk.hidden_states.allocator import keep_freed_memory
from think_to_talk.hidden_states.model_check import check_model
from think_to_talk.hidden_states.passes import Passes
from think_to_talk.models.loading import Checkpoint
from think_to_talk.steering.places import Place, steered_places
from think_to_talk.steering.steered_runs import Steered, Steerer
from think_to_talk.steering.targets import Targets, stored_probe
from think_to_talk.steering.task_tokens import TaskTokens
from think_to_talk.tokens.prompts import align, tokenize
from think_to_talk.tokens.stop_ids import stop_ids
from think_to_talk.tokens.task_positions import TaskPositions

_BATCH = 64


def steering(bench: Bench) -> list[Row]:
    """All places of one level, with two controls, on the trained model."""
    keep_freed_memory()
    results = bench.results
    checkpoint = Checkpoint(results / "models/tiny/seed-42")
    model, tokenizer = checkpoint.model(), checkpoint.tokenizer()
    template = Template.from_config(default_config()["tasks"][bench.level])
    dataset = read_jsonl(results / f"formulas/seed-42/{bench.level}/test.jsonl")
    tokenized = list(tokenize(tokenizer, dataset, 0))
    layout = align(tokenizer, dataset, tokenized)
    probes = results / f"tiny/seed-42/probes/{bench.level}"
    tokens = TaskTokens.of(tokenizer, tokenized, TaskPositions(layout, are_symbols=False))
    places = steered_places(
        steered_variables(template),
        read_probe_rows(f"{probes}.jsonl"),
        read_jsonl(results / f"formulas/ceilings/{bench.level}.jsonl"),
        tokens,
        model.config.num_hidden_layers,
    )[:: 6 if bench.tiny else 1]
    weights = Shards.open([f"{probes}.safetensors"], IDENTITY)
    rows = list(range(min(len(dataset), 4 if bench.tiny else 64)))
    chains = {
        variable: {row: steered_chains(dataset[row], template, variable) for row in rows}
        for variable in {place.variable for place in places}
    }
    of_places = {place: stored_probe(weights, place) for place in places}
    stops = frozenset(stop_ids(tokenizer, checkpoint.end_ids()))
    passes = Passes(model, check_model(model).facts, (), _BATCH)
    steerer = Steerer(passes, tokens.rows, stops)
    found: list[tuple[Place, Steered]] = []

    def ours() -> None:
        targets = Targets(of_places, chains, [1, 2], 2, {**IDENTITY, "task": bench.level})
        found.clear()
        for _, batch in steerer.runs(rows, places, targets.steer):
            found.extend((place, run) for place, runs in batch for run in runs)

    took = min(seconds(ours) for _ in range(1 if bench.tiny else 3))
    few = list(islice(found, 0, None, max(1, len(found) // (20 if bench.tiny else 200))))
    other: list[list[int]] = []

    def one_by_one() -> None:
        for place, run in few:
            row = tokens.rows[run.row]
            given = row.ids[: row.given(place.position)]
            n = len(row.ids) - len(given)
            other.append(
                steered_tokens(model, given, place.layer, place.position, run.state, n, stops)
            )

    took_other = seconds(one_by_one)
    equal = sum(run.written == written for (_, run), written in zip(few, other, strict=True))
    rate, rate_other = len(found) / took, len(few) / took_other
    return [
        Row(
            "steering",
            f"runs/s at {len(places)} places of {bench.level}; {equal / len(few):.2%} equal",
            f"{rate:.0f}",
            f"{rate_other:.0f} one problem and direction at a time, no shared context",
            rate / rate_other,
            "≥ 5 ×",
            rate / rate_other >= 5 and equal == len(few),
        )
    ]

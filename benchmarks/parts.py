"""The parts of the benchmark that compare with what a user would otherwise run."""

from __future__ import annotations

from collections.abc import Callable

from answering import forced_answers
from bench import Bench
from decoding import hidden_states_smollm2, hidden_states_tiny
from interventions import patching
from measure import Row
from probing import probes, sgd
from reading import shards
from steered import steering
from workflow import formulas, no_op, study

#: All parts in the order of the table; what needs the study's results runs it if need be.
PARTS: dict[str, Callable[[Bench], list[Row]]] = {
    "study": study,
    "no-op": no_op,
    "formulas": formulas,
    "hidden-states-tiny": hidden_states_tiny,
    "hidden-states-smollm2": hidden_states_smollm2,
    "probes": probes,
    "sgd": sgd,
    "shards": shards,
    "patching": patching,
    "forced-answers": forced_answers,
    "steering": steering,
}

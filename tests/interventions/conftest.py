"""Models whose numbers take several tokens."""

import pytest
from support.checkpoints import train_small
from support.templates import template
from support.whole_numbers import VALUES, N, pairs_of

from think_to_talk.models.loading import Checkpoint


@pytest.fixture(scope="session", params=VALUES)
def several_tokens(request, tmp_path_factory):
    """A model in float64, its tokenizer, {edit: pairs}, if positions are symbols, and the task."""
    equations = ["v0 = num", "v1 = num ± v0"]
    task = template(equations, values=VALUES[request.param], shots=1)
    folder = tmp_path_factory.mktemp(request.param)
    train_small(folder, task, steps=250)
    model, tokenizer = Checkpoint(folder).model().double(), Checkpoint(folder).tokenizer()
    pairs = {"first": pairs_of(task, ["v1.1"], N), "both": pairs_of(task, ["v0.1", "v1.1"], N)}
    return model, tokenizer, pairs, request.param == "ragged", task

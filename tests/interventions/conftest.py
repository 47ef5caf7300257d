"""Models whose numbers take several tokens."""

import pytest
from support.checkpoints import trained_once
from support.templates import template
from support.whole_numbers import EQUATIONS, VALUES, N, pairs_of

from think_to_talk.models.loading import Checkpoint


@pytest.fixture(scope="session", params=VALUES)
def several_tokens(request):
    """A model in float64, its tokenizer, {edit: pairs}, if positions are symbols, and the task."""
    task = template(EQUATIONS, values=VALUES[request.param], shots=1)
    folder = trained_once(f"{request.param}-numbers", task, steps=250)
    model, tokenizer = Checkpoint(folder).model().double(), Checkpoint(folder).tokenizer()
    pairs = {"first": pairs_of(task, ["v1.1"], N), "both": pairs_of(task, ["v0.1", "v1.1"], N)}
    return model, tokenizer, pairs, request.param == "ragged", task

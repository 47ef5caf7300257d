"""Sizes of models, measured in the tests' own process; and what a real pass of a model takes."""

import functools
import inspect
import json

import torch

from think_to_talk.models import measure_sizes
from think_to_talk.models.sizes import Sizes


def made_up(**values):
    """Sizes with these values; the others are small."""
    others = {
        **{
            "num_hidden_layers": 3,
            "hidden_size": 8,
            "vocabulary": 90,
            "dtype": "bfloat16",
            "parameters": 1808,
        },
        **{"weights": 3616, "prefix_cache": 4800, "prefix_activations": 900, "cache": 5712},
        **{"activations": 1200, "shared": 0, "flops_per_token": 3616},
    }
    return Sizes(**{**others, **values})


@functools.cache
def _answer(request):
    return json.dumps(measure_sizes.answer(json.loads(request)))


def run_program(requests):
    """As `models.sizes.run_program`, without the seconds that a process takes to start."""
    return [json.loads(_answer(json.dumps(request, sort_keys=True))) for request in requests]


def real_peak(model, ids, read):
    """The most bytes that torch has allocated at once during a pass, and what the pass returns.

    ids: [rows, tokens]. read: last positions whose logits are read. What remains of the pass, such
    as its cache, is counted; weights are not.
    """
    accepted = inspect.signature(model.forward).parameters
    options = {"logits_to_keep": read} if "logits_to_keep" in accepted else {}

    def run():
        with torch.inference_mode():
            output = dict(model(input_ids=ids, use_cache=True, **options))
            output.pop("logits")[:, -read:].clone().argmax(dim=-1)
        return output

    # What a model makes only once is there before.
    run()
    with torch.profiler.profile(
        activities=[torch.profiler.ProfilerActivity.CPU], profile_memory=True
    ) as profile:
        output = run()
    events = [e for e in profile.profiler.kineto_results.events() if e.name() == "[memory]"]
    live = peak = 0
    for event in sorted(events, key=lambda event: event.start_ns()):
        live += event.nbytes()
        peak = max(peak, live)
    return peak, output

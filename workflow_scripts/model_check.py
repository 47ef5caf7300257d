"""Find out by running a model what holds of it, and write that down."""

import torch

import job
from think_to_talk.hidden_states.facts import write_model_check
from think_to_talk.hidden_states.model_check import check_model
from think_to_talk.machine import device_name
from think_to_talk.models.loading import Checkpoint

with job.running(globals()) as this:
    torch.set_num_threads(this.threads)
    checkpoint = Checkpoint(**this.params.checkpoint)
    model = checkpoint.model(getattr(this.resources, "gpu", 0))
    write_model_check(
        this.output.facts,
        {
            **this.params.identity,
            "revision": checkpoint.revision,
            "device": device_name(model.device),
        },
        lambda: check_model(model),
        patched=bool(this.resources.patched),
        last_layer=this.resources.last_layer,
    )

"""Train a small Llama on the chain-of-thought task and save it as a Hugging Face checkpoint."""

import job
from think_to_talk.training import train_checkpoint

with job.running(globals()) as this:
    train_checkpoint(
        this.params.training,
        this.params.tasks,
        held_out=this.input.held_out,
        valid=this.input.valid,
        seed=int(this.wildcards.seed),
        report=this.output.report,
    )

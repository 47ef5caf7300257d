"""Train a small Llama on the chain-of-thought task and save it as a Hugging Face checkpoint."""

from pathlib import Path

import job
from think_to_talk.models.training import train_checkpoint

with job.running(globals()) as this:
    train_checkpoint(
        this.params.training,
        this.params.tasks,
        held_out=this.input.held_out,
        valid=dict(zip(this.params.tasks, this.input.valid, strict=True)),
        seed=int(this.wildcards.seed),
        folder=Path(this.output.report).parent,
        report=this.output.report,
        threads=this.threads,
    )

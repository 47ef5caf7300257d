"""Apply a task's probes to another task's hidden states, and write how often they are right."""

import torch

import job
from think_to_talk.files.jsonl import write_jsonl
from think_to_talk.probes.stored import StoredProbes
from think_to_talk.transfer.rows import transfer_rows

with job.running(globals()) as this:
    torch.set_num_threads(this.threads)
    trained = StoredProbes.read(this.input.probes, this.input.weights, this.params.trained)
    rows = transfer_rows(
        trained,
        this.input.hidden,
        this.input.dataset,
        this.params.variables,
        this.params.tested,
        {
            **this.params.tested,
            "transfer": this.wildcards.transfer,
            "train_model": this.params.trained["model"],
            "train_task": this.params.trained["task"],
        },
    )
    write_jsonl(this.output.rows, rows)

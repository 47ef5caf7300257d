"""Fit and score linear probes for every layer, position and variable of a task."""

import torch

import job
from think_to_talk.probes.fitting import fit_task
from think_to_talk.probes.settings import ProbeSettings

with job.running(globals()) as this:
    torch.set_num_threads(this.threads)
    fit_task(
        this.input.train,
        this.input.test,
        this.input.train_dataset,
        this.input.test_dataset,
        ProbeSettings.from_config(this.params.probes),
        this.params.identity,
        rows_path=this.output.rows,
        weights_path=this.output.weights,
        labels=this.params.labels,
    )

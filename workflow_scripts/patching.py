"""Patch hidden states of a task's pairs, and write how often that changes the answers."""

import torch

import job
from think_to_talk.allocator import keep_freed_memory
from think_to_talk.interventions import PatchingSettings, patching_rows
from think_to_talk.jsonl import read_jsonl, write_jsonl
from think_to_talk.models import load_model, load_tokenizer

with job.running(globals()) as this:
    torch.set_num_threads(this.threads)
    keep_freed_memory()
    pairs = map(read_jsonl, this.input.pairs)
    rows = patching_rows(
        load_model(
            this.params.model,
            this.params.dtype,
            getattr(this.resources, "gpu", 0),
            trust_remote_code=this.params.trust_remote_code,
        ),
        load_tokenizer(this.params.model, trust_remote_code=this.params.trust_remote_code),
        dict(zip(this.params.edits, pairs, strict=True)),
        PatchingSettings(**this.params.patching),
        shots=this.params.shots,
        batch_size=this.resources.batch_size,
        identity=this.params.identity,
    )
    write_jsonl(this.output.rows, rows)

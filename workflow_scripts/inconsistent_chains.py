"""Let a model go on from chains of thought with one wrong result, and write what it follows."""

import torch

import job
from think_to_talk.allocator import keep_freed_memory
from think_to_talk.interventions import inconsistent_chain_rows
from think_to_talk.jsonl import read_jsonl, write_jsonl
from think_to_talk.models import load_model, load_tokenizer

with job.running(globals()) as this:
    torch.set_num_threads(this.threads)
    keep_freed_memory()
    rows = inconsistent_chain_rows(
        load_model(
            this.params.model,
            this.params.dtype,
            getattr(this.resources, "gpu", 0),
            trust_remote_code=this.params.trust_remote_code,
        ),
        load_tokenizer(this.params.model, trust_remote_code=this.params.trust_remote_code),
        read_jsonl(this.input.pairs),
        shots=this.params.shots,
        batch_size=this.resources.batch_size,
        max_new_tokens=this.params.max_new_tokens,
        identity=this.params.identity,
    )
    write_jsonl(this.output.rows, rows)

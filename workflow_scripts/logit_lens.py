"""Write which digits the model's own final norm and head read in stored hidden states."""

from functools import partial

import torch

import job
from think_to_talk.files.jsonl import write_jsonl
from think_to_talk.files.possibly_empty import unless_unread
from think_to_talk.hidden_states.allocator import keep_freed_memory
from think_to_talk.hidden_states.facts import ModelFacts
from think_to_talk.logit_lens.reading import lens_rows
from think_to_talk.models.loading import Checkpoint

with job.running(globals()) as this:
    torch.set_num_threads(this.threads)
    keep_freed_memory()
    checkpoint = Checkpoint(**this.params.checkpoint)
    read = partial(
        lens_rows,
        checkpoint.model(getattr(this.resources, "gpu", 0)),
        ModelFacts.read(this.input.model_check),
        checkpoint.tokenizer(),
        this.input.hidden,
        this.input.tokens,
        this.input.dataset,
        batch_size=this.resources.batch_size,
        n_classes=this.params.n_classes,
        identity=this.params.identity,
    )
    write_jsonl(this.output.rows, unless_unread("logit_lens", this.params.identity, read))

"""Decode the rows of a token shard and write their hidden states and generations."""

import torch

import job
from think_to_talk.allocator import keep_freed_memory
from think_to_talk.hidden_states import write_hidden_states
from think_to_talk.jsonl import read_jsonl
from think_to_talk.models import (
    load_model,
    load_tokenizer,
    model_revision,
    saved_layers,
    untrained_model,
)
from think_to_talk.tokens import TokenShard

with job.running(globals()) as this:
    torch.set_num_threads(this.threads)
    keep_freed_memory()
    where = (this.params.model, this.params.dtype, getattr(this.resources, "gpu", 0))
    trusted = this.params.trust_remote_code
    if this.params.untrained_seed is None:
        model = load_model(*where, trust_remote_code=trusted)
    else:
        model = untrained_model(*where, trust_remote_code=trusted, seed=this.params.untrained_seed)
    write_hidden_states(
        model,
        load_tokenizer(this.params.model, trust_remote_code=trusted),
        TokenShard.open(this.input.tokens, this.params.identity),
        read_jsonl(this.input.dataset),
        layers=saved_layers(this.params.layers, model.config.get_text_config().num_hidden_layers),
        max_new_tokens=this.params.max_new_tokens,
        batch_size=this.resources.batch_size,
        cot=this.params.cot,
        identity={**this.params.identity, "revision": model_revision(this.params.model)},
        hidden_path=this.output.hidden,
        generations_path=this.output.generations,
    )

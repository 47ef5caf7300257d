"""Decode the rows of a token shard and write their hidden states and generations."""

import torch

import job
from think_to_talk.files.jsonl import read_jsonl
from think_to_talk.hidden_states.allocator import keep_freed_memory
from think_to_talk.hidden_states.facts import ModelFacts
from think_to_talk.hidden_states.shards import write_hidden_states
from think_to_talk.models.layers import saved_layers
from think_to_talk.models.loading import Checkpoint
from think_to_talk.tokens.shards import TokenShard

with job.running(globals()) as this:
    torch.set_num_threads(this.threads)
    keep_freed_memory()
    checkpoint = Checkpoint(**this.params.checkpoint)
    model = checkpoint.model(getattr(this.resources, "gpu", 0))
    write_hidden_states(
        model,
        ModelFacts.read(this.input.model_check),
        checkpoint.tokenizer(),
        TokenShard.open(this.input.tokens, this.params.identity),
        read_jsonl(this.input.dataset),
        layers=saved_layers(this.params.layers, model.config.get_text_config().num_hidden_layers),
        last_layer=this.params.last_layer,
        max_new_tokens=this.params.max_new_tokens,
        batch_size=this.resources.batch_size,
        cot=this.params.cot,
        stored_dtype=this.params.stored_dtype,
        identity={**this.params.identity, "revision": checkpoint.revision},
        hidden_path=this.output.hidden,
        generations_path=this.output.generations,
    )

"""Have a model continue chains of thought with a wrong result, and write what it follows."""

import torch

import job
from think_to_talk.files.jsonl import read_jsonl, write_jsonl
from think_to_talk.hidden_states.allocator import keep_freed_memory
from think_to_talk.hidden_states.facts import ModelFacts
from think_to_talk.interventions.inconsistent_chains import inconsistent_chain_rows
from think_to_talk.models.loading import Checkpoint
from think_to_talk.tokens.chat import Chat
from think_to_talk.tokens.task_positions import TaskPositions

with job.running(globals()) as this:
    torch.set_num_threads(this.threads)
    keep_freed_memory()
    checkpoint = Checkpoint(**this.params.checkpoint)
    rows = inconsistent_chain_rows(
        checkpoint.model(getattr(this.resources, "gpu", 0)),
        ModelFacts.read(this.input.model_check),
        checkpoint.tokenizer(),
        read_jsonl(this.input.pairs),
        shots=this.params.shots,
        bos=this.params.bos,
        chat=Chat.from_config(this.params.chat),
        positions=TaskPositions.read(this.input.tokens, this.params.identity),
        batch_size=this.resources.batch_size,
        max_new_tokens=this.params.max_new_tokens,
        identity=this.params.identity,
        end_ids=checkpoint.end_ids(),
    )
    write_jsonl(this.output.rows, rows)

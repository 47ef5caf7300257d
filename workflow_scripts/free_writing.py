"""Patch the problems of a task's pairs, and write what a model then writes by itself."""

import torch

import job
from think_to_talk.errors import located
from think_to_talk.files.jsonl import read_jsonl, write_jsonl
from think_to_talk.hidden_states.allocator import keep_freed_memory
from think_to_talk.hidden_states.facts import ModelFacts
from think_to_talk.interventions.free_writing import free_writing_rows
from think_to_talk.interventions.specs import SpecSettings
from think_to_talk.models.loading import Checkpoint
from think_to_talk.tokens.chat import Chat
from think_to_talk.tokens.task_positions import TaskPositions

with job.running(globals()) as this:
    torch.set_num_threads(this.threads)
    keep_freed_memory()
    checkpoint = Checkpoint(**this.params.checkpoint)
    facts = ModelFacts.read(this.input.model_check)
    with located(f"models.{this.params.identity['model']}"):
        facts.check_patchable()
    pairs = map(read_jsonl, this.input.pairs)
    rows = free_writing_rows(
        checkpoint.model(getattr(this.resources, "gpu", 0)),
        facts,
        checkpoint.tokenizer(),
        dict(zip(this.params.edits, pairs, strict=True)),
        SpecSettings(**this.params.specs),
        shots=this.params.shots,
        bos=this.params.bos,
        chat=Chat.from_config(this.params.chat),
        positions=TaskPositions.read(this.input.tokens, this.params.identity),
        batch_size=this.resources.batch_size,
        identity=this.params.identity,
        end_ids=checkpoint.end_ids(),
    )
    write_jsonl(this.output.rows, rows)

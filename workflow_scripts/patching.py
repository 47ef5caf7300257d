"""Patch hidden states of a task's pairs, and write how often the answers change."""

import torch

import job
from think_to_talk.errors import located
from think_to_talk.files.jsonl import read_jsonl, write_jsonl
from think_to_talk.hidden_states.allocator import keep_freed_memory
from think_to_talk.hidden_states.pass_check import check_passes
from think_to_talk.interventions.patching import PatchingSettings, patching_rows
from think_to_talk.models.loading import Checkpoint
from think_to_talk.tokens.chat import Chat
from think_to_talk.tokens.task_positions import TaskPositions

with job.running(globals()) as this:
    torch.set_num_threads(this.threads)
    keep_freed_memory()
    checkpoint = Checkpoint(**this.params.checkpoint)
    model = checkpoint.model(getattr(this.resources, "gpu", 0))
    with located(f"models.{this.params.identity['model']}"):
        facts, _, _ = check_passes(model)
        facts.check_patchable()
    pairs = map(read_jsonl, this.input.pairs)
    rows = patching_rows(
        model,
        facts,
        checkpoint.tokenizer(),
        dict(zip(this.params.edits, pairs, strict=True)),
        PatchingSettings(**this.params.patching),
        shots=this.params.shots,
        bos=this.params.bos,
        chat=Chat.from_config(this.params.chat),
        positions=TaskPositions.read(this.input.tokens, this.params.identity),
        batch_size=this.resources.batch_size,
        identity=this.params.identity,
    )
    write_jsonl(this.output.rows, rows)

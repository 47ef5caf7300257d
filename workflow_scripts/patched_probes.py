"""Apply a task's probes to patched runs of its pairs, and write whose values they say."""

import torch

import job
from think_to_talk.errors import located
from think_to_talk.files.jsonl import read_jsonl, write_jsonl
from think_to_talk.hidden_states.allocator import keep_freed_memory
from think_to_talk.hidden_states.facts import ModelFacts
from think_to_talk.models.loading import Checkpoint
from think_to_talk.patched_probes.rows import patched_probe_rows
from think_to_talk.probes.stored import StoredProbes
from think_to_talk.tokens.chat import Chat
from think_to_talk.tokens.task_positions import TaskPositions

with job.running(globals()) as this:
    torch.set_num_threads(this.threads)
    keep_freed_memory()
    facts = ModelFacts.read(this.input.model_check)
    with located(f"models.{this.params.identity['model']}"):
        facts.check_patchable()
    checkpoint = Checkpoint(**this.params.checkpoint)
    rows = patched_probe_rows(
        checkpoint.model(getattr(this.resources, "gpu", 0)),
        facts,
        checkpoint.tokenizer(),
        dict(zip(this.params.edits, map(read_jsonl, this.input.pairs), strict=True)),
        StoredProbes.read(this.input.probes, this.input.weights, this.params.identity),
        this.params.specs,
        shots=this.params.shots,
        bos=this.params.bos,
        chat=Chat.from_config(this.params.chat),
        positions=TaskPositions.read(this.input.tokens, this.params.identity),
        last_layer=this.params.last_layer,
        batch_size=this.resources.batch_size,
        identity=this.params.identity,
    )
    write_jsonl(this.output.rows, rows)

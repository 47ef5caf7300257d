"""Steer a model along the weights of probes, and write what it then says."""

from functools import partial

import torch

import job
from think_to_talk.errors import located
from think_to_talk.files.jsonl import read_jsonl, read_probe_rows, write_jsonl
from think_to_talk.files.possibly_empty import unless_unread
from think_to_talk.files.shards import Shards
from think_to_talk.formulas.templates import Template
from think_to_talk.hidden_states.allocator import keep_freed_memory
from think_to_talk.hidden_states.facts import ModelFacts
from think_to_talk.models.loading import Checkpoint
from think_to_talk.steering.rows import SteeringSettings, Task, probed_values, steering_rows
from think_to_talk.tokens.chat import Chat
from think_to_talk.tokens.task_positions import TaskPositions

with job.running(globals()) as this:
    torch.set_num_threads(this.threads)
    keep_freed_memory()
    identity = this.params.identity
    facts = ModelFacts.read(this.input.model_check)
    with located(f"models.{identity['model']}"):
        facts.check_patchable()
    checkpoint = Checkpoint(**this.params.checkpoint)
    read = partial(
        steering_rows,
        checkpoint.model(getattr(this.resources, "gpu", 0)),
        facts,
        checkpoint.tokenizer(),
        Task(
            dataset=read_jsonl(this.input.dataset),
            generations=read_jsonl(this.input.generations),
            probes=read_probe_rows(this.input.probes),
            weights=Shards.open(
                [this.input.weights], {key: str(value) for key, value in identity.items()}
            ),
            ceilings=read_jsonl(this.input.ceilings),
            template=Template.from_config(this.params.task),
            positions=TaskPositions.read(this.input.tokens, identity),
            probed=probed_values(
                read_jsonl(this.input.probing_train),
                read_jsonl(this.input.probing_train_generations),
                this.params.train_on,
            ),
        ),
        SteeringSettings(**this.params.steering),
        shots=this.params.shots,
        bos=this.params.bos,
        chat=Chat.from_config(this.params.chat),
        batch_size=this.resources.batch_size,
        last_layer=this.params.last_layer,
        identity=identity,
        end_ids=checkpoint.end_ids(),
    )
    write_jsonl(this.output.rows, unless_unread("steering", identity, read))

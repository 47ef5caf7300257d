"""Have a model answer after each equation of its chain, and write what it says."""

from functools import partial

import torch

import job
from think_to_talk.files.jsonl import read_jsonl, write_jsonl
from think_to_talk.files.possibly_empty import unless_unread
from think_to_talk.forced_answers.reading import forced_answer_rows
from think_to_talk.formulas.cuts import CutTexts
from think_to_talk.hidden_states.allocator import keep_freed_memory
from think_to_talk.hidden_states.facts import ModelFacts
from think_to_talk.models.loading import Checkpoint
from think_to_talk.tokens.chat import Chat
from think_to_talk.tokens.task_positions import TaskPositions

with job.running(globals()) as this:
    torch.set_num_threads(this.threads)
    keep_freed_memory()
    identity = this.params.identity
    checkpoint = Checkpoint(**this.params.checkpoint)
    read = partial(
        forced_answer_rows,
        checkpoint.model(getattr(this.resources, "gpu", 0)),
        ModelFacts.read(this.input.model_check),
        checkpoint.tokenizer(),
        read_jsonl(this.input.dataset),
        shots=this.params.shots,
        bos=this.params.bos,
        chat=Chat.from_config(this.params.chat),
        texts=CutTexts.from_config(this.params.cut_texts),
        positions=TaskPositions.read(this.input.tokens, identity),
        batch_size=this.resources.batch_size,
        n_classes=this.params.n_classes,
        identity=identity,
    )
    write_jsonl(this.output.rows, unless_unread("forced_answers", identity, read))

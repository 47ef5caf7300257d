"""Write a GGUF file's model as a checkpoint in safetensors, which the other jobs load."""

from pathlib import Path

import torch

import job
from think_to_talk.models.loading import Checkpoint
from think_to_talk.models.unpacking import unpack

with job.running(globals()) as this:
    torch.set_num_threads(this.threads)
    unpack(Checkpoint(**this.params.checkpoint), Path(this.output[0]).parent)

"""Check an existing dataset, row by row, and take it over."""

import job
from think_to_talk.datasets import read_dataset
from think_to_talk.jsonl import write_jsonl

with job.running(globals()) as this:
    write_jsonl(this.output[0], read_dataset(this.input[0], this.params.schema))

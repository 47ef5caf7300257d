"""Check an existing dataset, row by row, and take it over."""

import job
from think_to_talk.jsonl import read_checked, write_jsonl

with job.running(globals()) as this:
    write_jsonl(this.output[0], read_checked(this.input[0], this.params.schema))

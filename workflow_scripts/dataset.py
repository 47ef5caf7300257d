"""Check an existing dataset row by row and copy it to the study."""

import job
from think_to_talk.files.jsonl import write_jsonl
from think_to_talk.formulas.existing_datasets import read_dataset

with job.running(globals()) as this:
    params = this.params
    rows = read_dataset(this.input[0], params.schema, params.chain, params.values)
    write_jsonl(this.output[0], rows)

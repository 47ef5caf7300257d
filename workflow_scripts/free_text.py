"""Check a dataset in free text row by row and copy it to the study."""

import job
from think_to_talk.files.jsonl import write_jsonl
from think_to_talk.formulas.free_text import read_free_text

with job.running(globals()) as this:
    params = this.params
    rows = read_free_text(this.input[0], params.schema, params.settings, params.values)
    write_jsonl(this.output[0], rows)

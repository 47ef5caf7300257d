"""Convert probe rows that the published code wrote to rows of ours."""

import job
from think_to_talk.files.jsonl import read_jsonl, write_jsonl
from think_to_talk.probes.published_rows import read_published_rows

with job.running(globals()) as this:
    dataset = read_jsonl(this.input.dataset)
    write_jsonl(
        this.output.rows,
        read_published_rows(this.input.published, this.params.schema, dataset),
    )

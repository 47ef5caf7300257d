"""Find when each variable of a task becomes readable."""

import job
from think_to_talk.jsonl import read_jsonl, write_jsonl
from think_to_talk.timing import timing_rows

with job.running(globals()) as this:
    write_jsonl(
        this.output.timing,
        timing_rows(
            read_jsonl(this.input.probes),
            read_jsonl(this.input.generations),
            this.params.threshold,
            this.params.identity,
        ),
    )

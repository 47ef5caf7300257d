"""Join the four clocks of a model's tasks: when values are determined, readable, said and used."""

import job
from think_to_talk.files.jsonl import read_jsonl, read_probe_rows, write_jsonl
from think_to_talk.files.possibly_empty import read_any
from think_to_talk.timing.clocks import clock_rows

with job.running(globals()) as this:
    forced = dict(zip(this.params.forced, this.input.forced, strict=True))
    patched = dict(zip(this.params.patched, this.input.patching, strict=True))
    rows = []
    for task, probes, timing in zip(
        this.params.tasks, this.input.probes, this.input.timing, strict=True
    ):
        rows += clock_rows(
            read_probe_rows(probes),
            read_jsonl(timing),
            read_any(forced[task]) if task in forced else [],
            read_any(patched[task]) if task in patched else [],
            this.params.threshold,
        )
    write_jsonl(this.output.rows, rows)

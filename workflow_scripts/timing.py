"""Find when each variable of a task becomes readable."""

import job
from think_to_talk.files.jsonl import read_all, read_jsonl, read_probe_rows, write_jsonl
from think_to_talk.timing.table import timing_rows

with job.running(globals()) as this:
    probes = read_probe_rows(this.input.probes)
    # Published probe rows have none.
    generations = [
        row
        for path in this.input.generations
        for row in read_jsonl(path, expected=probes[0]["n_test"])
    ]
    ceilings = read_all(this.input.ceilings)
    identity = this.params.identity
    rows = timing_rows(probes, generations, this.params.threshold, identity, ceilings)
    write_jsonl(this.output.timing, rows)

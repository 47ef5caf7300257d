"""Find when each variable of a task becomes readable."""

import job
from think_to_talk.jsonl import read_jsonl, write_jsonl
from think_to_talk.timing import timing_rows

with job.running(globals()) as this:
    probes = read_jsonl(this.input.probes)
    generations = read_jsonl(this.input.generations, expected=probes[0]["n_test"])
    rows = timing_rows(probes, generations, this.params.threshold, this.params.identity)
    write_jsonl(this.output.timing, rows)

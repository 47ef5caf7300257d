"""Find when each variable of a task becomes readable."""

import job
from think_to_talk.files.jsonl import read_all, read_jsonl, read_probe_rows, write_jsonl
from think_to_talk.formulas.expressions import expression_texts
from think_to_talk.timing.table import timing_rows

with job.running(globals()) as this:
    probes = read_probe_rows(this.input.probes)
    # Published probe rows have no generations, and are not of this dataset.
    generations, dataset = [], []
    if this.input.generations:
        generations = read_jsonl(this.input.generations, expected=probes[0]["n_test"])
        dataset = read_jsonl(this.input.dataset)
    ceilings = read_all(this.input.ceilings)
    rows = timing_rows(
        probes,
        generations,
        this.params.threshold,
        this.params.identity,
        ceilings,
        expression_texts(dataset),
    )
    write_jsonl(this.output.timing, rows)

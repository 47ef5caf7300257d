"""Draw all splits of a generated task and write them as JSON Lines."""

import job
from think_to_talk.files.jsonl import write_jsonl
from think_to_talk.formulas.datasets import generate_splits

with job.running(globals()) as this:
    splits = generate_splits(this.params.task, this.params.sizes, int(this.wildcards.seed))
    for path in this.output:
        write_jsonl(path, splits[job.stem(path)])

"""Draw all splits of a generated task and write them as JSON Lines."""

import job
from think_to_talk.datasets import generate_splits
from think_to_talk.jsonl import write_jsonl

with job.running(globals()) as this:
    splits = generate_splits(this.params.task, this.params.sizes, int(this.wildcards.seed))
    for path in this.output:
        write_jsonl(path, splits[job.stem(path)])

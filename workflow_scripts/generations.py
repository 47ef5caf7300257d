"""Join the generations of all shards of a task, split by split."""

import job
from think_to_talk.files.jsonl import join_jsonl

with job.running(globals()) as this:
    join_jsonl(this.output.test, this.input.test)
    join_jsonl(this.output.probing_train, this.input.probing_train)

"""Join the timing rows of all models, seeds and tasks into one table."""

import job
from think_to_talk.jsonl import join_jsonl, read_jsonl
from think_to_talk.tables import write_table
from think_to_talk.timing import COLUMNS

with job.running(globals()) as this:
    join_jsonl(this.output.rows, this.input.timing)
    table = read_jsonl(this.output.rows)
    write_table(this.output, "When each variable becomes readable", table, COLUMNS, COLUMNS)

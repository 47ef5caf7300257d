"""Join the timing rows of all models, seeds and tasks into one table."""

import job
from think_to_talk.files.jsonl import join_jsonl, read_jsonl
from think_to_talk.pages.tables import write_table
from think_to_talk.timing.table import COLUMNS, VISIBLE_COLUMNS

with job.running(globals()) as this:
    join_jsonl(this.output.rows, this.input.timing)
    table = read_jsonl(this.output.rows)
    write_table(
        "When each variable becomes readable",
        table,
        COLUMNS,
        VISIBLE_COLUMNS,
        **job.table_files(this.output),
    )

"""Join the four clocks of all models and seeds into one table."""

import job
from think_to_talk.files.jsonl import join_jsonl, read_jsonl
from think_to_talk.pages.tables import write_table
from think_to_talk.timing.clocks import COLUMNS, VISIBLE_COLUMNS

with job.running(globals()) as this:
    join_jsonl(this.output.rows, this.input.clocks)
    write_table(
        "When each value is determined, readable, said and used",
        read_jsonl(this.output.rows),
        COLUMNS,
        VISIBLE_COLUMNS,
        **job.table_files(this.output),
    )

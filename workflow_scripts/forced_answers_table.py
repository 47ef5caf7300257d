"""Write the table of forced answers: when each model says the answer of each task."""

import job
from think_to_talk.files.jsonl import write_jsonl
from think_to_talk.files.possibly_empty import read_any
from think_to_talk.pages.tables import write_table
from think_to_talk.timing.forced import COLUMNS, VISIBLE_COLUMNS, table_rows

with job.running(globals()) as this:
    table = list(table_rows(map(read_any, this.input), this.params.threshold))
    write_jsonl(this.output.rows, table)
    write_table(
        "When the answer is said",
        table,
        COLUMNS,
        VISIBLE_COLUMNS,
        **job.table_files(this.output),
    )

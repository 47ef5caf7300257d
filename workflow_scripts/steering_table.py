"""Write the table of steering: how often each model follows what probes were made to say."""

import job
from think_to_talk.files.jsonl import write_jsonl
from think_to_talk.files.possibly_empty import read_any
from think_to_talk.pages.tables import write_table
from think_to_talk.timing.steering import COLUMNS, VISIBLE_COLUMNS, table_rows

with job.running(globals()) as this:
    table = list(table_rows(map(read_any, this.input)))
    write_jsonl(this.output.rows, table)
    write_table(
        "What steering along probes does",
        table,
        COLUMNS,
        VISIBLE_COLUMNS,
        **job.table_files(this.output),
    )

"""Write the table of transfer: where probes that read a value in one part read it in the others."""

import job
from think_to_talk.files.jsonl import write_jsonl
from think_to_talk.files.possibly_empty import read_any
from think_to_talk.pages.tables import write_table
from think_to_talk.timing.transfer import COLUMNS, VISIBLE_COLUMNS, table_rows

with job.running(globals()) as this:
    table = list(table_rows(map(read_any, this.input)))
    write_jsonl(this.output.rows, table)
    write_table("Transfer", table, COLUMNS, VISIBLE_COLUMNS, **job.table_files(this.output))

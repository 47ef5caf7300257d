"""Join what interventions do to final answers into one table."""

import job
from think_to_talk.effects import COLUMNS, SHOWN, table_rows
from think_to_talk.jsonl import read_all, write_jsonl
from think_to_talk.tables import write_table

with job.running(globals()) as this:
    table = table_rows(read_all(this.input.patching), read_all(this.input.inconsistent))
    write_jsonl(this.output.rows, table)
    write_table(this.output, "What final answers follow", table, COLUMNS, SHOWN)

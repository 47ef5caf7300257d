"""Write the table of interventions: their effect on the final answers of all models."""

import job
from think_to_talk.files.jsonl import write_jsonl
from think_to_talk.files.possibly_empty import read_any_of
from think_to_talk.interventions.table import COLUMNS, VISIBLE_COLUMNS, table_rows
from think_to_talk.pages.tables import write_table

with job.running(globals()) as this:
    table = table_rows(
        read_any_of(this.input.patching),
        read_any_of(this.input.inconsistent),
        read_any_of(this.input.free),
    )
    write_jsonl(this.output.rows, table)
    write_table(
        "What final answers follow",
        table,
        COLUMNS,
        VISIBLE_COLUMNS,
        **job.table_files(this.output),
    )

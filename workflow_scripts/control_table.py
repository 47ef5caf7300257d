"""Join the rows of a control of all models into one table."""

import job
from think_to_talk.controls.kinds import CONTROLS
from think_to_talk.files.jsonl import join_jsonl, read_jsonl
from think_to_talk.pages.tables import write_table

with job.running(globals()) as this:
    join_jsonl(this.output.rows, this.input)
    table = read_jsonl(this.output.rows)
    headings = {column: column.replace("_", " ") for column in table[0]}
    write_table(
        CONTROLS[this.wildcards.control].title,
        table,
        headings,
        headings,
        **job.table_files(this.output),
    )

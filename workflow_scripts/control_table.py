"""Join the rows of a control of all models into one table."""

import job
from think_to_talk.controls import TITLES
from think_to_talk.jsonl import join_jsonl, read_jsonl
from think_to_talk.tables import write_table

with job.running(globals()) as this:
    join_jsonl(this.output.rows, this.input)
    table = read_jsonl(this.output.rows)
    shown = {column: column.replace("_", " ") for column in table[0]}
    write_table(this.output, TITLES[this.wildcards.control], table, shown, shown)

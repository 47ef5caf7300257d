"""Join what interventions do to final answers into one table: JSON Lines, CSV, Markdown."""

import job
from think_to_talk.effects import COLUMNS, SHOWN, table_rows
from think_to_talk.files import write_text
from think_to_talk.jsonl import read_all, write_jsonl
from think_to_talk.tables import as_csv, as_markdown

with job.running(globals()) as this:
    table = table_rows(read_all(this.input.patching), read_all(this.input.inconsistent))
    write_jsonl(this.output.rows, table)
    write_text(this.output.csv, as_csv(table, COLUMNS))
    write_text(this.output.markdown, as_markdown(table, SHOWN))

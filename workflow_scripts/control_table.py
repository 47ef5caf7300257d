"""Join the rows of a control of all models into one table: JSON Lines, CSV, Markdown."""

import job
from think_to_talk.files import write_text
from think_to_talk.jsonl import join_jsonl, read_jsonl
from think_to_talk.tables import as_csv, as_markdown

with job.running(globals()) as this:
    join_jsonl(this.output.rows, this.input)
    table = read_jsonl(this.output.rows)
    columns = list(table[0])
    headings = [column.replace("_", " ") for column in columns]
    write_text(this.output.csv, as_csv(table, columns))
    write_text(this.output.markdown, as_markdown(table, columns, headings))

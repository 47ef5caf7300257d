"""Join the timing rows of all models, seeds and tasks into one table: JSON Lines, CSV, Markdown."""

import job
from think_to_talk.files import write_text
from think_to_talk.jsonl import join_jsonl, read_jsonl
from think_to_talk.tables import as_csv, as_markdown
from think_to_talk.timing import COLUMNS, HEADINGS

with job.running(globals()) as this:
    join_jsonl(this.output.rows, this.input.timing)
    table = read_jsonl(this.output.rows)
    write_text(this.output.csv, as_csv(table, COLUMNS))
    write_text(this.output.markdown, as_markdown(table, COLUMNS, HEADINGS))

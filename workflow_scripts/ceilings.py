"""Count what the text of a task's problems says of each variable, symbol by symbol."""

import job
from think_to_talk.files.jsonl import write_jsonl
from think_to_talk.formulas.ceilings import ceiling_rows
from think_to_talk.formulas.templates import Template

with job.running(globals()) as this:
    template = Template.from_config(this.params.template)
    write_jsonl(this.output[0], ceiling_rows(template, this.params.digits))

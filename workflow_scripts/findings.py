"""Write the findings: what holds of each model in every seed, and what does not."""

import job
from think_to_talk.files.atomic import write_text
from think_to_talk.files.jsonl import read_all, read_jsonl, write_jsonl
from think_to_talk.findings.table import COLUMNS, finding_rows
from think_to_talk.formulas.derivations import Derivation
from think_to_talk.formulas.templates import Template
from think_to_talk.machine import processor
from think_to_talk.pages.findings import findings_html, findings_markdown, findings_opening
from think_to_talk.pages.tables import as_csv

with job.running(globals()) as this:
    timing = [
        row for row in read_jsonl(this.input.timing) if row["task"] not in this.params.free_text
    ]
    tables = {
        "timing": [row for row in timing if row["model"] in this.params.models],
        "clocks": read_jsonl(this.input.clocks),
        "interventions": read_all(this.input.interventions),
    }
    derivations = {
        task: Derivation.of(Template.from_config(template))
        for task, template in this.params.templates.items()
    }
    rows = finding_rows(tables, derivations, this.params.threshold)
    write_jsonl(this.output.rows, rows)
    write_text(this.output.csv, as_csv(rows, COLUMNS))
    write_text(this.output.markdown, findings_markdown(rows, processor()))
    write_text(this.output.html, findings_html(rows, processor()))
    write_text(this.output.opening, findings_opening(rows))

"""Tabulate and draw a control for the probes of one model, over all seeds and tasks."""

import job
from think_to_talk.control_figures import draw_control
from think_to_talk.controls import Results, control_rows
from think_to_talk.figures import save
from think_to_talk.jsonl import write_jsonl

with job.running(globals()) as this:
    control, model = this.wildcards.control, this.wildcards.model
    results = Results(this.params.parts, this.input.probes, this.input.beside)
    rows = control_rows(control, model, results, this.params.options)
    write_jsonl(this.output.rows, rows)
    save(draw_control(control, model, results, rows), this.output.figures)

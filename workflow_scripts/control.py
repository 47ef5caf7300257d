"""Tabulate and draw a control for the probes of one model, over all seeds and tasks."""

import job
from think_to_talk.controls.results import Results
from think_to_talk.controls.tables import control_rows
from think_to_talk.figures.controls import draw_control
from think_to_talk.figures.style import save
from think_to_talk.files.jsonl import read_by_stem, write_jsonl

with job.running(globals()) as this:
    control, model = this.wildcards.control, this.wildcards.model
    results = Results(this.params.parts, this.input.probes, this.input.compared)
    rows = control_rows(control, model, results, this.params.options)
    write_jsonl(this.output.rows, rows)
    ceilings = read_by_stem(this.input.ceilings)
    save(draw_control(control, model, results, rows, ceilings), this.output.figures)

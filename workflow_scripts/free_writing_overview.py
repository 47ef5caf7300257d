"""Draw which patches of the problem make a model write another problem's chain, per task."""

import job
from think_to_talk.figures.free_writing import draw_free_writing
from think_to_talk.figures.style import save
from think_to_talk.files.jsonl import read_probe_rows
from think_to_talk.files.possibly_empty import read_any_of

with job.running(globals()) as this:
    probes = dict(zip(this.params.tasks, map(read_probe_rows, this.input.probes), strict=True))
    title = f"{this.wildcards.model}, seed {this.wildcards.seed}"
    save(draw_free_writing(read_any_of(this.input.rows), probes, title), this.output)

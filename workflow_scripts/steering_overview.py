"""Draw how often a model follows what probes were made to say, along the symbols, per task."""

import job
from think_to_talk.figures.steering import draw_steering
from think_to_talk.figures.style import save
from think_to_talk.files.jsonl import read_probe_rows
from think_to_talk.files.possibly_empty import read_any

with job.running(globals()) as this:
    probes = dict(zip(this.params.tasks, map(read_probe_rows, this.input.probes), strict=True))
    steering = dict(zip(this.params.tasks, map(read_any, this.input.steering), strict=True))
    title = f"{this.wildcards.model}, seed {this.wildcards.seed}"
    save(draw_steering(probes, steering, title), this.output)

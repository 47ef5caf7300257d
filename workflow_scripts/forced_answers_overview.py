"""Draw forced answers along the symbols beside the best layer's probe of the answer, per task."""

import job
from think_to_talk.figures.forced_answers import draw_forced_answers
from think_to_talk.figures.style import save
from think_to_talk.files.jsonl import read_probe_rows
from think_to_talk.files.possibly_empty import read_any

with job.running(globals()) as this:
    probes = dict(zip(this.params.tasks, map(read_probe_rows, this.input.probes), strict=True))
    forced = dict(zip(this.params.tasks, map(read_any, this.input.forced), strict=True))
    title = f"{this.wildcards.model}, seed {this.wildcards.seed}"
    save(draw_forced_answers(probes, forced, this.params.threshold, title), this.output)

"""Draw the best layer's accuracy along the symbols of problem and chain of thought, per task."""

import job
from think_to_talk.figures import draw_overview, save
from think_to_talk.jsonl import read_jsonl

with job.running(globals()) as this:
    probes = map(read_jsonl, this.input.probes)
    title = f"{this.wildcards.model}, seed {this.wildcards.seed}"
    tasks = dict(zip(this.params.tasks, probes, strict=True))
    save(draw_overview(tasks, this.params.threshold, title), this.output)

"""Draw the best layer's accuracy along the symbols of problem and chain of thought, per task."""

import job
from think_to_talk.figures.overview import draw_overview
from think_to_talk.figures.style import save
from think_to_talk.files.jsonl import read_by_stem, read_probe_rows

with job.running(globals()) as this:
    probes = map(read_probe_rows, this.input.probes)
    title = f"{this.wildcards.model}, seed {this.wildcards.seed}"
    tasks = dict(zip(this.params.tasks, probes, strict=True))
    ceilings = read_by_stem(this.input.ceilings)
    save(draw_overview(tasks, this.params.threshold, title, ceilings), this.output)

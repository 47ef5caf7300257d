"""Draw the four clocks of each task along its symbols."""

import job
from think_to_talk.figures.clocks import draw_clocks
from think_to_talk.figures.style import save
from think_to_talk.files.jsonl import read_jsonl, read_probe_rows

with job.running(globals()) as this:
    probes = dict(zip(this.params.tasks, map(read_probe_rows, this.input.probes), strict=True))
    title = f"{this.wildcards.model}, seed {this.wildcards.seed}"
    save(draw_clocks(probes, read_jsonl(this.input.clocks), title), this.output)

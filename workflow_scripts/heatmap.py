"""Draw the probe accuracy of a task: layers x positions, one panel per variable."""

import job
from think_to_talk.figures.heatmap import draw_heatmap
from think_to_talk.figures.style import save
from think_to_talk.files.jsonl import read_all, read_jsonl, read_probe_rows

with job.running(globals()) as this:
    probes, timing = read_probe_rows(this.input.probes), read_jsonl(this.input.timing)
    save(draw_heatmap(probes, timing, read_all(this.input.ceilings)), this.output)

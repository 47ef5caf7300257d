"""Draw the probe accuracy of a task: layers x positions, one panel per variable."""

import job
from think_to_talk.figures import draw_heatmap, save
from think_to_talk.jsonl import read_jsonl

with job.running(globals()) as this:
    figure = draw_heatmap(read_jsonl(this.input.probes), read_jsonl(this.input.timing))
    save(figure, this.output)

"""Draw what the logit lens reads along the symbols beside the best layer's probe, per task."""

import job
from think_to_talk.figures.logit_lens import draw_logit_lens
from think_to_talk.figures.style import save
from think_to_talk.files.jsonl import read_probe_rows
from think_to_talk.files.possibly_empty import read_any_probe_rows

with job.running(globals()) as this:
    probes = dict(zip(this.params.tasks, map(read_probe_rows, this.input.probes), strict=True))
    lens = dict(zip(this.params.tasks, map(read_any_probe_rows, this.input.lens), strict=True))
    title = f"{this.wildcards.model}, seed {this.wildcards.seed}"
    save(draw_logit_lens(probes, lens, this.params.threshold, title), this.output)

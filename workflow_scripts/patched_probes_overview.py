"""Draw which values that probes read move with a patch along the symbols, per task."""

import job
from think_to_talk.figures.patched_probes import draw_patched_probes
from think_to_talk.figures.style import save
from think_to_talk.files.jsonl import read_probe_rows
from think_to_talk.files.possibly_empty import read_any

with job.running(globals()) as this:
    probes = dict(zip(this.params.tasks, map(read_probe_rows, this.input.probes), strict=True))
    patched = dict(zip(this.params.tasks, map(read_any, this.input.patched), strict=True))
    title = f"{this.wildcards.model}, seed {this.wildcards.seed}"
    save(draw_patched_probes(probes, patched, this.params.threshold, title), this.output)

"""Draw where patching changes a task's answers, and where probes can decode the values."""

import job
from think_to_talk.figures.patching import draw_patching
from think_to_talk.figures.style import save
from think_to_talk.files.jsonl import read_probe_rows
from think_to_talk.files.possibly_empty import read_any

with job.running(globals()) as this:
    figure = draw_patching(read_any(this.input.patching), read_probe_rows(this.input.probes))
    save(figure, this.output)

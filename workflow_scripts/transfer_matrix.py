"""Draw how well a task's probes read another task's hidden states, as a matrix of symbols."""

import job
from think_to_talk.figures.style import save
from think_to_talk.figures.transfer import draw_transfer
from think_to_talk.files.possibly_empty import read_any

with job.running(globals()) as this:
    title = "{transfer}, {model}, seed {seed}".format(**dict(this.wildcards.items()))
    save(draw_transfer(read_any(this.input.rows), title), this.output)

"""Draw the effect of interventions on the final answers of a model, per task."""

import job
from think_to_talk.figures.interventions import draw_effects
from think_to_talk.figures.style import save
from think_to_talk.files.possibly_empty import read_any_of
from think_to_talk.interventions.table import table_rows

with job.running(globals()) as this:
    table = table_rows(read_any_of(this.input.patching), read_any_of(this.input.inconsistent))
    title = f"{this.wildcards.model}, seed {this.wildcards.seed}"
    save(draw_effects(table, title), this.output)

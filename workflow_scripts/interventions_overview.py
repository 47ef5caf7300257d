"""Draw what interventions do to the final answers of a model, per task."""

import job
from think_to_talk.effect_figures import draw_effects
from think_to_talk.effects import table_rows
from think_to_talk.figures import save
from think_to_talk.jsonl import read_all

with job.running(globals()) as this:
    table = table_rows(read_all(this.input.patching), read_all(this.input.inconsistent))
    title = f"{this.wildcards.model}, seed {this.wildcards.seed}"
    save(draw_effects(table, title), this.output)

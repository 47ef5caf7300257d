"""Draw pairs of a task's chains of thought: as they are, and with one result wrong."""

import job
from think_to_talk.files.jsonl import read_all, write_jsonl
from think_to_talk.formulas.altered_chains import draw_inconsistent_pairs
from think_to_talk.formulas.templates import Template

with job.running(globals()) as this:
    template = Template.from_config(this.params.task)
    splits = read_all(this.input.splits)
    seed = int(this.wildcards.seed)
    write_jsonl(this.output[0], draw_inconsistent_pairs(template, this.params.pairs, seed, splits))

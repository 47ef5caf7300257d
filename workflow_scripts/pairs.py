"""Draw pairs of a task's problems: as they are, and with the numbers of an edit redrawn."""

import job
from think_to_talk.counterfactuals import Edit, draw_pairs
from think_to_talk.formulas import Template
from think_to_talk.jsonl import read_all, write_jsonl

with job.running(globals()) as this:
    edit = Edit.from_config(this.params.places, Template.from_config(this.params.task))
    splits = read_all(this.input.splits)
    pairs = draw_pairs(edit, this.params.pairs, int(this.wildcards.seed), splits)
    write_jsonl(this.output[0], pairs)

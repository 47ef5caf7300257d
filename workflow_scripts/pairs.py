"""Draw pairs of a task's problems: as they are, and with the numbers of an edit redrawn."""

import job
from think_to_talk.files.jsonl import read_all, write_jsonl
from think_to_talk.formulas.counterfactuals import draw_pairs
from think_to_talk.formulas.edits import Edit
from think_to_talk.formulas.templates import Template

with job.running(globals()) as this:
    edit = Edit.from_config(this.params.places, Template.from_config(this.params.task))
    splits = read_all(this.input.splits)
    seed, chain = int(this.wildcards.seed), this.params.task["chain"]
    pairs = draw_pairs(edit, this.params.pairs, seed, splits, chain)
    write_jsonl(this.output[0], pairs)

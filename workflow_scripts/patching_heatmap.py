"""Draw where patched hidden states change a task's answers, beside where probes can read them."""

import job
from think_to_talk.effect_figures import draw_patching
from think_to_talk.figures import save
from think_to_talk.jsonl import read_jsonl

with job.running(globals()) as this:
    figure = draw_patching(read_jsonl(this.input.patching), read_jsonl(this.input.probes))
    save(figure, this.output)

"""Write what a study will cost, from its configuration alone: results/plan.md."""

import job
from think_to_talk.files.atomic import write_text
from think_to_talk.study.cost import cost_page
from think_to_talk.study.needs import SIZES_CACHE, Needs
from think_to_talk.study.plan import StudyPlan

with job.running(globals()) as this:
    study = StudyPlan(this.params.config)
    write_text(this.output.plan, cost_page(study, Needs(study, SIZES_CACHE)))

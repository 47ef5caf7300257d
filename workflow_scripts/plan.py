"""Write what a study will cost, from its configuration alone: results/plan.md."""

import job
from think_to_talk.bill import write_bill
from think_to_talk.files import write_text
from think_to_talk.planning import StudyPlan

with job.running(globals()) as this:
    write_text(this.output.plan, write_bill(StudyPlan(this.params.config)))

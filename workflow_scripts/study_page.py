"""Write down the study's configuration, and the machine and software that it is made with."""

import json
from pathlib import Path

import job
from think_to_talk.files.atomic import write_text
from think_to_talk.pages.study_page import study_page
from think_to_talk.run.provenance import provenance

with job.running(globals()) as this:
    checks = [json.loads(Path(path).read_text()) for path in this.input.model_checks]
    about = provenance(this.params.packages)
    page = study_page(this.params.config, about, checks, this.params.left_out)
    write_text(this.output.page, page)

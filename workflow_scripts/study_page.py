"""Write down the study's configuration and the versions of the software that it is made with."""

import job
from think_to_talk.files.atomic import write_text
from think_to_talk.pages.study_page import study_page
from think_to_talk.run.packages import package_versions

with job.running(globals()) as this:
    versions = package_versions(this.params.packages)
    write_text(this.output.page, study_page(this.params.config, versions))

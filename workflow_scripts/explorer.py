"""Make the explorer, one HTML page that shows the whole study and needs no network."""

import job
from think_to_talk.explorer.data import read_results, study_data
from think_to_talk.explorer.page import explorer_page
from think_to_talk.files import write_text

with job.running(globals()) as this:
    results = read_results(
        this.params.results,
        this.input.probes,
        this.input.timing,
        this.params.patched,
        this.input.patching,
    )
    write_text(this.output.page, explorer_page(study_data(results, this.params.threshold)))

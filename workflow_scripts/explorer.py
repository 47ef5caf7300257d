"""Make the explorer, one HTML page that shows the whole study and needs no network."""

import job
from think_to_talk.files.atomic import write_text
from think_to_talk.files.jsonl import read_by_stem
from think_to_talk.files.possibly_empty import read_any
from think_to_talk.pages.explorer.data import by_result, read_results, study_data
from think_to_talk.pages.explorer.page import explorer_page
from think_to_talk.run.provenance import provenance

with job.running(globals()) as this:
    results = read_results(
        this.params.results,
        this.input.probes,
        this.input.timing,
        this.input.clocks,
        by_result(this.params.patched, this.input.patching),
        by_result(this.params.generated, this.input.generations),
        read_by_stem(this.input.ceilings),
    )
    tables = dict(zip(this.params.tables, map(read_any, this.input.tables), strict=True))
    study = study_data(results, this.params.threshold, tables)
    write_text(this.output.page, explorer_page(study, provenance(this.params.packages)))

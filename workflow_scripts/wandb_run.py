"""Record a model's results as a run for Weights & Biases, offline: config, tables, figures."""

import json
from pathlib import Path

import job
from think_to_talk.files import write_text
from think_to_talk.jsonl import read_jsonl
from think_to_talk.tracking import probe_table, record
from think_to_talk.versions import package_versions

with job.running(globals()) as this:
    about = dict(this.params.about)
    mode = about.pop("mode")
    run = record(
        Path(this.output.report).parent,
        about,
        {**this.params.config, "packages": package_versions(this.params.packages)},
        timing=[row for path in this.input.timing for row in read_jsonl(path)],
        # One file at a time: their predictions are large, and not recorded.
        probes=[
            row
            for path in this.input.probes
            for row in probe_table(job.stem(path), read_jsonl(path))
        ],
        figures={job.stem(path): path for path in this.input.figures},
    )
    write_text(this.output.report, json.dumps({"mode": mode, **run}, indent=2) + "\n")

"""Record a model's results as a run for Weights & Biases, offline: config, tables, figures."""

import json

import job
from think_to_talk.files.atomic import write_text
from think_to_talk.files.jsonl import read_jsonl, read_probe_rows
from think_to_talk.run.packages import package_versions
from think_to_talk.run.wandb_runs import probe_table, record

with job.running(globals()) as this:
    about = dict(this.params.about)
    mode = about.pop("mode")
    run = record(
        this.output.folder,
        about,
        {**this.params.config, "packages": package_versions(this.params.packages)},
        timing=[row for path in this.input.timing for row in read_jsonl(path)],
        # One file at a time: their predictions are large, and not recorded.
        probes=[
            row
            for path in this.input.probes
            for row in probe_table(job.stem(path), read_probe_rows(path))
        ],
        figures={job.stem(path): path for path in this.input.figures},
    )
    write_text(this.output.report, json.dumps({"mode": mode, **run}, indent=2) + "\n")

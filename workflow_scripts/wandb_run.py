"""Record a model's results as a run for Weights & Biases, offline: config, tables, figures."""

import json

import job
from think_to_talk.files.atomic import write_text
from think_to_talk.files.jsonl import read_all, read_jsonl, read_probe_rows
from think_to_talk.files.possibly_empty import read_any_of
from think_to_talk.run.packages import package_versions
from think_to_talk.run.wandb_runs import PROBE_COLUMNS, Table, record, summary
from think_to_talk.timing import clocks, table

with job.running(globals()) as this:
    about = dict(this.params.about)
    mode = about.pop("mode")
    timing = read_all(this.input.timing)
    dates = read_jsonl(this.input.clocks)
    tables = {
        "timing": Table.of(table.COLUMNS, timing),
        "clocks": Table.of(clocks.COLUMNS, dates),
        # One file at a time: their predictions are large, and not recorded.
        "probes": Table(
            PROBE_COLUMNS,
            [
                values
                for path in this.input.probes
                for values in Table.of(
                    PROBE_COLUMNS,
                    ({"task": job.stem(path), **row} for row in read_probe_rows(path)),
                ).data
            ],
        ),
    }
    for name in ("forced_answers", "patching", "free_writing", "inconsistent_chains", "steering"):
        if rows := read_any_of(getattr(this.input, name)):
            tables[name] = Table.of_all(rows)
    run = record(
        this.output.folder,
        about,
        {**this.params.config, "packages": package_versions(this.params.packages)},
        summary(timing, dates),
        tables,
        dict(zip(this.params.figures, this.input.figures, strict=True)),
    )
    write_text(this.output.report, json.dumps({"mode": mode, **run}, indent=2) + "\n")

"""Dry runs as forks of one process that has imported Snakemake, which takes half of their time."""

import json
import subprocess
import tempfile
from functools import cache
from pathlib import Path

from think_to_talk.run.loaded_libraries import Loader

#: What Snakemake, its plugins and the rules import, beside the study's own package.
LIBRARIES = (
    *("snakemake.cli", "snakemake.report.html_reporter", "snakemake_executor_plugin_slurm"),
    *("jsonschema", "rich.live", "smart_open"),
)
PROGRAM = Path(__file__).with_name("forked_snakemake.py")


@cache
def _loader():
    """The process that has imported them. It ends when this one does."""
    return Loader((name, None) for name in LIBRARIES)


def dry_run(folder, arguments, environment):
    """What `snakemake --dry-run` with these arguments says in a folder, as `subprocess.run` does.

    environment: all variables of the process.
    """
    with tempfile.TemporaryDirectory() as files:
        outputs = [Path(files, name) for name in ("stdout", "stderr")]
        request = {
            "folder": str(folder),
            "arguments": arguments,
            "outputs": list(map(str, outputs)),
        }
        status = _loader().start(PROGRAM, {**environment, "DRY_RUN": json.dumps(request)}).wait()
        stdout, stderr = (output.read_text(encoding="utf-8") for output in outputs)
    return subprocess.CompletedProcess(["snakemake", *arguments], status, stdout, stderr)

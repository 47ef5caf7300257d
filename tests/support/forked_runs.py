"""Runs of Snakemake as forks of one process that has imported what it and its jobs import.

Imports take half of a dry run, and a third of the run of a small study.
"""

import json
import subprocess
import tempfile
from functools import cache
from pathlib import Path

from support.repository import REPOSITORY
from think_to_talk.run.code_version import Code
from think_to_talk.run.loaded_libraries import Loader

#: What Snakemake, its plugins and the rules import, beside the study's own package.
SNAKEMAKE = (
    *("snakemake.cli", "snakemake.report.html_reporter", "snakemake_executor_plugin_slurm"),
    *("jsonschema", "rich.live", "smart_open"),
)
PROGRAM = Path(__file__).with_name("forked_snakemake.py")


@cache
def _dry_runs():
    """The process that has imported Snakemake. It ends when this one does."""
    return Loader((name, None) for name in SNAKEMAKE)


@cache
def _real_runs():
    """The process that has also imported what all scripts of the study import."""
    scripts = REPOSITORY / "workflow_scripts"
    code = Code(scripts)
    of_jobs = [code.libraries(script.name) for script in scripts.glob("*.py")]
    return Loader(set().union(*of_jobs, ((name, None) for name in SNAKEMAKE)))


def forked_run(folder, arguments, environment):
    """What `snakemake` with these arguments says in a folder, as `subprocess.run` does.

    environment: all variables of the process. What libraries read while they are imported, as
    `huggingface_hub` reads HF_HOME, is that of the tests.
    """
    dry = "--dry-run" in arguments
    with tempfile.TemporaryDirectory() as files:
        outputs = [Path(files, name) for name in ("stdout", "stderr")]
        request = {
            "folder": str(folder),
            "arguments": arguments,
            "outputs": list(map(str, outputs)),
            "runs_jobs": not dry,
        }
        loader = _dry_runs() if dry else _real_runs()
        status = loader.start(PROGRAM, {**environment, "RUN": json.dumps(request)}).wait()
        stdout, stderr = (output.read_text(encoding="utf-8") for output in outputs)
    return subprocess.CompletedProcess(["snakemake", *arguments], status, stdout, stderr)

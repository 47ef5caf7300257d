"""What a Slurm knows of its jobs, and what can happen to them."""

import os
import re
import subprocess
import time
from pathlib import Path


class Slurm:
    """A Slurm that `tests/cluster/slurm` started in a folder."""

    def __init__(self, folder):
        self.environment = {
            "SLURM_CONF": f"{folder}/slurm.conf",
            "PATH": f"{folder}/bin:{os.environ['PATH']}",
        }

    def __call__(self, *command):
        environment = {**os.environ, **self.environment}
        return subprocess.run(
            command, env=environment, check=True, capture_output=True, text=True
        ).stdout

    def jobs(self, rule="", folder=None):
        """All jobs so far, as `scontrol show job` has them; those of one rule or folder."""
        lines = self("scontrol", "--details", "--oneliner", "show", "job").splitlines()
        jobs = [dict(re.findall(r"(\S+?)=(\S*)", line)) for line in lines]
        return [
            job
            for job in jobs
            if rule in job.get("Comment", "") and folder in (None, Path(job.get("WorkDir", "/")))
        ]

    def wait_for(self, condition, seconds=300):
        """What the condition returns, once that is true. The limit is generous."""
        deadline = time.monotonic() + seconds
        while not (result := condition()):
            assert time.monotonic() < deadline, self("squeue")
            time.sleep(0.2)
        return result


def processes(job):
    """{process: its environment} of a job that runs: those in Slurm's job steps."""
    found = {}
    for path in Path("/proc").glob("[0-9]*/environ"):
        try:
            pairs = path.read_bytes().decode(errors="replace").split("\0")
        except OSError:
            continue
        environment = dict(pair.split("=", 1) for pair in pairs if "=" in pair)
        if environment.get("SLURM_JOB_ID") == job and "SLURM_STEP_ID" in environment:
            found[int(path.parent.name)] = environment
    return found

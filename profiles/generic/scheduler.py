"""Submit a job of Snakemake to SGE, LSF, PBS or Slurm, and ask how it is doing.

    scheduler.py submit sge|lsf|pbs|slurm JOBSCRIPT    prints the job's id
    scheduler.py status sge|lsf|pbs|slurm ID           prints running, success or failed

For Snakemake's executor cluster-generic. What the job needs stands in its script, as JSON. Names
that sites choose (SGE's parallel environment `smp` and its resource `gpu`) are in SUBMIT.
"""

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

LOGS = Path(".snakemake/cluster_logs")


def needs(jobscript: str | Path) -> dict[str, Any]:
    """What a job, or a group of jobs together, asks for; memory in MB, time in minutes."""
    [line] = re.findall(r"^# properties = (.*)$", Path(jobscript).read_text(), re.MULTILINE)
    properties = json.loads(line)
    resources = properties["resources"]
    name = re.sub(r"[^\w.-]", "_", properties.get("rule") or properties["groupid"])
    return {
        "name": name,
        "log": LOGS / f"{name}.{properties['jobid']}.log",
        "threads": properties["threads"],
        "memory": resources["mem_mb"],
        "minutes": resources["runtime"],
        "gpus": resources.get("gpu", 0),
        "gpu_model": resources.get("gpu_model"),
        "account": resources.get("slurm_account"),
        "queue": resources.get("slurm_partition"),
        "constraint": resources.get("constraint"),
    }


def option(flag: str, value: Any) -> str:
    """A flag with its value, or nothing where there is none."""
    return f" {flag} {shlex.quote(str(value))}" if value else ""


def sge(job: dict[str, Any]) -> str:
    """Memory is per slot."""
    memory = -(-job["memory"] // job["threads"])
    return (
        f"qsub -terse -V -cwd -j y -S /bin/sh -N {job['name']} -o {job['log']}"
        f" -pe smp {job['threads']} -l h_vmem={memory}M -l h_rt={job['minutes'] * 60}"
        + option("-l", job["gpus"] and f"gpu={job['gpus']}")
        + option("-P", job["account"])
        + option("-q", job["queue"])
    )


def lsf(job: dict[str, Any]) -> str:
    """Memory in a unit that does not depend on the site's LSF_UNIT_FOR_LIMITS."""
    model = f":gmodel={job['gpu_model']}" if job["gpu_model"] else ""
    return (
        f"bsub -J {job['name']} -o {job['log']} -n {job['threads']}"
        f" -R 'span[hosts=1] rusage[mem={job['memory']}MB]' -W {job['minutes']}"
        + option("-gpu", job["gpus"] and f"num={job['gpus']}:mode=exclusive_process{model}")
        + option("-P", job["account"])
        + option("-q", job["queue"])
    )


def pbs(job: dict[str, Any]) -> str:
    """PBS Pro and OpenPBS; names have at most 15 characters."""
    gpus = f":ngpus={job['gpus']}" if job["gpus"] else ""
    return (
        f"qsub -V -j oe -N {job['name'][:15]} -o {job['log']}"
        f" -l select=1:ncpus={job['threads']}:mem={job['memory']}mb{gpus}"
        f" -l walltime={job['minutes'] // 60:02}:{job['minutes'] % 60:02}:00"
        + option("-A", job["account"])
        + option("-q", job["queue"])
    )


def slurm(job: dict[str, Any]) -> str:
    """For tests; profiles/slurm is better at it."""
    gpu = f"{job['gpu_model']}:{job['gpus']}" if job["gpu_model"] else job["gpus"]
    return (
        f"sbatch --parsable --job-name={job['name']} --output={job['log']} --ntasks=1"
        f" --cpus-per-task={job['threads']} --mem={job['memory']} --time={job['minutes']}"
        + option("--gpus", job["gpus"] and gpu)
        + option("--account", job["account"])
        + option("--partition", job["queue"])
        + option("--constraint", job["constraint"])
    )


SUBMIT = {"sge": sge, "lsf": lsf, "pbs": pbs, "slurm": slurm}
# What is asked of the scheduler, in turn, until an answer says how the job ended; and which does.
STATUS = {
    "sge": (
        ["qstat -j {id}", "qacct -j {id}"],
        r"^failed +0\b[\s\S]*^exit_status +0\b",
        r"^exit_status|^error reason",
    ),
    "lsf": (["bjobs -noheader -o stat {id}"], r"^DONE", r"^EXIT|^ZOMBI"),
    "pbs": (["qstat -x -f {id}"], r"job_state = F[\s\S]*Exit_status = 0\b", r"job_state = F"),
    "slurm": (
        ["squeue --noheader --states=all --format=%T --jobs={id}"],
        r"^COMPLETED",
        r"^(BOOT_FAIL|CANCELLED|DEADLINE|FAILED|NODE_FAIL|OUT_OF_MEMORY|TIMEOUT)",
    ),
}


def submit(scheduler: str, jobscript: str) -> None:
    """Submit a job and print its id: the first word with a digit that the scheduler answers."""
    LOGS.mkdir(parents=True, exist_ok=True)
    command = f"{SUBMIT[scheduler](needs(jobscript))} {shlex.quote(jobscript)}"
    answer = subprocess.run(command, shell=True, stdout=subprocess.PIPE, text=True)
    if answer.returncode:
        sys.exit(f"error: the scheduler refused: {command}")
    print(re.search(r"\d[\w.\[\]-]*", answer.stdout)[0])


def status(scheduler: str, job: str) -> None:
    """Print how a job is doing. One of which the scheduler does not know yet is running."""
    commands, success, failure = STATUS[scheduler]
    for command in commands:
        answer = subprocess.run(
            command.format(id=shlex.quote(job)), shell=True, capture_output=True, text=True
        ).stdout
        if re.search(success, answer, re.MULTILINE):
            print("success")
            return
        if re.search(failure, answer, re.MULTILINE):
            print("failed")
            return
    print("running")


if __name__ == "__main__":
    if len(sys.argv) != 4 or sys.argv[1] not in ("submit", "status") or sys.argv[2] not in SUBMIT:
        sys.exit(__doc__)
    {"submit": submit, "status": status}[sys.argv[1]](*sys.argv[2:])

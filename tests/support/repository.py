"""Where the repository under test is, and what it ships that tests read."""

import shutil
from pathlib import Path

import yaml

REPOSITORY = Path(__file__).resolve().parent.parent.parent
GENERAL_FEW_SHOT = yaml.safe_load(
    (REPOSITORY / "studies/general-few-shot.yaml").read_text(encoding="utf-8")
)["tasks"]["level-4-general"]

#: What belongs to a clone and not to the repository, as `shutil.copytree` leaves it out.
NOT_COPIED = shutil.ignore_patterns(
    *(".git", ".venv", ".snakemake", "results", "runs", "__pycache__", ".*_cache", "*.sif"),
    *("build", "*.egg-info", "site"),
)

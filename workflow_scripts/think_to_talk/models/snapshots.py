"""The folder of a downloaded hub model.

A study keeps a small manifest of it (repository, commit, files and their sizes), which
`models/hub.py` writes; the weights stay in the hub's cache, which all studies on a machine share
(`HF_HOME`).
"""

from __future__ import annotations

import json
from pathlib import Path

from think_to_talk.errors import REMAKE_HINT, InputError


def snapshot_folder(manifest: str | Path) -> Path:
    """The folder in the hub's cache with the files of a manifest.

    Raises InputError if the manifest is damaged, or if files are missing from the cache.
    """
    try:
        content = json.loads(Path(manifest).read_text(encoding="utf-8"))
    except ValueError as error:
        raise InputError(f"{manifest}: not JSON in UTF-8 ({error}): {REMAKE_HINT}") from None
    folder = cached_folder(content["repository"], content["revision"])
    for name, size in content["files"].items():
        path = folder / name
        if not path.exists() or path.stat().st_size != size:
            raise InputError(
                f"models.{content['model']}: {name} ({size} bytes) of {content['repository']} is "
                "no longer in the hub's cache: download it again with `hf download "
                f"{content['repository']} --revision {content['revision']}`, or set HF_HOME to the "
                "cache that has it"
            )
    return folder


def cached_folder(repository: str, revision: str) -> Path:
    """The folder of a snapshot in the hub's cache, whether or not it exists and is complete."""
    from huggingface_hub import constants
    from huggingface_hub.file_download import repo_folder_name

    name = repo_folder_name(repo_id=repository, repo_type="model")
    return Path(constants.HF_HUB_CACHE) / name / "snapshots" / revision

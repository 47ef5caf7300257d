"""Where a hub model lies on disk.

What a study keeps of it is a small manifest (repository, commit, files and their sizes); the
weights stay in the hub's own cache, which all studies of a machine share (`HF_HOME`).
"""

from __future__ import annotations

import json
from pathlib import Path

from think_to_talk.errors import ANEW, InputError


def snapshot_folder(manifest: str | Path) -> Path:
    """The folder in the hub's cache that a manifest stands for.

    Raises InputError if it is damaged, or if files are gone from the cache.
    """
    try:
        content = json.loads(Path(manifest).read_text(encoding="utf-8"))
    except ValueError as error:
        raise InputError(f"{manifest}: not JSON in UTF-8 ({error}): {ANEW}") from None
    folder = cached_folder(content["repository"], content["revision"])
    for name, size in content["files"].items():
        path = folder / name
        if not path.exists() or path.stat().st_size != size:
            raise InputError(
                f"models.{content['model']}: {name} ({size} bytes) of {content['repository']} is "
                "no longer in the hub's cache: bring it back with `hf download "
                f"{content['repository']} --revision {content['revision']}`, or set HF_HOME as it "
                "was"
            )
    return folder


def cached_folder(repository: str, revision: str) -> Path:
    """The folder of a snapshot in the hub's cache; it need not be there, nor complete."""
    from huggingface_hub import constants
    from huggingface_hub.file_download import repo_folder_name

    name = repo_folder_name(repo_id=repository, repo_type="model")
    return Path(constants.HF_HUB_CACHE) / name / "snapshots" / revision

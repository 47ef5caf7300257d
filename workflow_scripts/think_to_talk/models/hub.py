"""Downloading checkpoints from a model hub into its cache, and checking that they are complete.

The download rule writes a manifest of the files (`models/snapshots.py` reads it when the model is
loaded); planning reads a model's `config.json` to compute its size.

Only `_fetch` uses the network. It skips complete files and resumes interrupted ones. The hub's
library reads the token from the environment (`HF_TOKEN`); it never passes through this code.
"""

from __future__ import annotations

import errno
import glob
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from think_to_talk.errors import InputError
from think_to_talk.files.atomic import write_text
from think_to_talk.models.checkpoints import check_code, weight_files

#: The configuration, the tokenizer with its chat template, and the weights' index or only file, as
#: safetensors; no pickles and no code. Files that the index lists are fetched after it.
_WANTED = (
    *("config.json", "generation_config.json", "tokenizer*.json", "special_tokens_map.json"),
    *("chat_template.jinja", "chat_template.json"),
    *("vocab.json", "merges.txt", "tokenizer.model"),
    *("model.safetensors", "model.safetensors.index.json"),
)

#: Python code of the checkpoint, where the config trusts it.
_CODE = ("*.py",)


def _fetch(repository: str, revision: str, wanted: tuple[str, ...] = _WANTED) -> Path:
    """Download the wanted files that are not in the cache; returns the snapshot's folder there.

    With `HF_HUB_OFFLINE=1` the library does not use the network.
    """
    from huggingface_hub import snapshot_download

    return Path(snapshot_download(repository, revision=revision, allow_patterns=list(wanted)))


@contextmanager
def hub_errors(model: str, repository: str, revision: str) -> Iterator[None]:
    """Turn the hub library's errors in the block into an InputError with what to do, in one line.

    model: its name in the config.
    repository, revision: on the hub.
    """
    # The HTTP client of the hub's library, which does not wrap all of its errors.
    import httpx2
    from huggingface_hub import errors

    where = f"models.{model}: {repository} at {revision[:12]}"
    page = f"the page of {repository} on the hub"
    try:
        yield
        return
    except errors.GatedRepoError:
        problem = f"access is gated: accept the licence on {page}, then set HF_TOKEN"
    except errors.RevisionNotFoundError:
        problem = f"no such revision: take a commit from {page}"
    except errors.RepositoryNotFoundError:
        problem = "no such repository, or a private one: check the name, and set HF_TOKEN"
    except errors.LocalEntryNotFoundError as error:
        problem = _denied(error.__cause__) or (
            f"not (or not completely) in the cache and the hub cannot be reached "
            f"({_first_line(error.__cause__ or error)}): run again with access to it, which "
            "resumes the download, or set HF_HOME to a cache that has the model"
        )
    # The client for chunked storage raises RuntimeError.
    except (errors.HfHubHTTPError, httpx2.HTTPError, OSError, RuntimeError) as error:
        problem = (
            _denied(error)
            or _unwritable(error)
            or f"download interrupted ({_first_line(error)}): run again, which resumes it"
        )
    raise InputError(f"{where}: {problem}")


def _denied(error: BaseException | None) -> str | None:
    """What to do about HTTP status 401 or 403; None for any other error."""
    status = getattr(getattr(error, "response", None), "status_code", None)
    if error is None or status not in (401, 403):
        return None
    return f"access is denied ({_first_line(error)}): set HF_TOKEN to a valid token with access"


def _unwritable(error: BaseException) -> str | None:
    """What to do if the cache cannot be written; None for any other error."""
    if getattr(error, "errno", None) not in (errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EROFS):
        return None
    return (
        f"the hub's cache cannot be written ({_first_line(error)}): free space there, or set "
        "HF_HOME to another folder"
    )


def _first_line(error: BaseException) -> str:
    text = str(error).strip()
    return f"{type(error).__name__}: {text.splitlines()[0][:200]}" if text else type(error).__name__


def download(
    model: str,
    repository: str,
    revision: str,
    declared: Mapping[str, Any] | None,
    manifest: Path,
    *,
    trust_remote_code: bool = False,
) -> None:
    """Fetch a model into the cache, check that it is complete, and write its manifest.

    model: its name in the config, for messages.
    repository, revision: on the hub.
    declared: the config's `architecture` entry, which must agree with the downloaded `config.json`.
    manifest: the file that is written.
    trust_remote_code: whether to download Python code of the checkpoint too, which may then be run.
    Raises InputError saying which model, what happened and what to do.
    """
    code = _CODE if trust_remote_code else ()
    wanted = (*_WANTED, *code)
    with hub_errors(model, repository, revision):
        folder = _fetch(repository, revision, wanted)
    check_code(folder, trust_remote_code, f"models.{model}.trust_remote_code")
    try:
        weights = weight_files(folder)
    except InputError as error:
        raise InputError(f"models.{model}: {error}") from None
    with hub_errors(model, repository, revision):
        _fetch(repository, revision, tuple(map(glob.escape, weights)))
    names = ["config.json", "tokenizer.json", *weights]
    names += [str(path.relative_to(folder)) for pattern in code for path in folder.rglob(pattern)]
    files = {name: _complete(model, folder / name) for name in names}
    optional = [
        *("tokenizer_config.json", "generation_config.json", "special_tokens_map.json"),
        *("chat_template.jinja", "chat_template.json"),
    ]
    files |= {name: (folder / name).stat().st_size for name in optional if (folder / name).exists()}
    if declared is not None:
        _check_declared(model, declared, folder, trust_remote_code)
    content = {"model": model, "repository": repository, "revision": revision, "files": files}
    write_text(manifest, json.dumps(content, indent=2) + "\n")


def _complete(model: str, path: Path) -> int:
    """The file's size. Raises InputError if it is missing or shorter than its header requires."""
    from safetensors import SafetensorError, safe_open

    if not path.exists():
        pickled = "; weights are read from safetensors only" if "safetensors" in path.name else ""
        raise InputError(
            f"models.{model}: {path.name} is missing in {path.parent}{pickled}: if the repository "
            "has it, run again with access to the hub (without HF_HUB_OFFLINE); otherwise choose "
            "another repository"
        )
    if path.suffix == ".safetensors":
        try:
            safe_open(path, "np")
        except (SafetensorError, OSError) as error:
            raise InputError(
                f"models.{model}: {path} is not complete ({error}): delete the file it links to, "
                f"{path.resolve()}, and run again to download it again"
            ) from None
    return path.stat().st_size


def _check_declared(
    model: str, declared: Mapping[str, Any], folder: Path, trust_remote_code: bool
) -> None:
    """Raise InputError if the config's `architecture` disagrees with the model's config.json."""
    # Here, since it takes seconds to import.
    from think_to_talk.models.configs import check_declared, library_config

    try:
        config = library_config(folder / "config.json", trust_remote_code)
        check_declared(declared, config, trust_remote_code)
    except InputError as error:
        raise InputError(f"models.{model}.{error}") from None


def published_config(
    model: str, repository: str, revision: str, *, with_code: bool = False
) -> Path:
    """The model's `config.json`, from the hub.

    with_code: whether to download Python code of the checkpoint too, which may then be run.
    """
    with hub_errors(model, repository, revision):
        wanted = ("config.json", *(_CODE if with_code else ()))
        return _fetch(repository, revision, wanted) / "config.json"

"""Checkpoints from a model hub, fetched into the hub's own cache and checked to be complete.

The network is used by `_fetch` alone: complete files are not fetched again, and a connection that
breaks within one is resumed there. The token is read from the environment (`HF_TOKEN`) by the hub's
library and never passes through this code.
"""

from __future__ import annotations

import errno
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from think_to_talk.architecture import Architecture, read_architecture
from think_to_talk.errors import InputError
from think_to_talk.files import write_text
from think_to_talk.models import check_code, weight_files
from think_to_talk.snapshots import cached_folder

Found = TypeVar("Found")

#: Weights as safetensors only (no pickles, and not the duplicates some repositories keep under
#: other names), the configuration, and the tokenizer; no code.
_WANTED = (
    *("config.json", "generation_config.json", "tokenizer*.json", "special_tokens_map.json"),
    *("vocab.json", "merges.txt", "tokenizer.model"),
    *("model.safetensors", "model-*.safetensors", "model.safetensors.index.json"),
)
#: The checkpoint's own code, where the config trusts it.
_CODE = ("*.py",)


def _fetch(repository: str, revision: str, wanted: tuple[str, ...] = _WANTED) -> Path:
    """The folder of the snapshot in the cache, its wanted files downloaded if they are not there.

    `HF_HUB_OFFLINE=1` keeps the library from the network.
    """
    from huggingface_hub import snapshot_download

    return Path(snapshot_download(repository, revision=revision, allow_patterns=list(wanted)))


def _explained(model: str, repository: str, revision: str, find: Callable[[], Found]) -> Found:
    """What `find` returns; the hub's errors as one line: which model, what happened, what to do."""
    # The HTTP client that the hub's library is built on, and whose errors it lets through.
    import httpx2
    from huggingface_hub import errors

    where = f"models.{model}: {repository} at {revision[:12]}"
    page = f"the page of {repository} on the hub"
    try:
        return find()
    except errors.GatedRepoError:
        problem = f"access is gated: accept the licence on {page}, then set HF_TOKEN"
    except errors.RevisionNotFoundError:
        problem = f"no such revision: take a commit from {page}"
    except errors.RepositoryNotFoundError:
        problem = "no such repository, or a private one: check the name, and set HF_TOKEN"
    except errors.LocalEntryNotFoundError as error:
        problem = _denied(error.__cause__) or (
            f"not (wholly) in the cache and the hub cannot be reached "
            f"({_first_line(error.__cause__ or error)}): run again where it can, which resumes the "
            "download, or point HF_HOME to a filled cache"
        )
    # RuntimeError is what the client for chunked storage raises.
    except (errors.HfHubHTTPError, httpx2.HTTPError, OSError, RuntimeError) as error:
        problem = (
            _denied(error)
            or _unwritable(error)
            or f"download interrupted ({_first_line(error)}): run again, which resumes it"
        )
    raise InputError(f"{where}: {problem}")


def _denied(error: BaseException | None) -> str | None:
    """What to do about an answer 401 or 403; None for any other error."""
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

    model: its name in the config, for messages. declared: the config's `architecture` entry, which
    the downloaded `config.json` must agree with. trust_remote_code: whether to fetch the
    checkpoint's own Python code too, which may then be run.
    Raises InputError saying which model, what happened and what to do.
    """
    code = _CODE if trust_remote_code else ()
    wanted = (*_WANTED, *code)
    folder = _explained(model, repository, revision, lambda: _fetch(repository, revision, wanted))
    check_code(folder, trust_remote_code, f"models.{model}.trust_remote_code")
    names = ["config.json", "tokenizer.json", *weight_files(folder)]
    names += [str(path.relative_to(folder)) for pattern in code for path in folder.rglob(pattern)]
    files = {name: _complete(model, folder / name) for name in names}
    optional = ("tokenizer_config.json", "generation_config.json", "special_tokens_map.json")
    files |= {name: (folder / name).stat().st_size for name in optional if (folder / name).exists()}
    if declared is not None:
        check_declared(model, declared, folder / "config.json")
    content = {"model": model, "repository": repository, "revision": revision, "files": files}
    write_text(manifest, json.dumps(content, indent=2) + "\n")


def _complete(model: str, path: Path) -> int:
    """The file's size. Raises InputError if it is missing or shorter than its own header says."""
    from safetensors import SafetensorError, safe_open

    if not path.exists():
        pickled = "; weights are read from safetensors only" if "safetensors" in path.name else ""
        raise InputError(
            f"models.{model}: {path.name} is missing in {path.parent}{pickled}: if the repository "
            "has it, run again where the hub can be reached (without HF_HUB_OFFLINE); if it has "
            "not, choose another"
        )
    if path.suffix == ".safetensors":
        try:
            safe_open(path, "np")
        except (SafetensorError, OSError) as error:
            raise InputError(
                f"models.{model}: {path} is not complete ({error}): delete the file it links to, "
                f"{path.resolve()}, and run again to download it anew"
            ) from None
    return path.stat().st_size


def check_declared(model: str, declared: Mapping[str, Any], published: Path) -> None:
    """Raise InputError if the config's `architecture` is not what the model's config.json says."""
    wanted = Architecture.from_config(declared)
    try:
        found = read_architecture(published)
    except InputError as error:
        raise InputError(f"models.{model}: {error}") from None
    for name in wanted.__dataclass_fields__:
        ours, theirs = getattr(wanted, name), getattr(found, name)
        if ours != theirs:
            raise InputError(
                f"models.{model}.architecture.{name}: the config says {ours!r}, the model's own "
                f"config.json {theirs!r}: correct the entry, or leave `architecture` out"
            )


def published_config(model: str, repository: str, revision: str) -> Path:
    """The model's `config.json`, from the cache or, where it is not there, from the hub."""
    folder = cached_folder(repository, revision)
    if not (folder / "config.json").exists():
        folder = _explained(
            model, repository, revision, lambda: _fetch(repository, revision, ("config.json",))
        )
    return folder / "config.json"

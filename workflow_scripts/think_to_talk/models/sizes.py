"""The sizes of models, measured without their weights: what planning computes with.

Planning (`study/`) computes memory, disk and operations from them before anything is downloaded.
A model is built and run without memory by `models/measure_sizes.py`, in processes of their own,
since torch and transformers take seconds to import. Answers are kept in a file, and those of this
repository's studies come with it, so that a process is started only for a model, or a length of
prompts, that is new.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, fields
from importlib.metadata import version
from pathlib import Path
from typing import Any

from think_to_talk.errors import InputError
from think_to_talk.files.atomic import write_text

#: Bytes of one number, by the name of its torch type.
DTYPE_BYTES = {"float32": 4, "bfloat16": 2, "float16": 2}

#: The answers for this repository's studies (`make sizes`).
KNOWN = Path(__file__).with_name("known_sizes.json")

_PROGRAM = "think_to_talk.models.measure_sizes"

#: What the answers depend on beside the requests: the program's code, and these packages.
_CODE = ("configs.py", "live_memory.py", "measure_sizes.py")

_PACKAGES = ("torch", "transformers")

#: Seconds after which the program is ended, and how many of it run at a time: each imports torch.
_PATIENCE, _MOST_PROCESSES = 600, 4


@dataclass(frozen=True)
class Tokens:
    """The lengths, in tokens, of what decoding passes.

    prefix: few-shot examples, which are passed once.
    row: problem and gold chain of a row, passed behind them.
    read: last positions of a row whose logits are read.
    longest: prefix and row, or what is decoded in the row's place, if that is longer.
    """

    prefix: int
    row: int
    read: int
    longest: int


@dataclass(frozen=True)
class SizesRequest:
    """A model whose sizes are asked for.

    tokens: of what decoding passes.
    dtype: in which it runs; `auto` for that of the stored weights.
    on_gpu: whether it runs on a GPU.
    checkpoint: its config.json or GGUF file; None to build it from what is declared.
    declared: keys of its config.json as the study declares them; None if it declares none. A
        checkpoint must agree with them.
    trust_remote_code: whether Python code that comes with the checkpoint may be run.
    """

    tokens: Tokens
    dtype: str = "auto"
    on_gpu: bool = False
    checkpoint: Path | None = None
    declared: Mapping[str, Any] | None = None
    trust_remote_code: bool = False

    def as_json(self) -> dict[str, Any]:
        """What the program reads."""
        checkpoint = None if self.checkpoint is None else str(self.checkpoint.absolute())
        return {**asdict(self), "checkpoint": checkpoint}

    def key(self) -> str:
        """A hash of all that the answer depends on."""
        digest = hashlib.sha256(json.dumps({**self.as_json(), "checkpoint": None}).encode())
        for package in _PACKAGES:
            digest.update(version(package).encode())
        for name in _CODE:
            digest.update(Path(__file__).with_name(name).read_bytes())
        if self.checkpoint is not None:
            digest.update(_content(self.checkpoint, self.trust_remote_code))
        return digest.hexdigest()


@dataclass(frozen=True)
class Sizes:
    """What a model has, and what decoding with it holds in memory.

    num_hidden_layers: decoder blocks.
    hidden_size: width of the residual stream.
    vocabulary: logits of a position.
    dtype: torch type in which it runs.
    parameters: number of weights; tied ones count once.
    weights: their bytes, with those of buffers.
    prefix_cache, prefix_activations: bytes of the few-shot prefix's cache, and of all else that its
        pass holds at its peak.
    cache: bytes of a row's cache at its longest.
    activations: bytes of all else that a row's pass holds at its peak, its logits among them.
    shared: bytes that a pass holds at its peak whatever its rows, such as masks.
    flops_per_token: operations of matrix products of that pass. Attention within fused kernels is
        left out: over a few hundred tokens it adds a few percent (Kaplan et al., arXiv:2001.08361).
    assumed: why its passes could not be measured, so that bytes and operations but for the weights'
        are assumptions; empty where they are measured.
    """

    num_hidden_layers: int
    hidden_size: int
    vocabulary: int
    dtype: str
    parameters: int
    weights: int
    prefix_cache: int
    prefix_activations: int
    cache: int
    activations: int
    shared: int
    flops_per_token: int
    assumed: str = ""


def measured_sizes(
    requests: Mapping[str, SizesRequest], cache: Path | None = None
) -> dict[str, Sizes]:
    """The sizes of models, {name: sizes}: known, from the cache, or measured now.

    requests: {name: what is asked for}.
    cache: a file of answers, which is read and added to; None for none.
    Raises InputError, which begins with the place in the config, for the first model that cannot be
    built.
    """
    kept = _read(cache) if cache else {}
    keys = {name: request.key() for name, request in requests.items()}
    found = kept if kept.keys() >= set(keys.values()) else {**_read(KNOWN), **kept}
    missing = {keys[name]: request for name, request in requests.items() if keys[name] not in found}
    if missing:
        answers = run_program([request.as_json() for request in missing.values()])
        for key, answer in zip(missing, answers, strict=True):
            if "error" in answer:
                name = next(name for name in keys if keys[name] == key)
                join = "." if answer["error"].startswith("architecture") else ": "
                raise InputError(f"models.{name}{join}{answer['error']}")
            found[key] = kept[key] = Sizes(**answer)
        if cache:
            content = {key: asdict(sizes) for key, sizes in kept.items()}
            write_text(cache, json.dumps(content, indent=1) + "\n")
    return {name: found[key] for name, key in keys.items()}


def run_program(requests: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The program's answers, in the order of the requests. Raises InputError if it fails.

    Models are measured side by side, in as many processes as there are cores, up to a few.
    """
    n_processes = min(len(requests), os.cpu_count() or 1, _MOST_PROCESSES)
    shares = [requests[first::n_processes] for first in range(n_processes)]
    answers: list[dict[str, Any]] = [{}] * len(requests)
    with ThreadPoolExecutor(n_processes) as pool:
        for first, share in enumerate(pool.map(_answers, shares)):
            answers[first::n_processes] = share
    return answers


def _answers(requests: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The answers of one process to its share of the requests."""
    environment = {
        **os.environ,
        "PYTHONPATH": str(Path(__file__).parents[2]),
        "TRANSFORMERS_VERBOSITY": "error",
        # Nothing is downloaded, and no GPU is taken.
        "HF_HUB_OFFLINE": "1",
        "CUDA_VISIBLE_DEVICES": "",
    }
    try:
        run = subprocess.run(
            # -P: modules are not looked for in the folder of the study.
            [sys.executable, "-P", "-m", _PROGRAM],
            input=json.dumps(requests),
            capture_output=True,
            text=True,
            env=environment,
            timeout=_PATIENCE,
        )
    except subprocess.TimeoutExpired:
        raise InputError(
            f"models: their sizes were not measured within {_PATIENCE} s: see that their "
            "config.json files are right"
        ) from None
    if run.returncode:
        last = (run.stderr.strip().splitlines() or ["no message"])[-1]
        raise InputError(
            f"models: measuring their sizes ended with status {run.returncode} ({last[:300]}): "
            f"see what `{sys.executable} -m {_PROGRAM}` needs"
        )
    answers: list[dict[str, Any]] = json.loads(run.stdout)
    return answers


def _content(checkpoint: Path, with_code: bool) -> bytes:
    """What a model is built from, or what tells it from others: of a GGUF file, its size and time.

    Raises InputError if a file cannot be read.
    """
    try:
        if checkpoint.suffix == ".gguf":
            status = checkpoint.stat()
            return f"{checkpoint.absolute()} {status.st_size} {status.st_mtime_ns}".encode()
        files = [checkpoint, *(sorted(checkpoint.parent.glob("*.py")) if with_code else ())]
        return b"\0".join(file.read_bytes() for file in files)
    except OSError as error:
        raise InputError(f"{checkpoint}: not readable ({error})") from None


def _read(cache: Path) -> dict[str, Sizes]:
    """The answers in a file; none if there is none, or where it is damaged."""
    try:
        content = json.loads(cache.read_text(encoding="utf-8"))
        return {key: _checked(values) for key, values in content.items()}
    except (OSError, ValueError, TypeError, AttributeError):
        return {}


def _checked(values: Mapping[str, Any]) -> Sizes:
    """Sizes of the types that they have. Raises TypeError for others."""
    sizes = Sizes(**values)
    for field in fields(Sizes):
        if type(getattr(sizes, field.name)).__name__ != field.type:
            raise TypeError(field.name)
    return sizes

"""What the jobs of a model need: memory, batch size, time and disk, computed before anything runs.

GB are gibibytes here, as the makers of GPUs count: an "A100 40 GB" reports 40,960 MiB.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from think_to_talk.architecture import DTYPE_BYTES, Architecture
from think_to_talk.errors import InputError

GB = 2**30
MB = 2**20

#: What is kept free on a GPU for all that is not computed below: the CUDA context and its kernels,
#: workspaces of the matrix products, a file of weights on its way to the GPU, and the allocator's
#: fragmentation while the key-value cache grows token by token. It is the one free constant:
#: calibrated so that the paper's nine models at its batch sizes need the GPUs that it lists. On
#: a GPU of less than 40 GB it is a share.
RESERVE, _RESERVED_SHARE = 12 * GB, 0.3
#: Without a GPU: the interpreter with its libraries, and what a batch may use beside the weights.
CPU_RESERVE = 2 * GB
CPU_BATCH = 3 * GB
#: A batch is as many rows as fit, up to here; a GPU must take at least so many to be chosen.
_MOST_ROWS, _LEAST_ROWS = 256, 8

#: Assumptions on speed: the share of a GPU's peak that forward passes reach; the share of its
#: memory bandwidth that decoding a token reaches, and the least time it takes (kernel launches);
#: loading weights from a shared file system; and a CPU core.
UTILISATION = 0.3
_BANDWIDTH_SHARE = 0.5
_LEAST_STEP_SECONDS = 0.025
_LOAD_SECONDS, _LOAD_BYTES_PER_SECOND = 60.0, 0.5e9
CPU_FLOPS = 10e9
#: The scheduler ends a job after so many minutes and so many times its estimate.
_LEAST_MINUTES, _RUNTIME_MARGIN = 10, 2.0


@dataclass(frozen=True)
class Gpu:
    """A kind of GPU that the site has.

    gpu_model: its name to the scheduler. memory_gb: GiB. constraint: a node feature to ask for.
    tflops: peak of dense bfloat16 matrix products. bandwidth_gb: GB of memory read per second.
    """

    gpu_model: str
    memory_gb: float
    constraint: str | None = None
    tflops: float = 312.0
    bandwidth_gb: float = 1555.0

    @property
    def name(self) -> str:
        """How tables and messages call it."""
        return f"{self.gpu_model} {self.memory_gb:g} GB"

    @property
    def usable(self) -> int:
        """Bytes of memory that a model may take."""
        memory = self.memory_gb * GB
        return int(memory - min(RESERVE, _RESERVED_SHARE * memory))


@dataclass(frozen=True)
class Prompt:
    """The length of a task's rows in tokens: few-shot examples (shared), problem and gold chain."""

    prefix: int
    problem: int
    chain: int

    @property
    def positions(self) -> int:
        """Token positions whose hidden states are stored."""
        return self.problem + self.chain


def expected_tokens(text: str) -> int:
    """Tokens that a text of symbols takes: one per symbol, and one more per digit.

    Most tokenizers join a space with the letter or operator after it, but split it from a digit.
    """
    return sum(1 + character.isdigit() for character in text if character != " ")


@dataclass(frozen=True)
class Memory:
    """Bytes that decoding takes on one device: `fixed`, and `per_row` of a batch.

    Summed up from parts, for messages: {part: bytes}.
    """

    fixed_parts: Mapping[str, int]
    row_parts: Mapping[str, int]

    @cached_property
    def fixed(self) -> int:
        """Bytes whatever the batch."""
        return sum(self.fixed_parts.values())

    @cached_property
    def per_row(self) -> int:
        """Bytes for each row of a batch."""
        return sum(self.row_parts.values())

    def of(self, rows: int) -> int:
        """Bytes for a batch of so many rows."""
        return self.fixed + rows * self.per_row

    def rows_within(self, capacity: float) -> int:
        """The largest batch (a power of two) that fits into so many bytes, or 0."""
        rows = int((capacity - self.fixed) // self.per_row) if capacity > self.fixed else 0
        return min(_MOST_ROWS, 2 ** (rows.bit_length() - 1)) if rows else 0

    def describe(self, rows: int) -> str:
        """The sum and its parts, for a message."""
        parts = dict(self.fixed_parts) | {k: rows * v for k, v in self.row_parts.items()}
        listed = ", ".join(f"{name} {size / GB:.1f}" for name, size in parts.items())
        return f"{self.of(rows) / GB:.1f} GB for a batch of {rows} ({listed})"


def decoding_memory(
    model: Architecture,
    prompts: Sequence[Prompt],
    max_new_tokens: int,
    dtype: str,
    *,
    gpus: int = 1,
    reserve: int = 0,
) -> Memory:
    """The peak memory of verified decoding on each of the `gpus` that share the model's layers.

    prompts: of all tasks; the longest counts. dtype: of weights, cache and activations. reserve:
    bytes to add for what is not computed (a GPU's is kept from what is `usable`).
    """
    size = DTYPE_BYTES[dtype]
    prefix = max(prompt.prefix for prompt in prompts)
    positions = max(prompt.positions for prompt in prompts)
    chain = max(prompt.chain for prompt in prompts)
    longest = prefix + max(prompt.problem for prompt in prompts) + max(max_new_tokens, chain)
    d, heads = model.hidden_size, model.num_attention_heads * model.head_dim
    # Of one block at a time: residual stream, queries, keys, values, attention, and the MLP.
    activation = size * (4 * d + 4 * heads + 3 * model.intermediate_size)
    return Memory(
        {
            "weights": math.ceil(model.parameters * size / gpus),
            # The few-shot prefix: its cache, the copy that a batch is made from, its one pass.
            "few-shot prefix": prefix * (2 * model.cached_values_per_token * size + activation),
            "reserve": reserve,
        },
        {
            "key-value cache": longest * math.ceil(model.cached_values_per_token * size / gpus),
            # Keys and values of one block, repeated for all heads.
            "activations": positions * activation + longest * 2 * heads * size,
            # As computed, and as fp32 where a model upcasts them.
            "logits": (chain + 1) * model.vocab_size * (size + 4),
        },
    )


@dataclass(frozen=True)
class Placement:
    """Where a model's decoding runs: its GPU (None for the CPU), batch size and memory.

    n_gpus: how many of them share the model.
    """

    gpu: Gpu | None
    batch_size: int
    memory: Memory
    n_gpus: int = 1

    @property
    def weights(self) -> int:
        """Bytes of the model's weights, over all GPUs."""
        return self.n_gpus * self.memory.fixed_parts["weights"]


def place_on_gpu(
    memory: Memory, known: Sequence[Gpu], batch_size: int | str, where: str, n_gpus: int = 1
) -> Placement:
    """The smallest GPU on which a batch fits.

    batch_size: rows, or `auto`: as many as fit on the smallest GPU that takes at least eight, or
    else on the largest. n_gpus: over which `memory` is spread. where: the model's place in the
    config, for messages.
    Raises InputError with the numbers if none is large enough.
    """
    gpus = sorted(known, key=lambda gpu: gpu.memory_gb)
    wanted = batch_size if isinstance(batch_size, int) else _LEAST_ROWS
    largest = gpus[-1]
    gpu = next((gpu for gpu in gpus if memory.of(wanted) <= gpu.usable), largest)
    most = memory.rows_within(gpu.usable)
    rows = most if batch_size == "auto" else wanted
    if rows and memory.of(rows) <= gpu.usable:
        return Placement(gpu, rows, memory, n_gpus)
    if most:
        remedy = f"lower {where}.batch_size to {most} or leave it out"
    else:
        remedy = f"list a larger GPU in `gpus`, or spread the model with {where}.gpus_per_job"
    raise InputError(
        f"{where}: needs {memory.describe(rows or 1)} on a GPU; the largest known is "
        f"{largest.name}, of which {largest.usable / GB:.0f} GB are usable: {remedy}"
    )


def place_on_cpu(memory: Memory, batch_size: int | str) -> Placement:
    """A batch on the CPU: as given, or as much as fits into a few GB beside the weights."""
    if isinstance(batch_size, int):
        return Placement(None, batch_size, memory)
    return Placement(None, max(1, memory.rows_within(memory.fixed + CPU_BATCH)), memory)


@dataclass(frozen=True)
class Work:
    """The arithmetic of decoding `rows` rows of a task.

    best: forward passes and seconds if every chain is the gold one; worst: if every row diverges
    at once and is decoded to the limit. flops: floating-point operations of the best case.
    """

    best_passes: int
    worst_passes: int
    flops: float
    best_seconds: float
    worst_seconds: float


def decoding_work(
    model: Architecture, prompt: Prompt, rows: int, max_new_tokens: int, placement: Placement
) -> Work:
    """Forward passes and time for the rows of one job, loading the model left out.

    A batch takes one teacher-forced pass; where its rows diverge it takes a pass to start from, and
    one per token.
    """
    batches = math.ceil(rows / placement.batch_size)
    prefix_passes = 1 if prompt.prefix else 0
    flops = model.flops_per_token * (prompt.prefix + rows * prompt.positions)
    again = model.flops_per_token * rows * (prompt.positions + max_new_tokens)
    rate, step = _speed(model, placement)
    return Work(
        best_passes=prefix_passes + batches,
        worst_passes=prefix_passes + batches * (2 + max_new_tokens),
        flops=flops,
        best_seconds=flops / rate,
        worst_seconds=(flops + again) / rate + batches * max_new_tokens * step,
    )


def _speed(model: Architecture, placement: Placement) -> tuple[float, float]:
    """Operations per second, and the seconds that a token's pass takes at least."""
    if placement.gpu is None:
        return CPU_FLOPS, 0.0
    # GPUs that share a model work one after another.
    bandwidth = _BANDWIDTH_SHARE * placement.gpu.bandwidth_gb * 1e9
    return UTILISATION * placement.gpu.tflops * 1e12, max(
        _LEAST_STEP_SECONDS, placement.weights / bandwidth
    )


def loading_seconds(placement: Placement) -> float:
    """Starting Python and reading the weights from a shared file system."""
    return _LOAD_SECONDS + placement.weights / _LOAD_BYTES_PER_SECOND


def runtime_minutes(work: Work, placement: Placement) -> int:
    """The time limit of a job: the worst case, with a margin."""
    seconds = loading_seconds(placement) + work.worst_seconds
    return math.ceil(_LEAST_MINUTES + _RUNTIME_MARGIN * seconds / 60)


def hidden_state_bytes(
    model: Architecture, prompt: Prompt, rows: int, layers: int, dtype: str
) -> int:
    """Bytes of a hidden-state shard (its ids and flags are less than a thousandth)."""
    return rows * prompt.positions * layers * model.hidden_size * DTYPE_BYTES[dtype]


#: Cores that wide hidden states are worth.
_PROBE_THREADS, _WIDE = 8, 1024


def probe_threads(model: Architecture) -> int:
    """Cores of a probe job."""
    return _PROBE_THREADS if model.hidden_size > _WIDE else 1


def probe_bytes(model: Architecture, rows: int, variables: int) -> int:
    """Main memory of fitting the probes of a task: some copies of the features of a position.

    Up to a width of 1,024 also a matrix [hidden, hidden] and its inverse per variable and class.
    """
    d = model.hidden_size
    features = 8 * rows * d * 4
    matrices = 4 * 10 * variables * d * d * 4 if d <= _WIDE else 0
    return CPU_RESERVE + features + matrices


def probe_minutes(
    model: Architecture, prompt: Prompt, layers: int, train_rows: int, variables: int, steps: int
) -> int:
    """The time limit of fitting the probes of a task in so many steps, with a margin.

    A step takes two products of features [rows, hidden] and weights of ten classes per variable.
    """
    flops = 4 * train_rows * model.hidden_size * 10 * variables * steps
    seconds = layers * prompt.positions * flops / (probe_threads(model) * CPU_FLOPS)
    return math.ceil(_LEAST_MINUTES + _RUNTIME_MARGIN * seconds / 60)


def gpus_from_config(entries: Sequence[Mapping[str, Any]]) -> list[Gpu]:
    """The config's `gpus`."""
    return [Gpu(**entry) for entry in entries]

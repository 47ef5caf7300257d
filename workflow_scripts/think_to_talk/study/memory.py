"""What the jobs of a model need: memory, batch size, time and disk, computed before anything runs.

GB are gibibytes here, as the makers of GPUs count: an "A100 40 GB" reports 40,960 MiB.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from think_to_talk.errors import InputError
from think_to_talk.formulas.symbols import text_symbols
from think_to_talk.models.sizes import DTYPE_BYTES, Sizes, Tokens

GB = 2**30

MB = 2**20

#: What is kept free on a GPU for all that is not measured: the CUDA context and its kernels,
#: workspaces of the matrix products, a file of weights on its way to the GPU, and the allocator's
#: fragmentation while the key-value cache grows token by token. It is the one free constant:
#: calibrated so that the paper's nine models at its batch sizes need the GPUs that it lists. On
#: a GPU of less than 40 GB it is a share.
RESERVE, _RESERVED_SHARE = 13 * GB, 1 / 3

#: Without a GPU: the interpreter with its libraries, and what a batch may use beside the weights.
CPU_RESERVE = 2 * GB

CPU_BATCH = 3 * GB

#: A batch is as many rows as fit, up to here; a GPU must take at least so many to be chosen.
_MOST_ROWS, _LEAST_ROWS = 256, 8

#: Tokens that chat templates put before the first turn, and around the two turns of an example: of
#: most families it is half or all of them.
_TEMPLATE_HEAD, _TEMPLATE_TURNS = 64, 12

#: Letters of a word, about, that a token has.
_LETTERS_PER_TOKEN = 4


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
    """The length of a task's rows in tokens: few-shot examples (shared), problem and gold chain.

    spans: of free text, whose hidden states are stored; None of other tasks.
    """

    prefix: int
    problem: int
    chain: int
    spans: int | None = None

    @property
    def positions(self) -> int:
        """Tokens of problem and chain."""
        return self.problem + self.chain

    @property
    def stored(self) -> int:
        """Positions whose hidden states are stored: all of these, or the spans of free text."""
        return self.positions if self.spans is None else self.spans

    def of_a_chat(self, shots: int, chat: Mapping[str, Any]) -> Prompt:
        """The same in a chat, with the tokens of its template.

        shots: few-shot examples. chat: as of `study.entries`.
        """
        system = -(-len(chat["system_prompt"] or "") // _LETTERS_PER_TOKEN)
        return Prompt(
            self.prefix + _TEMPLATE_HEAD + system + shots * _TEMPLATE_TURNS,
            self.problem + _TEMPLATE_TURNS // 2,
            self.chain,
            self.spans,
        )


def expected_tokens(text: str, digits: int) -> int:
    """Tokens that a text of symbols takes: one per symbol, and one more per digit.

    Most tokenizers join a space with the letter or operator after it, but split it from a digit.

    digits: that each number may have in another row of the task; 1 of single digits.
    """
    return sum(
        1 + max(digits, len(symbol)) if symbol.isdigit() else -(-len(symbol) // _LETTERS_PER_TOKEN)
        for symbol in text_symbols(text)
    )


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


def decoded_tokens(prompts: Sequence[Prompt], max_new_tokens: int) -> Tokens:
    """The lengths of what decoding passes; the longest of each part, over all tasks, counts."""
    prefix = max(prompt.prefix for prompt in prompts)
    chain = max(prompt.chain for prompt in prompts)
    problem = max(prompt.problem for prompt in prompts)
    return Tokens(
        prefix=prefix,
        row=max(prompt.positions for prompt in prompts),
        read=chain + 1,
        longest=prefix + problem + max(max_new_tokens, chain),
    )


def decoding_memory(sizes: Sizes, *, gpus: int = 1, reserve: int = 0) -> Memory:
    """The peak memory of verified decoding on each of the `gpus` that share the model's layers.

    reserve: bytes to add for what is not measured (a GPU's is kept from what is `usable`).
    """
    return Memory(
        {
            "weights": math.ceil(sizes.weights / gpus),
            # What its pass holds is freed before the first batch, and may be counted twice.
            "few-shot prefix": math.ceil(sizes.prefix_cache / gpus) + sizes.prefix_activations,
            "masks": sizes.shared,
            "reserve": reserve,
        },
        {"cache": math.ceil(sizes.cache / gpus), "activations": sizes.activations},
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
    def halved_batch(self) -> int:
        """Rows at a time where a second copy of their cache is held."""
        return max(1, self.batch_size // 2)

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


#: Cores that wide hidden states are worth.
_PROBE_CORES, _WIDE = 8, 1024


def probe_cores(sizes: Sizes) -> int:
    """Cores of a probe job."""
    return _PROBE_CORES if sizes.hidden_size > _WIDE else 1


def probe_bytes(sizes: Sizes, rows: int, weights: int) -> int:
    """Main memory of fitting the probes of a task: some copies of the features of a position.

    Up to a width of 1,024 also a matrix [hidden, hidden] and its inverse per variable and class.

    weights: rows of the probes' weights at a position, one per variable and class.
    """
    d = sizes.hidden_size
    features = 8 * rows * d * 4
    matrices = 4 * weights * d * d * 4 if d <= _WIDE else 0
    return CPU_RESERVE + features + matrices


def unpacking_bytes(sizes: Sizes) -> int:
    """Main memory of unpacking a GGUF file: its weights in fp32 and as the model has them.

    The checkpoint that is written is read again when those in fp32 are gone.
    """
    return CPU_RESERVE + sizes.parameters * (4 + DTYPE_BYTES[sizes.dtype])


def gpus_from_config(entries: Sequence[Mapping[str, Any]]) -> list[Gpu]:
    """The config's `gpus`."""
    return [Gpu(**entry) for entry in entries]

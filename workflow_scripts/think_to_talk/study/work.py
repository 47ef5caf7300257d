"""The arithmetic of a model's jobs, and the time that it takes."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from think_to_talk.models.sizes import Sizes
from think_to_talk.study.memory import Placement, Prompt, probe_cores

#: Assumptions on speed: the share of a GPU's peak that forward passes reach; the share of its
#: memory bandwidth that decoding a token reaches, and the least time it takes (kernel launches);
#: loading weights from a shared file system; and a CPU core.
UTILISATION = 0.3

BANDWIDTH_SHARE = 0.5

LEAST_STEP_SECONDS = 0.025

START_SECONDS, LOAD_BYTES_PER_SECOND = 60.0, 0.5e9

CPU_FLOPS = 10e9

#: The scheduler ends a job after so many minutes and so many times its estimate.
_LEAST_MINUTES, _RUNTIME_MARGIN = 10, 2.0

#: Of a parameter of a GGUF file; three times what a core takes.
_MINUTES_PER_UNPACKED = 10 / 1e9


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

    def without_divergence(self) -> Work:
        """The same work if no row can diverge: its worst case is the best one."""
        return replace(self, worst_passes=self.best_passes, worst_seconds=self.best_seconds)


def decoding_work(
    sizes: Sizes, prompt: Prompt, rows: int, max_new_tokens: int, placement: Placement
) -> Work:
    """Forward passes and time for the rows of one job, loading the model left out.

    A batch takes one teacher-forced pass; where its rows diverge it takes a pass to start from, and
    one per token.
    """
    batches = math.ceil(rows / placement.batch_size)
    prefix_passes = 1 if prompt.prefix else 0
    flops = sizes.flops_per_token * (prompt.prefix + rows * prompt.positions)
    again = sizes.flops_per_token * rows * (prompt.positions + max_new_tokens)
    rate, step = _speed(placement)
    return Work(
        best_passes=prefix_passes + batches,
        worst_passes=prefix_passes + batches * (2 + max_new_tokens),
        flops=flops,
        best_seconds=flops / rate,
        worst_seconds=(flops + again) / rate + batches * max_new_tokens * step,
    )


def lens_work(sizes: Sizes, prompt: Prompt, rows: int, layers: int, placement: Placement) -> Work:
    """Forward passes and time of the logit lens on so many rows of a task.

    Each saved layer's states pass the final norm and the head, in the worst case after all blocks
    (`logit_lens/head.py`). A pass has as many positions as a chain, and the one before it.
    """
    passes = math.ceil(rows / placement.batch_size) * math.ceil(
        prompt.positions / (prompt.chain + 1)
    )
    tokens = layers * rows * prompt.positions
    # The product of the unembedding.
    flops = 2 * sizes.hidden_size * sizes.vocabulary * tokens
    rate, _ = _speed(placement)
    return Work(
        best_passes=layers * passes,
        worst_passes=layers * passes,
        flops=flops,
        best_seconds=flops / rate,
        worst_seconds=(flops + sizes.flops_per_token * tokens) / rate,
    )


def with_whole_numbers(
    work: Work, sizes: Sizes, rows: int, answers: int, largest: int, placement: Placement
) -> Work:
    """Patching of so many rows, in the worst case with numbers of a token per digit.

    At each answer both numbers of a pair are then passed, and a number that is neither is decoded,
    digit by digit; a third of a batch is run at a time (`interventions.whole_numbers`).

    work: with numbers of one token. answers: that are read of a row. largest: number.
    """
    digits = len(str(largest))
    if digits == 1:
        return work
    tokens = rows * answers * (2 * (digits + 1) + sum(range(1, digits + 1)))
    batches = math.ceil(rows / max(1, placement.batch_size // 3))
    rate, _ = _speed(placement)
    return replace(
        work,
        worst_passes=work.worst_passes + batches * answers * (2 + digits),
        worst_seconds=work.worst_seconds + sizes.flops_per_token * tokens / rate,
    )


def unpacking_minutes(sizes: Sizes) -> int:
    """Time limit of unpacking a GGUF file, by the size of its model."""
    return _LEAST_MINUTES + math.ceil(sizes.parameters * _MINUTES_PER_UNPACKED)


#: Tokens that force an answer, ` ; z =`, where a tokenizer splits spaces from them.
_FORCING_TOKENS = 6


def forced_work(
    sizes: Sizes, prompt: Prompt, rows: int, cuts: int, largest: int, placement: Placement
) -> Work:
    """Forward passes and time of forced answers to so many rows, each at so many cuts.

    A batch passes problem and chain once, in as many parts as there are cuts, and at each cut the
    tokens that force an answer. In the worst case each cut passes all tokens before it again, and
    numbers have a token per digit: then each that is shorter than the largest one takes a pass.

    largest: number that an answer may be.
    """
    shorter = 10 ** (len(str(largest)) - 1) if largest > 9 else 0
    batches = math.ceil(rows / placement.halved_batch)
    again = rows * cuts * _FORCING_TOKENS
    flops = sizes.flops_per_token * (prompt.prefix + rows * prompt.positions + again)
    whole = rows * (2 + shorter) * cuts * (prompt.prefix + prompt.positions + _FORCING_TOKENS)
    rate, _ = _speed(placement)
    passes = 2 * cuts * batches + (1 if prompt.prefix else 0)
    return Work(
        best_passes=passes,
        worst_passes=passes + shorter * cuts * batches,
        flops=flops,
        best_seconds=flops / rate,
        worst_seconds=sizes.flops_per_token * whole / rate,
    )


#: Runs of a pair that probes read whatever the config's specs: the unpatched ones, and one under
#: each directed spec (`interventions.specs`).
_UNPATCHED_RUNS, _DIRECTED_RUNS = 2, 5


def patched_probes_work(
    sizes: Sizes,
    prompt: Prompt,
    pairs: int,
    specs: int,
    probes: int,
    n_classes: int,
    placement: Placement,
) -> Work:
    """Forward passes and time of probes on the runs of so many pairs.

    The probes are applied on a CPU core. In the worst case each pass goes over the prefix again.

    specs: of the config, beside the directed ones. probes: of each position, for so many classes.
    """
    runs = _UNPATCHED_RUNS + _DIRECTED_RUNS + specs
    rows = pairs * runs
    flops = sizes.flops_per_token * (prompt.prefix + rows * prompt.positions)
    again = sizes.flops_per_token * rows * prompt.prefix
    read = 2 * sizes.hidden_size * n_classes * probes * rows * prompt.positions
    rate, _ = _speed(placement)
    passes = math.ceil(pairs / placement.halved_batch) * runs + (1 if prompt.prefix else 0)
    return Work(
        best_passes=passes,
        worst_passes=passes,
        flops=flops + read,
        best_seconds=flops / rate + read / CPU_FLOPS,
        worst_seconds=(flops + again) / rate + read / CPU_FLOPS,
    )


def _speed(placement: Placement) -> tuple[float, float]:
    """Operations per second, and the seconds that a token's pass takes at least."""
    if placement.gpu is None:
        return CPU_FLOPS, 0.0
    # GPUs that share a model work one after another.
    bandwidth = BANDWIDTH_SHARE * placement.gpu.bandwidth_gb * 1e9
    return UTILISATION * placement.gpu.tflops * 1e12, max(
        LEAST_STEP_SECONDS, placement.weights / bandwidth
    )


def loading_seconds(placement: Placement) -> float:
    """Starting Python and reading the weights from a shared file system."""
    return START_SECONDS + placement.weights / LOAD_BYTES_PER_SECOND


def runtime_minutes(work: Work, placement: Placement) -> int:
    """The time limit of a job: the worst case, with a margin."""
    seconds = loading_seconds(placement) + work.worst_seconds
    return math.ceil(_LEAST_MINUTES + _RUNTIME_MARGIN * seconds / 60)


def minutes_of_products(flops: float) -> int:
    """The time limit of a job that does nothing but matrix products on one core, with a margin."""
    return math.ceil(_LEAST_MINUTES + _RUNTIME_MARGIN * flops / CPU_FLOPS / 60)


def probe_minutes(
    sizes: Sizes, prompt: Prompt, layers: int, train_rows: int, weights: int, steps: int
) -> int:
    """The time limit of fitting the probes of a task in so many steps, with a margin.

    A step takes two products of features [rows, hidden] and weights.

    weights: rows of the probes' weights at a position, one per variable and class.
    """
    flops = 4 * train_rows * sizes.hidden_size * weights * steps
    seconds = layers * prompt.stored * flops / (probe_cores(sizes) * CPU_FLOPS)
    return math.ceil(_LEAST_MINUTES + _RUNTIME_MARGIN * seconds / 60)

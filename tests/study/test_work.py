"""Arithmetic, time and space of a model's jobs, against numbers computed by hand."""

import pytest
from support.sizes import made_up

from think_to_talk.interventions.specs import DIRECTED
from think_to_talk.study.memory import (
    GB,
    Gpu,
    Memory,
    Placement,
    Prompt,
    probe_bytes,
    probe_cores,
    unpacking_bytes,
)
from think_to_talk.study.work import (
    decoding_work,
    forced_work,
    lens_work,
    loading_seconds,
    patched_probes_work,
    probe_minutes,
    runtime_minutes,
    unpacking_minutes,
)

#: Three layers of width 8, 3,616 operations per token.
SMALL = made_up()
PROMPT = Prompt(prefix=100, problem=5, chain=7)
TWO_GPUS = Placement(
    Gpu("gpu", 40, tflops=100, bandwidth_gb=1000), 8, Memory({"weights": 20 * 10**9}, {}), n_gpus=2
)
ON_CPU = Placement(None, 8, Memory({"weights": 10**9}, {}))


def of_width(width):
    return made_up(hidden_size=width)


def test_time_on_gpus_is_operations_and_the_reading_of_weights_for_each_token():
    """30 rows in 4 batches. 30 % of 100 teraflops; 40 GB of weights at half of 1,000 GB/s."""
    work = decoding_work(SMALL, PROMPT, 30, 10, TWO_GPUS)
    assert (work.best_passes, work.worst_passes) == (1 + 4, 1 + 4 * (2 + 10))
    assert work.flops == 3616 * (100 + 30 * 12)
    assert work.best_seconds == pytest.approx(work.flops / 30e12)
    decoded_again = 3616 * 30 * (12 + 10)
    assert work.worst_seconds - 4 * 10 * 0.08 == pytest.approx(
        (work.flops + decoded_again) / 30e12, abs=1e-12
    )
    assert loading_seconds(TWO_GPUS) == 60 + 80
    # 10 minutes and twice 143.2 seconds.
    assert runtime_minutes(work, TWO_GPUS) == 15


def test_a_token_takes_at_least_the_start_of_its_kernels():
    gpu = Gpu("gpu", 40, tflops=100, bandwidth_gb=1000)
    work = decoding_work(SMALL, PROMPT, 8, 10, Placement(gpu, 8, Memory({"weights": 3616}, {})))
    assert work.worst_seconds == pytest.approx(10 * 0.025, rel=1e-5)


def test_time_on_a_cpu_is_operations_alone():
    """10 gigaflops; without few-shot examples there is no pass over a prefix."""
    work = decoding_work(SMALL, Prompt(0, 5, 7), 30, 10, ON_CPU)
    assert (work.best_passes, work.worst_passes) == (4, 48)
    assert work.best_seconds == pytest.approx(3616 * 30 * 12 / 1e10)
    assert work.worst_seconds == pytest.approx(3616 * 30 * (12 + 12 + 10) / 1e10)
    assert loading_seconds(ON_CPU) == 60 + 2


def test_the_logit_lens_takes_a_product_with_the_vocabulary_and_at_worst_all_blocks():
    """30 rows in 4 batches, 12 positions by 8 at a time, 3 layers; 90 logits of width 8."""
    work = lens_work(SMALL, PROMPT, 30, 3, ON_CPU)
    assert work.best_passes == work.worst_passes == 3 * 4 * 2
    assert work.flops == 2 * 8 * 90 * 30 * 12 * 3
    assert work.best_seconds == pytest.approx(work.flops / 1e10)
    assert work.worst_seconds == pytest.approx((work.flops + 3616 * 30 * 12 * 3) / 1e10)


def test_forced_answers_take_a_pass_per_number_that_is_not_of_the_longest():
    """30 rows in 8 batches, cut at three places; six tokens force an answer."""
    single = forced_work(SMALL, PROMPT, 30, 3, 9, ON_CPU)
    assert single.best_passes == single.worst_passes == 1 + 2 * 3 * 8
    assert single.flops == 3616 * (100 + 30 * 12 + 30 * 3 * 6)
    assert single.worst_seconds == pytest.approx(3616 * 30 * 3 * 2 * (100 + 12 + 6) / 1e10)
    for largest, shorter in ((29, 10), (99, 10), (199, 100)):
        several = forced_work(SMALL, PROMPT, 30, 3, largest, ON_CPU)
        # All numbers may be single tokens.
        assert several.best_passes == single.best_passes
        assert several.best_seconds == single.best_seconds
        assert several.worst_passes == single.best_passes + shorter * 3 * 8
        assert several.worst_seconds == pytest.approx(single.worst_seconds * (2 + shorter) / 2)


def test_probes_on_patched_runs_take_a_pass_per_run_and_a_product_per_probe():
    """30 pairs in 8 batches, two unpatched runs, five directed specs and one of the config's.

    Six probes per position, ten classes of width 8; at worst each pass goes over the prefix again.
    """
    work = patched_probes_work(SMALL, PROMPT, 30, 1, 6, 10, ON_CPU)
    assert len(DIRECTED) == 5
    assert work.best_passes == work.worst_passes == 1 + 8 * 8
    passes = 3616 * (100 + 30 * 8 * 12)
    read = 2 * 8 * 10 * 6 * 30 * 8 * 12
    assert work.flops == passes + read
    assert work.best_seconds == pytest.approx((passes + read) / 1e10)
    assert work.worst_seconds == pytest.approx((passes + read + 3616 * 30 * 8 * 100) / 1e10)
    # The probes run on a CPU core, whatever the model runs on.
    on_gpu = patched_probes_work(SMALL, PROMPT, 30, 1, 6, 10, TWO_GPUS)
    assert on_gpu.best_seconds == pytest.approx(passes / 30e12 + read / 1e10)


@pytest.mark.parametrize(("width", "steps", "minutes"), [(8, 13_238, 12), (2048, 8_342, 31)])
def test_the_time_of_probes_is_two_products_a_step(width, steps, minutes):
    """Of 3 layers, 12 positions, 1,000 rows, 2 variables of ten classes, forward and backward.

    The narrow ones take 30.5 s on one core and the wide ones 615 s on eight: 10 minutes and twice
    that, rounded up.
    """
    assert probe_minutes(of_width(width), PROMPT, 3, 1000, 20, steps) == minutes


def test_unpacking_takes_a_minute_per_hundred_million_weights():
    assert unpacking_minutes(made_up(parameters=1_000_000_000)) == 10 + 10
    # SmolLM2-135M took a gigabyte with the libraries, of which it has two.
    assert unpacking_bytes(made_up(parameters=GB, dtype="float32")) == 2 * GB + 8 * GB
    assert unpacking_bytes(made_up(parameters=GB, dtype="bfloat16")) == 2 * GB + 6 * GB


def test_memory_and_cores_of_probes():
    matrices = 4 * 10 * 2 * 8 * 8 * 4
    assert probe_bytes(SMALL, 100, 20) == 2 * GB + 8 * 100 * 8 * 4 + matrices
    wide = 8 * 100 * 1025 * 4
    assert probe_bytes(of_width(1025), 100, 20) == 2 * GB + wide
    assert [probe_cores(of_width(width)) for width in (1024, 1025)] == [1, 8]

"""What jobs need: memory against the paper's table, batches, and the GPUs that they fit on."""

import functools

import pytest
import yaml
from support.repository import REPOSITORY
from support.sizes import made_up

from think_to_talk.errors import InputError
from think_to_talk.models.measure_sizes import measure
from think_to_talk.models.sizes import Sizes, SizesRequest, Tokens
from think_to_talk.study.memory import (
    GB,
    Gpu,
    Prompt,
    decoded_tokens,
    decoding_memory,
    expected_tokens,
    place_on_cpu,
    place_on_gpu,
)
from think_to_talk.study.work import decoding_work, loading_seconds, runtime_minutes

A100S = [Gpu("a100", 40), Gpu("a100", 80)]
#: Level 5 with three examples, and level 4 with the fifty of the general set.
PROMPTS = [Prompt(276, 25, 67), Prompt(2093, 26, 40)]

#: The nine models: the parameters that they are published with, and the paper's batch and GPU.
PAPER = {
    "llama-3.1-8b": (8.03e9, 8, 40),
    "llama-3.2-3b": (3.21e9, 8, 40),
    "mistral-nemo-base-2407": (12.25e9, 8, 40),
    "qwen2.5-7b": (7.62e9, 4, 40),
    "qwen2.5-math-7b": (7.62e9, 4, 40),
    "yi-1.5-9b": (8.83e9, 4, 40),
    "qwen2.5-14b": (14.77e9, 4, 80),
    "qwen2.5-32b": (32.76e9, 2, 80),
    "yi-1.5-34b": (34.39e9, 2, 80),
}


@functools.cache
def measured(declared, prompts, dtype="bfloat16"):
    tokens = decoded_tokens(prompts, 100)
    request = SizesRequest(tokens, dtype, on_gpu=True, declared=dict(declared))
    return Sizes(**measure(request.as_json()))


def published(name, prompts=PROMPTS, dtype="bfloat16"):
    """The sizes of a model of the paper's study."""
    study = yaml.safe_load((REPOSITORY / "studies/paper.yaml").read_text())
    declared = study["models"][name]["architecture"]
    return measured(tuple(declared.items()), tuple(prompts), dtype)


@pytest.mark.parametrize("name", PAPER)
def test_the_paper_s_models_have_the_size_they_are_published_with(name):
    study = yaml.safe_load((REPOSITORY / "studies/paper.yaml").read_text())
    assert study["models"][name]["batch_size"] == PAPER[name][1]
    assert published(name).parameters == pytest.approx(PAPER[name][0], rel=1e-3)


@pytest.mark.parametrize("name", PAPER)
@pytest.mark.parametrize("prompts", [PROMPTS, PROMPTS[:1]], ids=["with the general set", "without"])
@pytest.mark.parametrize("batch_size", ["the paper's", "auto"])
def test_the_paper_s_models_need_the_gpus_that_it_lists(name, prompts, batch_size):
    _, papers, gb = PAPER[name]
    memory = decoding_memory(published(name, prompts))
    batch_size = papers if batch_size == "the paper's" else "auto"
    placement = place_on_gpu(memory, A100S, batch_size, name)
    assert placement.gpu.memory_gb == gb
    assert memory.of(placement.batch_size) <= (gb - 13) * GB


def test_a_model_that_fits_no_gpu_is_refused_with_the_numbers():
    huge = made_up(
        weights=141 * 10**9, prefix_cache=686 * 10**6, cache=727 * 10**6, activations=10**8
    )
    memory = decoding_memory(huge)
    with pytest.raises(InputError) as error:
        place_on_gpu(memory, A100S, "auto", "models.huge")
    assert str(error.value).startswith("models.huge: needs ")
    assert "weights 131.3" in str(error.value)
    assert "the largest known is a100 80 GB, of which 67 GB are usable" in str(error.value)
    assert "models.huge.gpus_per_job" in str(error.value)
    spread = decoding_memory(huge, gpus=4)
    assert place_on_gpu(spread, A100S, "auto", "models.huge", 4).batch_size >= 1


def test_a_batch_that_fits_no_gpu_names_the_one_that_does():
    memory = decoding_memory(published("qwen2.5-14b"))
    with pytest.raises(InputError, match=r"lower models\.x\.batch_size to 64 or leave it out"):
        place_on_gpu(memory, A100S, 10_000, "models.x")


def test_a_batch_is_as_large_as_fits():
    memory = decoding_memory(published("llama-3.1-8b"))
    rows = place_on_gpu(memory, A100S, "auto", "models.x").batch_size
    assert memory.of(rows) <= A100S[0].usable < memory.of(2 * rows)
    assert memory.rows_within(10 * GB) == 0


def test_a_small_model_fits_on_a_small_gpu():
    """What is kept free of it is a share, not what an A100 keeps free."""
    small = made_up(weights=269 * 10**6, cache=51 * 10**6, activations=15 * 10**6)
    memory = decoding_memory(small)
    assert place_on_gpu(memory, [Gpu("rtx", 8)], "auto", "models.x").batch_size >= 8


def test_a_model_spread_over_gpus_is_not_read_faster():
    model = published("yi-1.5-34b")
    placements = [
        place_on_gpu(
            decoding_memory(model, gpus=n),
            [Gpu("a100", 80)],
            2,
            "models.x",
            n,
        )
        for n in (1, 2)
    ]
    assert loading_seconds(placements[1]) == pytest.approx(loading_seconds(placements[0]))
    one, two = (decoding_work(model, PROMPTS[0], 2000, 100, p) for p in placements)
    assert two.worst_seconds == pytest.approx(one.worst_seconds, rel=1e-6)


def test_the_longest_prompts_are_measured():
    """Of each part; a gold chain may be longer than what is decoded."""
    prompts = [Prompt(prefix=100, problem=5, chain=7), Prompt(prefix=20, problem=9, chain=4)]
    assert decoded_tokens(prompts, 10) == Tokens(100, 13, 8, 100 + 9 + 10)
    assert decoded_tokens(prompts, 2).longest == 100 + 9 + 7


def test_the_memory_of_a_batch_is_what_is_fixed_and_what_each_row_takes():
    memory = decoding_memory(made_up(shared=70), reserve=1000)
    prefix = {"few-shot prefix": 4800 + 900}
    assert memory.fixed_parts == {"weights": 3616, **prefix, "masks": 70, "reserve": 1000}
    assert memory.row_parts == {"cache": 5712, "activations": 1200}
    assert memory.of(3) == 3616 + 5700 + 70 + 1000 + 3 * (5712 + 1200)
    # On two GPUs each has half of the weights and of the caches.
    shared = decoding_memory(made_up(), gpus=2)
    assert shared.fixed == 1808 + 2400 + 900
    assert shared.per_row == 2856 + 1200


def test_memory_grows_with_type_batch_and_prompt():
    short, long = (published("llama-3.2-3b", prompts) for prompts in (PROMPTS[:1], PROMPTS))
    assert decoding_memory(long).of(8) > decoding_memory(short).of(8)
    assert decoding_memory(short).of(16) > decoding_memory(short).of(8)
    wide = published("llama-3.2-3b", PROMPTS[:1], "float32")
    assert wide.weights == pytest.approx(2 * short.weights, rel=1e-3)
    assert wide.cache == 2 * short.cache


def test_a_token_is_expected_per_symbol_and_another_per_digit():
    """As Llama 3's and Qwen's tokenizers write it."""
    assert expected_tokens("z = 4 - o , o = 4 ; z =?", 1) == 13 + 2


def test_a_worst_case_takes_longer_than_the_best_and_the_limit_longer_still():
    model = published("llama-3.1-8b")
    placement = place_on_gpu(decoding_memory(model), A100S, 8, "models.llama")
    work = decoding_work(model, PROMPTS[0], 2000, 100, placement)
    assert work.best_passes == 1 + 250
    assert work.worst_passes == 1 + 250 * 102
    assert work.best_seconds < work.worst_seconds < 60 * runtime_minutes(work, placement)
    tokens = 276 + 2000 * (25 + 67)
    # All matrices but the embeddings, twice; logits are read at the chain's tokens alone.
    matrices = model.parameters - 2 * 128256 * 4096 + 128256 * 4096 * 68 / 93
    assert work.flops == pytest.approx(2 * matrices * tokens, rel=1e-3)


def test_on_a_cpu_a_small_model_gets_a_large_batch():
    tiny = made_up(weights=2 * 10**6, cache=4 * 10**5, activations=6 * 10**5)
    memory = decoding_memory(tiny, reserve=2 * GB)
    assert place_on_cpu(memory, "auto").batch_size == 256
    assert place_on_cpu(memory, 7).batch_size == 7

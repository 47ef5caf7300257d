"""What jobs need: sizes against transformers' own models, memory against the paper's table."""

import pytest
import torch
import yaml
from checkpoints import smollm2_folder
from repository import REPOSITORY
from transformers import (
    AutoModelForCausalLM,
    Gemma2Config,
    GPT2Config,
    GPTNeoXConfig,
    LlamaConfig,
    MistralConfig,
    OPTConfig,
    Qwen2Config,
)

from think_to_talk.architecture import Architecture, read_architecture
from think_to_talk.errors import InputError
from think_to_talk.models import checkpoint_files, load_model
from think_to_talk.requirements import (
    GB,
    Gpu,
    Prompt,
    decoding_memory,
    decoding_work,
    expected_tokens,
    loading_seconds,
    place_on_cpu,
    place_on_gpu,
    runtime_minutes,
)

A100S = [Gpu("a100", 40), Gpu("a100", 80)]
#: Level 5 with three examples, and level 4 with the fifty of the general set.
PROMPTS = [Prompt(276, 25, 67), Prompt(2093, 26, 40)]

#: The nine models: what their config.json says (layers, width, MLP, heads, key-value heads, head,
#: vocabulary, tied), the parameters that they are published with, and the paper's batch and GPU.
PAPER = {
    "llama-3.1-8b": ((32, 4096, 14336, 32, 8, 128, 128256, False), 8.03e9, 8, 40),
    "llama-3.2-3b": ((28, 3072, 8192, 24, 8, 128, 128256, True), 3.21e9, 8, 40),
    "mistral-nemo-base-2407": ((40, 5120, 14336, 32, 8, 128, 131072, False), 12.25e9, 8, 40),
    "qwen2.5-7b": ((28, 3584, 18944, 28, 4, 128, 152064, False), 7.62e9, 4, 40),
    "qwen2.5-math-7b": ((28, 3584, 18944, 28, 4, 128, 152064, False), 7.62e9, 4, 40),
    "yi-1.5-9b": ((48, 4096, 11008, 32, 4, 128, 64000, False), 8.83e9, 4, 40),
    "qwen2.5-14b": ((48, 5120, 13824, 40, 8, 128, 152064, False), 14.77e9, 4, 80),
    "qwen2.5-32b": ((64, 5120, 27648, 40, 8, 128, 152064, False), 32.76e9, 2, 80),
    "yi-1.5-34b": ((60, 7168, 20480, 56, 8, 128, 64000, False), 34.39e9, 2, 80),
}


def published(name):
    return Architecture(*PAPER[name][0], gated=True, dtype="bfloat16")


@pytest.mark.parametrize("name", PAPER)
def test_the_paper_s_models_have_the_size_they_are_published_with(name):
    assert published(name).parameters == pytest.approx(PAPER[name][1], rel=1e-3)


@pytest.mark.parametrize("name", PAPER)
def test_the_paper_s_study_declares_what_the_models_configs_say(name):
    study = yaml.safe_load((REPOSITORY / "studies/paper.yaml").read_text())
    entry = study["models"][name]
    assert Architecture.from_config(entry["architecture"]) == published(name)
    assert entry["batch_size"] == PAPER[name][2]


@pytest.mark.parametrize("name", PAPER)
@pytest.mark.parametrize("prompts", [PROMPTS, PROMPTS[:1]], ids=["with the general set", "without"])
@pytest.mark.parametrize("batch_size", ["the paper's", "auto"])
def test_the_paper_s_models_need_the_gpus_that_it_lists(name, prompts, batch_size):
    _, _, papers, gb = PAPER[name]
    memory = decoding_memory(published(name), prompts, 100, "bfloat16")
    batch_size = papers if batch_size == "the paper's" else "auto"
    placement = place_on_gpu(memory, A100S, batch_size, name)
    assert placement.gpu.memory_gb == gb
    assert memory.of(placement.batch_size) <= (gb - 12) * GB


SMALL = {"num_hidden_layers": 3, "hidden_size": 64, "num_attention_heads": 4, "vocab_size": 1000}
MODELS = [
    LlamaConfig(**SMALL, intermediate_size=200, num_key_value_heads=2),
    LlamaConfig(**SMALL, intermediate_size=200, tie_word_embeddings=True),
    MistralConfig(**SMALL, intermediate_size=200, num_key_value_heads=2, head_dim=32),
    Qwen2Config(**SMALL, intermediate_size=200, num_key_value_heads=1),
    Gemma2Config(**SMALL, intermediate_size=200, num_key_value_heads=2, head_dim=32),
    GPT2Config(n_layer=3, n_embd=64, n_head=4, vocab_size=1000, n_positions=8),
    GPTNeoXConfig(**SMALL, intermediate_size=256),
    OPTConfig(**SMALL, ffn_dim=256, word_embed_proj_dim=64, max_position_embeddings=8),
]


@pytest.mark.parametrize("config", MODELS, ids=lambda config: config.model_type)
def test_weights_are_counted_as_transformers_has_them(config, tmp_path):
    """From the config.json that it saves; biases and norms are left out of the count."""
    config.save_pretrained(tmp_path)
    counted = read_architecture(tmp_path / "config.json")
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(config)
    matrices = sum(p.numel() for p in model.parameters() if p.ndim == 2)
    assert counted.parameters == pytest.approx(matrices, rel=0.01)
    assert counted.hidden_size == 64
    assert counted.num_hidden_layers == 3


def test_a_gguf_file_says_its_size_itself():
    path = checkpoint_files(smollm2_folder())[0]
    counted = read_architecture(path)
    study = yaml.safe_load((REPOSITORY / "studies/smollm2.yaml").read_text())
    declared = study["models"]["smollm2-135m-instruct"]["architecture"]
    assert counted == Architecture.from_config(declared)
    model = load_model(path)
    assert counted.parameters == pytest.approx(model.num_parameters(), rel=0.01)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"hidden_size": 8}, "num_hidden_layers, num_attention_heads, vocab_size not found"),
        (
            {**SMALL, "num_experts": None, "num_local_experts": 8},
            "num_local_experts: a mixture of experts",
        ),
    ],
)
def test_a_config_that_does_not_say_the_size_is_refused(config, message, tmp_path):
    with pytest.raises(InputError, match=message):
        Architecture.from_config(config)


def test_the_key_value_cache_is_counted_as_transformers_holds_it():
    config = MODELS[0]
    model = AutoModelForCausalLM.from_config(config).eval()
    with torch.inference_mode():
        cache = model(torch.zeros(1, 10, dtype=torch.long), use_cache=True).past_key_values
    held = sum(layer.keys.numel() + layer.values.numel() for layer in cache.layers)
    architecture = Architecture.from_config(config.to_dict())
    assert 10 * architecture.cached_values_per_token == held


def test_a_model_that_fits_no_gpu_is_refused_with_the_numbers():
    huge = Architecture(80, 8192, 28672, 64, 8, 128, 128256, False, gated=True, dtype="bfloat16")
    memory = decoding_memory(huge, PROMPTS, 100, "bfloat16")
    with pytest.raises(InputError) as error:
        place_on_gpu(memory, A100S, "auto", "models.huge")
    assert str(error.value).startswith("models.huge: needs ")
    assert "weights 131.4" in str(error.value)
    assert "the largest known is a100 80 GB, of which 68 GB are usable" in str(error.value)
    assert "models.huge.gpus_per_job" in str(error.value)
    spread = decoding_memory(huge, PROMPTS, 100, "bfloat16", gpus=4)
    assert place_on_gpu(spread, A100S, "auto", "models.huge", 4).batch_size >= 1


def test_a_batch_that_fits_no_gpu_names_the_one_that_does():
    memory = decoding_memory(published("qwen2.5-14b"), PROMPTS, 100, "bfloat16")
    with pytest.raises(InputError, match=r"lower models\.x\.batch_size to 64 or leave it out"):
        place_on_gpu(memory, A100S, 10_000, "models.x")


def test_a_batch_is_as_large_as_fits():
    memory = decoding_memory(published("llama-3.1-8b"), PROMPTS, 100, "bfloat16")
    rows = place_on_gpu(memory, A100S, "auto", "models.x").batch_size
    assert memory.of(rows) <= A100S[0].usable < memory.of(2 * rows)
    assert memory.rows_within(10 * GB) == 0


def test_a_small_model_fits_on_a_small_gpu():
    """What is kept free of it is a share, not what an A100 keeps free."""
    small = Architecture(30, 576, 1536, 9, 3, 64, 49152, True, gated=True, dtype="bfloat16")
    memory = decoding_memory(small, PROMPTS, 100, "bfloat16")
    assert place_on_gpu(memory, [Gpu("rtx", 8)], "auto", "models.x").batch_size >= 8


def test_a_model_spread_over_gpus_is_not_read_faster():
    model = published("yi-1.5-34b")
    placements = [
        place_on_gpu(
            decoding_memory(model, PROMPTS, 100, "bfloat16", gpus=n),
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


def test_memory_grows_with_type_batch_and_prompt():
    model = published("llama-3.2-3b")
    small = decoding_memory(model, PROMPTS[:1], 100, "bfloat16")
    assert decoding_memory(model, PROMPTS, 100, "bfloat16").of(8) > small.of(8)
    assert decoding_memory(model, PROMPTS[:1], 100, "float32").of(8) > small.of(8)
    assert small.of(16) > small.of(8)


def test_a_token_is_expected_per_symbol_and_another_per_digit():
    """As Llama 3's and Qwen's tokenizers write it."""
    assert expected_tokens("z = 4 - o , o = 4 ; z =?") == 13 + 2


def test_a_worst_case_takes_longer_than_the_best_and_the_limit_longer_still():
    model = published("llama-3.1-8b")
    placement = place_on_gpu(
        decoding_memory(model, PROMPTS, 100, "bfloat16"), A100S, 8, "models.llama"
    )
    work = decoding_work(model, PROMPTS[0], 2000, 100, placement)
    assert work.best_passes == 1 + 250
    assert work.worst_passes == 1 + 250 * 102
    assert work.best_seconds < work.worst_seconds < 60 * runtime_minutes(work, placement)
    tokens = 276 + 2000 * (25 + 67)
    # All matrices but the embeddings, twice.
    assert work.flops == pytest.approx(2 * (model.parameters - 128256 * 4096) * tokens)


def test_on_a_cpu_a_small_model_gets_a_large_batch():
    tiny = Architecture(3, 128, 256, 4, 4, 32, 43, False, gated=True, dtype="float32")
    memory = decoding_memory(tiny, [Prompt(0, 25, 67)], 100, "float32", reserve=2 * GB)
    assert place_on_cpu(memory, "auto").batch_size == 256
    assert place_on_cpu(memory, 7).batch_size == 7

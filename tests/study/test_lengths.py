"""Prompts longer than a model's positions are found at planning, by models and tasks."""

import pytest
from transformers import GPT2Config, LlamaConfig

from think_to_talk.errors import InputError
from think_to_talk.study.needs import plan_study

SMALL = {"vocab_size": 50, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
DYNAMIC = {"rope_type": "dynamic", "rope_theta": 1e4, "factor": 2.0}


@pytest.fixture
def planned(raw_config, schema, tmp_path):
    """What is known of a study with a local model, whose config has so many positions."""

    def plan(config, **entry):
        config.save_pretrained(tmp_path)
        (tmp_path / "model.safetensors").touch()
        models = {"mine": {"kind": "local", "path": str(tmp_path), "device": "cpu", **entry}}
        return plan_study({**raw_config, "models": models}, schema)[1].warnings

    return plan


def test_a_model_with_too_few_learned_positions_is_refused(planned):
    """The problem of level 5 has 20 words, its chain 53."""
    short = GPT2Config(n_embd=32, n_layer=2, n_head=2, vocab_size=50, n_positions=64)
    options = {"layers": [0, 2], "max_new_tokens": 30}
    message = (
        r"^models.mine \(tasks.level-5\): a prompt of at least 20 tokens and up to 53 after it "
        r"exceed the 64 positions that the model has: lower shots or max_new_tokens$"
    )
    with pytest.raises(InputError, match=message):
        planned(short, **options, shots=0, tasks=["level-1", "level-5"])
    assert planned(short, **options, shots=0, tasks=["level-1"]) == []
    with pytest.raises(InputError, match=r"models.mine \(tasks.level-1\): a prompt of at least"):
        planned(short, **options, shots=2, tasks=["level-1"])
    with pytest.raises(InputError, match="up to 60 after it"):
        planned(short, layers=[0], max_new_tokens=60, shots=0, tasks=["level-1"])


def test_a_model_whose_rotary_factors_change_within_a_prompt_is_refused(planned):
    config = LlamaConfig(**SMALL, max_position_embeddings=64, rope_parameters=DYNAMIC)
    with pytest.raises(InputError, match="exceed 64, the length at which the model's rotary"):
        planned(config, shots=3, tasks=["level-1"])
    assert planned(config, shots=0, max_new_tokens=30, tasks=["level-1"]) == []


def test_a_model_trained_on_shorter_texts_is_warned_of(planned):
    (warning,) = planned(
        LlamaConfig(**SMALL, max_position_embeddings=64), shots=3, tasks=["level-1"]
    )
    assert warning.startswith("models.mine (tasks.level-1): a prompt of at least ")
    assert "exceed the 64 positions of the model's config" in warning


def test_a_model_that_the_library_does_not_know_is_left_to_the_tokens_job(
    planned, raw_config, schema, tmp_path
):
    config = GPT2Config(n_embd=32, n_layer=2, n_head=2, vocab_size=50, n_positions=64)
    with pytest.raises(InputError, match="exceed the 64 positions"):
        planned(config, tasks=["level-5"])
    published = tmp_path / "config.json"
    published.write_text(published.read_text().replace('"gpt2"', '"unheard_of"'))
    entry = {"kind": "local", "path": str(tmp_path), "device": "cpu", "tasks": ["level-5"]}
    needs = plan_study({**raw_config, "models": {"mine": entry}}, schema)[1]
    assert needs.warnings == []

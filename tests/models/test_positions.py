"""How many tokens a model can read, compared with what it does when it reads more."""

import pytest
import torch
from support.architectures import NOT_BUILT, causal_architectures, tiny_config
from transformers import (
    AutoModelForCausalLM,
    BloomConfig,
    GPT2Config,
    GPTJConfig,
    LlamaConfig,
    OPTConfig,
    Phi3Config,
    RobertaConfig,
    XLNetConfig,
)

from think_to_talk.errors import InputError
from think_to_talk.models.positions import Length, check_length, smallest_limit

SMALL = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "vocab_size": 50}
GPT = {"n_embd": 32, "n_layer": 2, "n_head": 2, "vocab_size": 50}
LLAMA = {**SMALL, "num_attention_heads": 2, "max_position_embeddings": 64}
FACTORS = {"short_factor": [1.0] * 8, "long_factor": [4.0] * 8}


def longrope(original):
    return Phi3Config(
        **{**LLAMA, "max_position_embeddings": 128},
        original_max_position_embeddings=original,
        rope_parameters={"rope_type": "longrope", "rope_theta": 1e4, **FACTORS},
        pad_token_id=None,
    )


def rotary(kind, **parameters):
    return LlamaConfig(
        **LLAMA, rope_parameters={"rope_type": kind, "rope_theta": 1e4, **parameters}
    )


def built(config):
    torch.manual_seed(0)
    return AutoModelForCausalLM.from_config(config).double().eval()


def reads(model, tokens):
    """Whether a model can read so many tokens."""
    try:
        with torch.no_grad():
            model(torch.arange(tokens)[None] % 20 + 20)
    except (IndexError, RuntimeError, ValueError):
        return False
    return True


#: Models with a table of 64 positions; the last has two rows before the first position.
TABLES = {
    "learned": GPT2Config(**GPT, n_positions=64),
    "computed once": GPTJConfig(**GPT, n_positions=64, rotary_dim=8),
    "with rows that are not counted": OPTConfig(
        **{**SMALL, "ffn_dim": 64, "word_embed_proj_dim": 32},
        num_attention_heads=2,
        max_position_embeddings=64,
    ),
    "with rows that are counted": RobertaConfig(
        **SMALL, num_attention_heads=2, max_position_embeddings=66, is_decoder=True, pad_token_id=1
    ),
}


@pytest.mark.parametrize("table", TABLES)
def test_a_prompt_beyond_the_table_of_positions_is_refused(table):
    config = TABLES[table]
    assert check_length(config, Length(40, 24)) is None
    with pytest.raises(
        InputError, match=r"^a prompt of 41 tokens and up to 24 after it exceed the 64"
    ):
        check_length(config, Length(41, 24))
    model = built(config)
    assert (reads(model, 64), reads(model, 65)) == (True, False)


def test_a_prompt_beyond_the_positions_of_training_is_warned_of():
    for config in (
        LlamaConfig(**LLAMA),
        rotary("linear", factor=2.0),
        rotary("yarn", factor=2.0, original_max_position_embeddings=32),
        rotary(
            "llama3",
            factor=2.0,
            original_max_position_embeddings=32,
            low_freq_factor=1.0,
            high_freq_factor=4.0,
        ),
    ):
        assert check_length(config, Length(40, 24)) is None
        warning = check_length(config, Length(40, 25))
        assert warning.startswith("a prompt of 40 tokens and up to 25 after it exceed the 64 pos")
        assert reads(built(config), 65)


def test_a_model_without_a_number_of_positions_reads_any_prompt():
    assert check_length(BloomConfig(hidden_size=32, n_layer=2, n_head=2), Length(10**6, 9)) is None
    # Its number of positions is -1.
    assert check_length(XLNetConfig(d_model=32, n_layer=2, n_head=2), Length(10**6, 9)) is None


def difference_behind_a_cached_prefix(model, tokens, prefix):
    """The largest difference of the last logits, in one pass and behind a cached prefix."""
    ids = torch.randint(50, (1, tokens), generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        whole = model(ids).logits[:, -1]
        cache = model(ids[:, :prefix], use_cache=True).past_key_values
        behind = model(ids[:, prefix:], past_key_values=cache).logits[:, -1]
    return (whole - behind).abs().max().item()


@pytest.mark.parametrize(
    ("config", "limit"), [(longrope(32), 32), (rotary("dynamic", factor=2.0), 64)]
)
def test_a_prompt_beyond_the_length_at_which_rotary_factors_change_is_refused(config, limit):
    assert check_length(config, Length(limit - 4, 4)) is None
    with pytest.raises(InputError, match=rf"exceed {limit}, the length at which .* factors change"):
        check_length(config, Length(limit - 4, 5))
    model = built(config)
    assert difference_behind_a_cached_prefix(model, limit, limit - 8) < 1e-9
    assert difference_behind_a_cached_prefix(model, limit + 1, limit - 8) > 1e-6


def test_rotary_factors_of_a_kind_of_layer_count_as_well():
    config = LlamaConfig(**LLAMA)
    config.rope_parameters = {
        "sliding_attention": {"rope_type": "default", "rope_theta": 1e4},
        "full_attention": {"rope_type": "dynamic", "rope_theta": 1e4, "factor": 2.0},
    }
    with pytest.raises(InputError, match="exceed 64, the length at which"):
        check_length(config, Length(64, 1))


def test_the_smallest_number_of_positions_is_found_anywhere_in_a_config():
    assert smallest_limit({"model_type": "bloom", "rope_scaling": None}) is None
    assert smallest_limit({"n_positions": 1024, "vocab_size": 10}) == 1024
    scaling = {"rope_type": "llama3", "original_max_position_embeddings": 8192}
    config = {"text_config": {"max_position_embeddings": 131072, "rope_scaling": scaling}}
    assert smallest_limit(config) == 8192


@pytest.mark.thorough
def test_every_architecture_reads_beyond_its_positions_or_is_refused():
    """With 40 positions, of each that a tiny config can be built for and has no rotary factors."""
    keys = ("max_position_embeddings", "n_positions", "max_seq_len", "n_ctx")
    compared = set()
    for name in causal_architectures():
        if name in NOT_BUILT:
            continue
        config = tiny_config(name)
        text = config.get_text_config(decoder=True)
        known = [key for key in keys if (getattr(text, key, None) or 0) > 0]
        if not known or getattr(text, "rope_parameters", None):
            continue
        for key in known:
            setattr(text, key, 40)
            setattr(config, key, 40)
        model = AutoModelForCausalLM.from_config(config).eval()
        try:
            beyond = check_length(config, Length(40, 1)) is not None
        except InputError:
            beyond = False
        assert (reads(model, 38), reads(model, 41)) == (True, beyond), name
        compared.add(name)
    assert len(compared) > 20

"""Small models of several architectures, and a tiny config of every causal one of the library."""

import torch
from transformers import (
    CONFIG_MAPPING,
    AutoModelForCausalLM,
    Gemma2Config,
    GemmaConfig,
    GPT2Config,
    GPTNeoXConfig,
    LlamaConfig,
    MistralConfig,
    Qwen2Config,
)
from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES

SMALL = {"hidden_size": 32, "num_hidden_layers": 3, "num_attention_heads": 2, "vocab_size": 300}
GROUPED = {**SMALL, "intermediate_size": 64, "num_key_value_heads": 1}
FAMILIES = [
    LlamaConfig(**GROUPED),
    Qwen2Config(**GROUPED),
    MistralConfig(**GROUPED, sliding_window=64),
    GPT2Config(n_embd=32, n_layer=3, n_head=2, vocab_size=300),
    GPTNeoXConfig(**SMALL, intermediate_size=64),
    GemmaConfig(**GROUPED, head_dim=16),
    Gemma2Config(**GROUPED, head_dim=16, sliding_window=64),
]


#: Small values of the keys that configs have in common.
_TINY = {
    **dict.fromkeys(("hidden_size", "n_embd", "d_model", "dim", "word_embed_proj_dim"), 32),
    **dict.fromkeys(("embedding_size", "emb_dim", "pooler_hidden_size", "num_embeds"), 32),
    **dict.fromkeys(("intermediate_size", "n_inner", "ffn_dim", "d_ff", "d_inner", "dff"), 64),
    **dict.fromkeys(("encoder_ffn_dim", "decoder_ffn_dim", "feed_forward_size"), 64),
    **dict.fromkeys(("num_hidden_layers", "n_layer", "num_layers", "n_layers"), 4),
    **dict.fromkeys(("encoder_layers", "decoder_layers"), 4),
    **dict.fromkeys(("num_attention_heads", "n_head", "n_heads", "num_heads"), 4),
    **dict.fromkeys(("encoder_attention_heads", "decoder_attention_heads"), 4),
    **dict.fromkeys(("num_key_value_heads", "num_kv_heads"), 2),
    **dict.fromkeys(("n_positions", "n_ctx", "max_seq_len"), 512),
    **dict.fromkeys(("vocab_size", "vocab_size_per_layer_input"), 100),
    **dict.fromkeys(("head_dim", "qk_nope_head_dim", "v_head_dim", "global_head_dim"), 8),
    **dict.fromkeys(("q_lora_rank", "kv_lora_rank"), 16),
    **dict.fromkeys(("moe_intermediate_size", "shared_expert_intermediate_size"), 16),
    **dict.fromkeys(("num_experts", "num_local_experts", "n_routed_experts", "moe_num_experts"), 4),
    **dict.fromkeys(("num_experts_per_tok", "num_experts_per_token", "moe_top_k", "moe_k"), 2),
    **dict.fromkeys(("n_group", "topk_group", "num_expert_group"), 1),
    **{"pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2, "decoder_start_token_id": 1},
    # Without its kernels, the library runs these in Python.
    **dict.fromkeys(("linear_head_dim", "linear_key_head_dim", "linear_value_head_dim"), 8),
    **dict.fromkeys(("linear_num_heads", "linear_num_value_heads"), 4),
    "linear_num_key_heads": 2,
    **dict.fromkeys(("mamba_d_state", "ssm_state_size"), 16),
    **dict.fromkeys(("mamba_chunk_size", "chunk_size"), 16),
    "rotary_dim": 4,
    "sliding_window": 8,
    "qk_rope_head_dim": 8,
    "hidden_size_per_layer_input": 8,
    "max_position_embeddings": 512,
}

_NO_CONFIG = "tiny_config has no sizes for it that the library accepts"
#: {model type: why `tiny_config` gives no model that can be built and run}.
NOT_BUILT = {
    "blt": "the library's cache asks its config for num_hidden_layers, which that has not",
    "gemma3n": "its vision tower needs the package timm",
    **dict.fromkeys(
        ("gemma4_assistant", "gemma4_unified_assistant"), "drafts for another model's cache"
    ),
    **dict.fromkeys(
        ("musicgen", "musicgen_melody"), "the library builds its decoder from the whole config"
    ),
    **dict.fromkeys(
        ("dots3_note", "dots3_note_text", "qwen4_exp", "qwen4_exp_text", "xlstm"), _NO_CONFIG
    ),
    "zamba": _NO_CONFIG,
}


def causal_architectures():
    """The model types of every causal language model of the installed library."""
    return sorted(MODEL_FOR_CAUSAL_LM_MAPPING_NAMES)


#: What single model types need besides.
_HYBRID = ["linear_attention", "full_attention", "linear_attention", "full_attention"]
_WINDOWED = ["sliding_attention", "full_attention", "sliding_attention", "full_attention"]
_OVERRIDES = {
    "bamba": {"mamba_n_heads": 8, "mamba_d_head": 8, "attn_layer_indices": [1, 3]},
    "granitemoehybrid": {
        **{"mamba_n_heads": 8, "mamba_d_head": 8},
        "layer_types": ["mamba", "attention"] * 2,
    },
    "falcon_h1": {"mamba_n_heads": 8, "mamba_d_head": 8, "mamba_d_ssm": 64},
    "nemotron_h": {"mamba_num_heads": 8, "mamba_head_dim": 8},
    "bailing_hybrid": {"layer_types": _HYBRID},
    "kimi_linear": {"layer_types": _HYBRID},
    "cohere_compass_text": {
        "rope_parameters": {"full_attention": {"rope_type": "default", "rope_theta": 1e4}}
    },
    "longcat_flash": {
        "ffn_hidden_size": 64,
        "expert_ffn_hidden_size": 16,
        "moe_topk": 2,
        "zero_expert_num": 2,
    },
    "deepseek_v2": {"num_experts_per_tok": 2},
    "hunyuan_v1_dense": {"head_dim": 8},
    "hunyuan_v1_moe": {"head_dim": 8},
    "ministral": {"head_dim": 8},
    "mamba2": {"num_heads": 8, "head_dim": 8, "n_groups": 1},
    "gemma3n_text": {"layer_types": _WINDOWED, "num_kv_shared_layers": 2},
    "gemma4_text": {"layer_types": _WINDOWED, "num_kv_shared_layers": 2},
    "zaya": {"num_experts_per_tok": 1},
    "gpt_neo": {"attention_types": [[["global", "local"], 2]], "window_size": 8},
    "dots1": {"n_routed_experts": 4, "n_shared_experts": 1, "num_experts_per_tok": 2},
    "lfm2_moe": {"layer_types": ["conv", "full_attention"] * 2},
    "jamba": {"attn_layer_period": 2, "attn_layer_offset": 1},
    "dbrx": {
        "attn_config": {"kv_n_heads": 2, "rope_theta": 1e4, "clip_qkv": 8},
        "ffn_config": {"ffn_hidden_size": 64, "moe_num_experts": 4, "moe_top_k": 2},
    },
    "nemotron": {"head_dim": 8, "num_key_value_heads": 2},
    "reformer": {"is_decoder": True, "axial_pos_embds": False},
    "xmod": {"default_language": "en_XX"},
    "zamba2": {
        "layer_types": ["mamba", "hybrid"] * 2,
        "layers_block_type": ["mamba", "hybrid"] * 2,
    },
}


def _tiny(values):
    """The tiny values of a config's keys that are known, and of the configs within it."""
    tiny = {}
    for key, value in values.items():
        if key.endswith("_config") and isinstance(value, dict):
            kind = {"model_type": value["model_type"]} if "model_type" in value else {}
            tiny[key] = {**_tiny(value), **kind}
        elif key in _TINY and value is not None:
            tiny[key] = _TINY[key]
    # The heads of latent attention have two parts, and each has its own key and value.
    if "qk_rope_head_dim" in tiny:
        tiny["num_key_value_heads"] = tiny["num_attention_heads"]
        tiny["head_dim"] = tiny["qk_rope_head_dim"]
    return tiny


def tiny_config(model_type):
    """A config of the model type: four layers of width 32, and a vocabulary of 100."""
    config_class = CONFIG_MAPPING[model_type]
    values = config_class().to_dict()
    return config_class(**{**_tiny(values), **_OVERRIDES.get(model_type, {})})


def random_model(config):
    """In fp64, so that sums in another order choose the same tokens; not too near to zero."""
    config.initializer_range = 0.4
    config.bos_token_id = config.eos_token_id = config.pad_token_id = None
    torch.manual_seed(0)
    return AutoModelForCausalLM.from_config(config).double().eval()


def tiny_model(model_type, dtype=torch.float64):
    """A random model, whose weights are large enough that positions and rows differ."""
    config = tiny_config(model_type)
    config._attn_implementation = config._experts_implementation = "eager"
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(config, dtype=dtype).eval()
    generator = torch.Generator().manual_seed(1)
    for parameter in model.parameters():
        if parameter.ndim > 1:
            torch.nn.init.normal_(parameter, 0, 0.2, generator=generator)
    return model

"""A cache with room holds what the library's own holds."""

import pytest
import torch
from transformers import Gemma2Config, LlamaConfig
from transformers.models.auto.modeling_auto import AutoModelForCausalLM

from think_to_talk.hidden_states.key_value_cache import with_room

SMALL = {
    "vocab_size": 44,
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
}


@pytest.mark.parametrize(
    "config",
    [LlamaConfig(**SMALL), Gemma2Config(**SMALL, head_dim=16, sliding_window=8)],
    ids=lambda config: config.model_type,
)
@torch.inference_mode()
def test_decoding_with_room_is_decoding_without(config):
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(config).eval()
    prefix, steps = torch.randint(0, 44, (1, 10)), torch.randint(0, 44, (3, 6))
    begun = model(prefix, use_cache=True).past_key_values
    before = [layer.keys.clone() for layer in begun.layers]
    roomy = with_room(begun, 1, tokens=6, repeats=3)
    for layer, keys in zip(begun.layers, before, strict=True):
        assert torch.equal(layer.keys, keys), "the cache that it is a copy of stays as it was"
    plain = begun
    plain.batch_repeat_interleave(3)
    rows = [0, 1, 2]
    for t in range(6):
        if t == 3:
            rows = [0, 2]
            roomy.reorder_cache(torch.tensor(rows))
            plain.reorder_cache(torch.tensor(rows))
        ids = steps[rows, t : t + 1]
        found = model(ids, past_key_values=roomy, use_cache=True).logits
        wanted = model(ids, past_key_values=plain, use_cache=True).logits
        torch.testing.assert_close(found, wanted, rtol=1e-5, atol=1e-5)

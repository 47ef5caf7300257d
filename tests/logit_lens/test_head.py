"""The model's own final norm and head, of any architecture, on the states of any layer."""

import pytest
import torch
from accelerate import dispatch_model
from support.architectures import tiny_model

from think_to_talk.errors import InputError, UnreadError
from think_to_talk.hidden_states.hooks import Blocks
from think_to_talk.hidden_states.pass_check import check_passes
from think_to_talk.hidden_states.whole_passes import WholePasses
from think_to_talk.logit_lens.head import Head


def soft_capped(model, logits):
    cap = model.config.final_logit_softcapping
    return cap * torch.tanh(logits / cap)


#: {model type: its final norm and head, applied by hand}.
BY_HAND = {
    "llama": lambda m, state: m.lm_head(m.model.norm(state)),
    "gpt2": lambda m, state: m.transformer.ln_f(state) @ m.transformer.wte.weight.T,
    "gemma2": lambda m, state: soft_capped(m, m.lm_head(m.model.norm(state))),
    "cohere": lambda m, state: m.lm_head(m.model.norm(state)) * m.config.logit_scale,
    "granite": lambda m, state: m.lm_head(m.model.norm(state)) / m.config.logits_scaling,
    "phi": lambda m, state: m.lm_head(m.model.final_layernorm(state)),
    "mamba": lambda m, state: m.lm_head(m.backbone.norm_f(state)).float(),
    # Its last block ends with the norm.
    "openai-gpt": lambda m, state: m.lm_head(state),
    # These cannot start at a layer.
    "rwkv": lambda m, state: m.head(m.rwkv.ln_out(state)),
    "gemma4_text": lambda m, state: m.lm_head(m.model.norm(state)),
}


@pytest.fixture(scope="module", params=BY_HAND)
def checked(request):
    """A model whose norms and biases are not those of an untrained one, its facts, and passes."""
    model = tiny_model(request.param)
    generator = torch.Generator().manual_seed(2)
    for parameter in model.parameters():
        if parameter.ndim == 1:
            torch.nn.init.uniform_(parameter, 0.5, 2.0, generator=generator)
    if request.param == "granite":
        model.config.logits_scaling = model.logits_scaling = 3.0
    facts, _, _ = check_passes(model)
    with torch.inference_mode():
        whole = WholePasses(model, Blocks.find(model))
    return model, facts, whole, BY_HAND[request.param]


def same(found, expected):
    return torch.allclose(found, expected, rtol=1e-9, atol=1e-9)


def test_the_last_layer_gives_the_model_s_own_logits(checked):
    model, facts, whole, _ = checked
    head, last = Head(model, facts, 8), whole.n_layers
    assert same(head.logits(whole.states[last]), whole.logits)
    # Positions and rows are read alone, and so in any order.
    some = [7, 3, 20]
    assert same(head.logits(whole.states[last].flip(0)[:, some]), whole.logits.flip(0)[:, some])


def test_an_earlier_layer_gives_what_the_norm_and_head_give_by_hand(checked):
    model, facts, whole, by_hand = checked
    head = Head(model, facts, 8)
    for layer in range(whole.n_layers):
        state = whole.states[layer][:, 4:]
        with torch.inference_mode():
            expected = by_hand(model, state)
        assert same(head.logits(state), expected)
        assert not same(head.logits(state), whole.logits[:, 4:])


def test_blocks_are_skipped_where_that_is_right(checked):
    model, facts, whole, _ = checked
    called = []
    inner = next(model.get_submodule(facts.blocks)[0].children())
    for ways in (facts, facts.without("starts_at_layer")):
        head = Head(model, ways, 8)
        handle = inner.register_forward_hook(lambda *_: called.append(None))
        head.logits(whole.states[1])
        handle.remove()
        assert bool(called) != ways.starts_at_layer


def test_blocks_that_cannot_be_skipped_run_and_change_nothing(checked):
    model, facts, whole, _ = checked
    running = Head(model, facts.without("starts_at_layer"), 8)
    for layer in (1, whole.n_layers):
        state = whole.states[layer][:, 4:]
        assert same(running.logits(state), Head(model, facts, 8).logits(state))


def test_a_last_layer_that_has_passed_the_norm_does_not_pass_it_again(checked):
    model, facts, whole, _ = checked
    if not facts.last_state:
        with pytest.raises(InputError, match="set last_layer: before_norm"):
            Head(model, facts, 8, "after_norm")
        return
    with torch.inference_mode():
        normed = whole.run_model(whole.ids, output_hidden_states=True).hidden_states[-1]
    assert same(Head(model, facts, 8, "after_norm").logits(normed), whole.logits)
    # Where the last block ends with the norm, there is none after it.
    norm_follows = facts.last_state != f"{facts.blocks}.{whole.n_layers - 1}"
    assert same(Head(model, facts, 8).logits(normed), whole.logits) != norm_follows


def test_rows_are_read_in_batches_in_their_order():
    model = tiny_model("llama")
    facts, _, whole = check_passes(model)
    states = torch.cat([whole.states[1]] * 3)
    expected = Head(model, facts, 8).logits(states).argmax(dim=-1)
    for batch_size in (1, 4, 100):
        found = Head(model, facts, batch_size).read(states, lambda logits: logits.argmax(dim=-1))
        assert torch.equal(found, expected)


@pytest.mark.parametrize("last_layer", ["before_norm", "after_norm"])
def test_a_model_spread_over_devices_is_read_as_on_one(tmp_path, last_layer):
    """Its last block and norm live on disk, the only other place that a CPU machine has."""
    model = tiny_model("llama")
    facts, _, whole = check_passes(model)
    expected = Head(model, facts, 8, last_layer).logits(whole.states[1])
    elsewhere = {*model.model.layers[-1].modules(), model.model.norm}
    with_weights = {n: m for n, m in model.named_modules() if [*m.parameters(recurse=False)]}
    device_map = {n: "disk" if m in elsewhere else "cpu" for n, m in with_weights.items()}
    spread = dispatch_model(model, device_map, main_device="cpu", offload_dir=tmp_path)
    assert any(parameter.device.type == "meta" for parameter in spread.parameters())
    for ways in (facts, facts.without("starts_at_layer")):
        assert same(Head(spread, ways, 8, last_layer).logits(whole.states[1]), expected)


def test_the_model_is_as_it_was_afterwards():
    model = tiny_model("llama")
    facts, _, whole = check_passes(model)
    hooks = [len(module._forward_hooks) for module in model.modules()]
    Head(model, facts, 8).logits(whole.states[2])
    with torch.inference_mode():
        assert torch.equal(whole.run_model(whole.ids[:1]), whole.logits[:1])
    assert hooks == [len(module._forward_hooks) for module in model.modules()]
    assert not any("forward" in vars(module) for module in model.modules())


def test_a_head_that_mixes_positions_is_refused():
    model = tiny_model("llama")
    facts, _, _ = check_passes(model)
    model.lm_head.register_forward_hook(lambda _m, _a, out: out + out.roll(1, dims=1))
    with pytest.raises(UnreadError, match="do not follow from the last layer's hidden state there"):
        Head(model, facts, 8)


def test_a_head_that_looks_at_the_embeddings_is_refused():
    model = tiny_model("llama")
    facts, _, _ = check_passes(model)
    embedded = []
    model.model.embed_tokens.register_forward_hook(lambda _m, _a, out: embedded.append(out))
    model.model.norm.register_forward_hook(lambda _m, _a, out: out + 9 * embedded[-1])
    with pytest.raises(UnreadError, match="cannot read the hidden states of other layers"):
        Head(model, facts, 8)

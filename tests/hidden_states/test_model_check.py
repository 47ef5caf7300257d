"""The model check finds what holds of a model; what is wrong is refused in one line."""

import json
import warnings

import pytest
import torch
from support import outcomes
from support.architectures import NOT_BUILT, causal_architectures, tiny_model
from support.facts import facts_of

from think_to_talk.errors import InputError
from think_to_talk.hidden_states.facts import ModelCheck, ModelFacts, write_model_check
from think_to_talk.hidden_states.hooks import Blocks
from think_to_talk.hidden_states.model_check import check_model

IDENTITY = {"model": "mine", "seed": "1", "revision": ""}
OPTIONS = {"patched": True, "last_layer": "before_norm"}
#: {model type: the facts that do not hold of it}: a dozen kinds of models.
KINDS = {
    "llama": set(),
    "gpt2": set(),
    "gemma2": set(),
    "mixtral": set(),
    "deepseek_v2": set(),
    "lfm2": set(),
    "jamba": {"continues_cache"},
    "minimax": {"continues_cache", "steps_cache"},
    "mamba": {"continues_cache", "steps_cache"},
    "openai-gpt": {"continues_cache", "steps_cache"},
    "rwkv": {"continues_cache", "steps_cache", "starts_at_layer"},
    "gemma4_text": {"selects_logits", "patchable", "starts_at_layer"},
}
REFUSED = {
    "bert": "the model is not causal",
    "gemma3n_text": r"layer 0 has hidden states of the shapes \[\[4, 1, 24, 32\]\]",
    "hrm_text": "expected one list of 32 decoder blocks",
}


def false_facts(facts):
    return {name for name, holds in vars(facts).items() if holds is False} - {"returns_tuple"}


@pytest.mark.parametrize("model_type", KINDS)
def test_what_does_not_hold_of_a_kind_of_model_is_found(model_type):
    found = check_model(tiny_model(model_type))
    assert false_facts(found.facts) == KINDS[model_type]
    assert KINDS[model_type] - set(found.notes) <= {"continues_cache"}
    assert found.measured["rows_different"] == 0


@pytest.mark.parametrize("model_type", REFUSED)
def test_a_model_that_cannot_be_studied_is_refused(model_type):
    with pytest.raises(InputError, match=REFUSED[model_type]):
        check_model(tiny_model(model_type))


class _Tower(torch.nn.Module):
    """A list of as many blocks as the model has, which no text passes."""

    def __init__(self, n):
        super().__init__()
        self.layers = torch.nn.ModuleList(torch.nn.Linear(2, 2) for _ in range(n))


def test_the_list_of_blocks_is_the_one_that_runs():
    model = tiny_model("llama")
    blocks = model.model.layers
    # The tower's list is found first.
    del model.model._modules["layers"]
    model.model.tower = _Tower(len(blocks))
    model.model.layers = blocks
    assert Blocks.find(model).name == "model.layers"


def test_states_that_are_not_finite_are_named_by_layer():
    model = tiny_model("llama", torch.float16)
    with torch.no_grad():
        model.model.layers[1].mlp.down_proj.weight.fill_(6e4)
    with pytest.raises(InputError, match=r"layer 2 are not finite .* bfloat16"):
        check_model(model)


def test_decoding_that_writes_other_tokens_than_generate_is_refused(monkeypatch):
    """As a fault that no earlier check sees would show."""
    from think_to_talk.hidden_states import model_check

    plain = model_check._generate
    monkeypatch.setattr(
        model_check,
        "_generate",
        lambda model, prompt: [(token + 1) % 90 for token in plain(model, prompt)],
    )
    with pytest.raises(InputError, match="other tokens than the library's generate"):
        check_model(tiny_model("llama"))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_rounding_is_no_fault(dtype):
    assert false_facts(check_model(tiny_model("qwen2", dtype)).facts) == set()


def test_facts_are_written_and_read_and_notes_are_warnings(tmp_path):
    path = tmp_path / "model_check.json"
    facts = facts_of(tiny_model("llama")).without("steps_cache")
    check = ModelCheck(facts, {"steps_cache": "tokens differ: slower"}, {"passes": 3})
    with pytest.warns(UserWarning, match=r"^models\.mine: tokens differ: slower$"):
        write_model_check(path, IDENTITY, lambda: check, **OPTIONS)
    assert ModelFacts.read(path) == facts
    assert json.loads(path.read_text())["measured"] == {"passes": 3}


def test_a_model_that_is_patched_must_be_patchable(tmp_path):
    path = tmp_path / "model_check.json"
    check = ModelCheck(facts_of(tiny_model("llama")).without("patchable"), {}, {})
    with pytest.raises(InputError, match=r"models\.mine: .* set interventions\.patching: false"):
        write_model_check(path, IDENTITY, lambda: check, **OPTIONS)
    assert not path.exists()
    write_model_check(path, IDENTITY, lambda: check, **{**OPTIONS, "patched": False})
    assert path.exists()


#: {model type: the module that gives the last hidden state that the library returns}.
LAST_STATES = {
    "llama": "model.norm",
    "gpt2": "transformer.ln_f",
    "gpt_neox": "gpt_neox.final_layer_norm",
    "mamba": "backbone.norm_f",
    "gemma2": "model.norm",
    # Its last block ends with the norm.
    "openai-gpt": "transformer.h.3",
}


@pytest.mark.parametrize("model_type", LAST_STATES)
def test_the_module_that_gives_the_last_state_is_found(model_type):
    model = tiny_model(model_type)
    name = check_model(model).facts.last_state
    assert name == LAST_STATES[model_type]


def test_a_model_whose_last_state_is_unknown_is_refused_only_if_it_is_asked_for(tmp_path):
    path = tmp_path / "model_check.json"
    check = ModelCheck(facts_of(tiny_model("llama")), {}, {})
    write_model_check(path, IDENTITY, lambda: check, **OPTIONS)
    with pytest.raises(InputError, match=r"models\.mine: .* set last_layer: before_norm"):
        write_model_check(path, IDENTITY, lambda: check, patched=False, last_layer="after_norm")


def test_a_file_without_facts_is_named(tmp_path):
    path = tmp_path / "model_check.json"
    path.write_text('{"facts": {"blocks": "layers"}}')
    with pytest.raises(InputError, match=r"model_check\.json: no facts about a model"):
        ModelFacts.read(path)


@pytest.mark.thorough
@pytest.mark.parametrize("model_type", causal_architectures())
def test_every_architecture_is_right_or_refused_in_one_line(model_type):
    """No traceback, and never other tokens than `generate`: in float64, or else in float32."""
    if model_type in NOT_BUILT:
        outcomes.record("every architecture", model_type, f"not built: {NOT_BUILT[model_type]}")
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for dtype in (torch.float64, torch.float32):
            try:
                found = check_model(tiny_model(model_type, dtype))
            except InputError as error:
                outcome = f"refused: {error}"
                if "does not run" in str(error):
                    continue
                break
            slower = ", ".join(sorted(false_facts(found.facts)))
            outcome = f"right; without {slower}" if slower else "right"
            outcome += f"; last state of {found.facts.last_state or 'no module'}"
            break
    assert "\n" not in outcome
    outcomes.record("every architecture", model_type, outcome)

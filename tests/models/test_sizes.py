"""Sizes that are measured without memory, against those of real models that run."""

import json

import pytest
import torch
from gguf import GGUFReader
from support import known_sizes, outcomes
from support import sizes as measuring
from support.architectures import NOT_BUILT, causal_architectures, tiny_config
from support.checkpoints import own_code_llama, smollm2_folder
from transformers import AutoModelForCausalLM, LlamaConfig, MixtralConfig

from think_to_talk.errors import InputError
from think_to_talk.models import measure_sizes, sizes
from think_to_talk.models.checkpoints import checkpoint_files
from think_to_talk.models.live_memory import held_bytes, tensors_in
from think_to_talk.models.loading import Checkpoint
from think_to_talk.models.sizes import Sizes, SizesRequest, Tokens, measured_sizes

#: A dozen kinds of models: dense, mixtures of experts, windows, latent attention, hybrids, states.
KINDS = [
    *("llama", "gpt2", "mistral", "gemma2", "gemma3n_text", "gemma4_text", "mixtral", "qwen3_moe"),
    *("deepseek_v2", "lfm2", "jamba", "mamba", "falcon", "jetmoe", "dbrx"),
]
ROWS, TOKENS, READ = 5, 100, 50
SMALL = {
    **{"num_hidden_layers": 3, "hidden_size": 64, "num_attention_heads": 4, "vocab_size": 1000},
    "num_key_value_heads": 2,
}
#: How far from the real ones planned bytes may be: a share, or what a kernel of the CPU works with.
SHARE, WORKSPACE = 0.02, 2**14
#: Its experts hold what the router sends them, one expert at a time. Planned is the routing that
#: takes most memory: all tokens to the same experts.
ROUTED = ("dbrx",)
#: They do not run without values, and the model check refuses them.
ASSUMED = ("xlnet", "xmod")


@pytest.fixture(autouse=True)
def one_thread():
    """A kernel of the CPU allocates for each of its threads."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def measured_here(monkeypatch):
    monkeypatch.setattr(sizes, "run_program", measuring.run_program)


def planned_and_real(model_type, tmp_path):
    """(planned, real) number of parameters, bytes of weights and cache, and bytes at the peak."""
    config = tiny_config(model_type)
    config.save_pretrained(tmp_path)
    tokens = Tokens(prefix=0, row=TOKENS, read=READ, longest=TOKENS)
    request = SizesRequest(tokens, "float32", checkpoint=tmp_path / "config.json")
    planned = Sizes(**measure_sizes.measure(request.as_json()))
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(config, dtype=torch.float32).eval()
    if model_type in ROUTED:
        for router in (p for name, p in model.named_parameters() if "router" in name):
            torch.nn.init.zeros_(router)
    ids = torch.randint(3, 90, (ROWS, TOKENS))
    peak, output = measuring.real_peak(model, ids, READ)
    with torch.inference_mode():
        logits = model(input_ids=ids[:1, :2]).logits
    return {
        "parameters": (planned.parameters, model.num_parameters()),
        "weights": (planned.weights, held_bytes([*model.parameters(), *model.buffers()])),
        "vocabulary": (planned.vocabulary, logits.shape[-1]),
        "cache": (planned.cache, held_bytes(tensors_in(output)) / ROWS),
        "peak": (planned.shared + ROWS * (planned.cache + planned.activations), peak),
    }


def check_sizes(sizes):
    """What is planned is what is real."""
    assert sizes["parameters"][0] == sizes["parameters"][1]
    assert sizes["weights"][0] == sizes["weights"][1]
    assert sizes["vocabulary"][0] == sizes["vocabulary"][1]
    assert sizes["cache"][0] == pytest.approx(sizes["cache"][1], rel=0.01)
    planned, real = sizes["peak"]
    assert abs(planned - real) < SHARE * real + WORKSPACE


@pytest.mark.parametrize("model_type", KINDS)
def test_a_model_is_planned_with_the_sizes_that_it_has(model_type, tmp_path):
    check_sizes(planned_and_real(model_type, tmp_path))


@pytest.mark.thorough
@pytest.mark.parametrize("model_type", causal_architectures())
def test_every_architecture_is_planned_with_the_sizes_that_it_has(model_type, tmp_path):
    if model_type in NOT_BUILT:
        outcomes.record("sizes", model_type, f"not built: {NOT_BUILT[model_type]}")
        return
    found = planned_and_real(model_type, tmp_path)
    ratios = [f"{name} {a / b:.3f}" if b else f"{name} {a}" for name, (a, b) in found.items()]
    outcomes.record("sizes", model_type, "planned / real: " + ", ".join(ratios))
    if model_type in ASSUMED:
        found["cache"], found["peak"] = (1, 1), (1, 1)
    check_sizes(found)


@pytest.mark.parametrize("model_type", ["llama", "mistral", "gemma3_text", "qwen3_moe"])
def test_a_row_goes_on_from_the_prefix_s_cache(model_type, tmp_path):
    """20 tokens of a prefix, 30 of a row, and 10 more that are decoded; windows of 8 tokens."""
    config = tiny_config(model_type)
    config.save_pretrained(tmp_path)
    request = SizesRequest(Tokens(20, 30, 5, 60), "float32", checkpoint=tmp_path / "config.json")
    planned = Sizes(**measure_sizes.measure(request.as_json()))
    model = AutoModelForCausalLM.from_config(config, dtype=torch.float32).eval()
    held, cache = [], None
    with torch.inference_mode():
        for n in (20, 30, 10):
            ids = torch.randint(3, 90, (1, n))
            cache = model(ids, use_cache=True, past_key_values=cache).past_key_values
            held.append(held_bytes(tensors_in(cache)))
    assert planned.prefix_cache == pytest.approx(held[0], rel=0.01)
    assert planned.cache == pytest.approx(max(held[1:]), rel=0.01)
    assert planned.prefix_activations > 0


def test_a_model_that_does_not_go_on_from_a_cache_passes_whole_rows(tmp_path):
    tiny_config("mamba").save_pretrained(tmp_path)
    behind, whole = (
        Sizes(**measure_sizes.measure(SizesRequest(t, checkpoint=path).as_json()))
        for path in [tmp_path / "config.json"]
        for t in (Tokens(20, 30, 5, 60), Tokens(0, 60, 5, 60))
    )
    assert (behind.cache, behind.activations) == (whole.cache, whole.activations)


def test_operations_are_those_of_the_experts_that_a_token_visits(tmp_path):
    def per_token(**experts):
        config = MixtralConfig(**SMALL, intermediate_size=200, **experts)
        config.save_pretrained(tmp_path)
        request = SizesRequest(Tokens(0, 30, 30, 30), checkpoint=tmp_path / "config.json")
        return measure_sizes.measure(request.as_json())

    few, many = (per_token(num_local_experts=n, num_experts_per_tok=2) for n in (4, 16))
    router = 2 * 3 * 64
    assert many["flops_per_token"] - few["flops_per_token"] == 12 * router
    assert many["parameters"] - few["parameters"] == 12 * 3 * (3 * 64 * 200 + 64)


def test_a_gguf_file_says_its_size_itself():
    path = checkpoint_files(smollm2_folder())[0]
    request = SizesRequest(Tokens(0, 30, 5, 30), checkpoint=path)
    measured = Sizes(**measure_sizes.measure(request.as_json()))
    assert (measured.num_hidden_layers, measured.hidden_size) == (30, 576)
    # The matrix of the tokens is that of the logits, too, and in the file once.
    in_file = GGUFReader(path).tensors
    assert measured.parameters == sum(int(tensor.n_elements) for tensor in in_file)


def test_a_checkpoint_s_own_code_is_run_only_if_it_is_trusted(tmp_path, monkeypatch):
    monkeypatch.setenv("RUN", str(tmp_path / "run"))
    own_code_llama(tmp_path / "own")
    path = tmp_path / "own/config.json"
    request = SizesRequest(Tokens(0, 30, 5, 30), checkpoint=path)
    with pytest.raises(InputError, match="not readable"):
        measure_sizes.measure(request.as_json())
    trusted = SizesRequest(Tokens(0, 30, 5, 30), checkpoint=path, trust_remote_code=True)
    model = Checkpoint(tmp_path / "own", trust_remote_code=True).model()
    assert measure_sizes.measure(trusted.as_json())["parameters"] == model.num_parameters()


def test_a_model_that_needs_values_is_planned_with_assumptions(tmp_path):
    tiny_config("xlnet").save_pretrained(tmp_path)
    request = SizesRequest(Tokens(10, 30, 5, 60), checkpoint=tmp_path / "config.json")
    measured = measure_sizes.measure(request.as_json())
    assert measured["cache"] == 60 * 2 * 4 * 32 * 4
    assert measured["activations"] > 0


@pytest.mark.parametrize(
    ("declared", "message"),
    [
        ({**SMALL, "hiden_size": 3}, "architecture: 'hiden_size' is no key of the config.json of"),
        ({**SMALL, "model_type": "lama"}, "architecture.model_type: 'lama' is none of the inst"),
        ({**SMALL, "rms_norm_eps": "x"}, "architecture: the library does not accept it: "),
        ({**SMALL, "num_attention_heads": 5}, "architecture: the library does not accept it: "),
    ],
)
def test_sizes_that_give_no_model_are_refused_in_one_line(declared, message, measured_here):
    with pytest.raises(InputError) as error:
        measured_sizes({"mine": SizesRequest(Tokens(0, 9, 5, 9), declared=declared)})
    assert str(error.value).startswith("models.mine")
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_a_checkpoint_that_is_not_as_declared_is_refused(tmp_path, measured_here):
    MixtralConfig(**SMALL, num_local_experts=4, intermediate_size=200).save_pretrained(tmp_path)

    def measure(**declared):
        path = tmp_path / "config.json"
        return measured_sizes(
            {"m": SizesRequest(Tokens(0, 9, 5, 9), "auto", False, path, declared)}
        )

    whole = {**SMALL, "model_type": "mixtral", "num_local_experts": 4, "intermediate_size": 200}
    assert measure(**whole)["m"].num_hidden_layers == 3
    with pytest.raises(InputError, match=r"models\.m\.architecture\.hidden_size: the config says"):
        measure(**{**whole, "hidden_size": 32})
    del whole["num_local_experts"]
    with pytest.raises(InputError, match=r"add keys of its config\.json \(num_local_experts\)"):
        measure(**whole)


def test_answers_are_kept_until_what_they_depend_on_changes(tmp_path, monkeypatch):
    """The program itself is started for the first, and for what is new."""
    started = []
    run = sizes.run_program
    monkeypatch.setattr(sizes, "run_program", lambda new: started.append(len(new)) or run(new))
    LlamaConfig(**SMALL).save_pretrained(tmp_path)
    cache, path = tmp_path / "kept/sizes.json", tmp_path / "config.json"
    requests = {
        "a": SizesRequest(Tokens(5, 9, 5, 20), checkpoint=path),
        "b": SizesRequest(Tokens(5, 9, 5, 20), "bfloat16", True, declared=SMALL),
        "again": SizesRequest(Tokens(5, 9, 5, 20), checkpoint=path),
    }
    first = measured_sizes(requests, cache)
    assert first["a"] == first["again"]
    assert (first["a"].dtype, first["b"].dtype) == ("float32", "bfloat16")
    assert first["a"].weights == pytest.approx(2 * first["b"].weights, rel=0.01)
    assert started == [2]
    assert measured_sizes(requests, cache) == first
    assert started == [2]
    monkeypatch.setattr(sizes, "run_program", lambda new: started.append(len(new)) or _here(new))
    LlamaConfig(**{**SMALL, "vocab_size": 500}).save_pretrained(tmp_path)
    assert measured_sizes(requests, cache)["a"].parameters < first["a"].parameters
    for damaged in ("", "[]", "{", json.dumps({"key": {"parameters": 1}})):
        cache.write_text(damaged)
        assert measured_sizes({"b": requests["b"]}, cache)["b"].weights == first["b"].weights
    assert started == [2, 1, 1, 1, 1, 1]


def test_a_model_that_does_not_run_without_values_is_planned_by_assumptions_that_are_named(
    measured_here,
):
    declared = {"model_type": "xlnet", "n_layer": 3, "d_model": 32, "n_head": 2, "vocab_size": 300}
    found = measured_sizes({"m": SizesRequest(Tokens(0, 9, 5, 9), declared=declared)})["m"]
    assert found.parameters > 0
    assert found.vocabulary == 300
    assert found.assumed.startswith("the model does not run on a row of text")


_here = measuring.run_program


def test_a_program_that_fails_is_one_line(monkeypatch):
    monkeypatch.setattr(sizes, "_PROGRAM", "no_such_program")
    with pytest.raises(InputError, match=r"ended with status 1 \(.*No module named no_such_prog"):
        sizes.run_program([{}])


def test_the_known_sizes_are_those_that_the_shipped_studies_measure():
    """What is known of each is what measuring it again gives."""
    asked = known_sizes.requests()
    known = json.loads(sizes.KNOWN.read_text())
    assert known.keys() == asked.keys(), "run `make sizes`"
    answers = sizes.run_program([request.as_json() for request in asked.values()])
    assert dict(zip(asked, answers, strict=True)) == known


def test_a_study_of_a_known_model_measures_nothing(monkeypatch):
    monkeypatch.setattr(sizes, "run_program", None)
    asked = known_sizes.requests()
    assert measured_sizes(asked).keys() == asked.keys()

"""Every weight of a model comes from its checkpoint, or the checkpoint is refused."""

import json

import pytest
from safetensors.torch import load_file, save_file
from support.checkpoints import random_gpt2

from think_to_talk.errors import InputError
from think_to_talk.models.loading import Checkpoint


@pytest.fixture
def folder(tmp_path):
    random_gpt2(tmp_path)
    return tmp_path


def rewrite(folder, change):
    weights = change(load_file(folder / "model.safetensors"))
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})


@pytest.mark.parametrize("prefix", ["module.", "_orig_mod."])
def test_keys_with_another_prefix_are_refused(folder, prefix):
    rewrite(folder, lambda weights: {prefix + key: value for key, value in weights.items()})
    with pytest.raises(InputError, match=f"missing .*; .* unexpected .*{prefix}"):
        Checkpoint(folder).model()


def test_a_missing_layer_is_refused(folder):
    rewrite(folder, lambda weights: {k: v for k, v in weights.items() if ".h.1." not in k})
    with pytest.raises(InputError, match=r"12 missing \(transformer\.h\.1\..*, …\)"):
        Checkpoint(folder).model()


def test_a_layer_too_many_is_refused(folder):
    extra = {"transformer.h.9.ln_1.weight": "transformer.h.0.ln_1.weight"}
    rewrite(
        folder,
        lambda weights: {**weights, **{new: weights[old].clone() for new, old in extra.items()}},
    )
    with pytest.raises(InputError, match=r"1 unexpected \(transformer\.h\.9\.ln_1\.weight\)"):
        Checkpoint(folder).model()


def test_weights_of_another_shape_are_refused(folder):
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "n_inner": 48}))
    with pytest.raises(InputError, match="of another shape"):
        Checkpoint(folder).model()


def test_an_index_of_half_of_the_weights_is_refused(folder):
    weights = load_file(folder / "model.safetensors")
    keys = sorted(weights)[: len(weights) // 2]
    (folder / "model.safetensors").unlink()
    save_file({key: weights[key] for key in keys}, folder / "a.safetensors", {"format": "pt"})
    index = {"metadata": {}, "weight_map": dict.fromkeys(keys, "a.safetensors")}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    with pytest.raises(InputError, match="missing"):
        Checkpoint(folder).model()


def test_an_adapter_beside_its_base_is_refused(folder):
    (folder / "adapter_config.json").write_text("{}")
    with pytest.raises(InputError, match=r"adapter_config\.json: .*merge_and_unload"):
        Checkpoint(folder).model()


def test_a_quantised_checkpoint_is_refused(folder):
    config = json.loads((folder / "config.json").read_text())
    quantised = {**config, "quantization_config": {"quant_method": "gptq", "bits": 4}}
    (folder / "config.json").write_text(json.dumps(quantised))
    with pytest.raises(InputError, match=r"quantization_config: 'gptq' found"):
        Checkpoint(folder).model()


def test_tied_weights_are_not_missing(folder):
    assert not any("lm_head" in key for key in load_file(folder / "model.safetensors"))
    Checkpoint(folder).model()

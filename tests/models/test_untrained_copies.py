"""Untrained copies: a checkpoint's architecture with random weights."""

import torch
from support.checkpoints import random_gpt2, smollm2_folder

from think_to_talk.models.loading import Checkpoint


def same_weights(first, second):
    """For each of the weights, whether two models have it in common."""
    pairs = zip(first.parameters(), second.parameters(), strict=True)
    return [torch.equal(a, b) for a, b in pairs]


def test_an_untrained_model_has_the_checkpoint_s_architecture_and_random_weights(tmp_path):
    random_gpt2(tmp_path)
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    checkpoint = Checkpoint(tmp_path).model()
    drawn, again, other = (Checkpoint(tmp_path, untrained_seed=seed).model() for seed in (1, 1, 2))
    names = [name for name, _ in checkpoint.named_parameters()]
    assert [name for name, _ in drawn.named_parameters()] == names
    assert all(same_weights(drawn, again))
    for model in (checkpoint, other):
        # Biases start as zeros, norms as ones.
        same = dict(zip(names, same_weights(drawn, model), strict=True))
        different = {name for name in names if not same[name]}
        assert {"transformer.wte.weight", "transformer.h.3.mlp.c_fc.weight"} <= different
    assert not drawn.training
    assert Checkpoint(tmp_path, "bfloat16", untrained_seed=1).model().dtype == torch.bfloat16
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_the_weights_of_the_checkpoint_are_not_read(tmp_path):
    random_gpt2(tmp_path)
    drawn = Checkpoint(tmp_path, untrained_seed=1).model()
    (tmp_path / "model.safetensors").write_bytes(b"no weights")
    assert all(same_weights(drawn, Checkpoint(tmp_path, untrained_seed=1).model()))


def test_a_gguf_file_has_an_untrained_copy_too():
    model = Checkpoint(smollm2_folder(), untrained_seed=1).model()
    assert model.config.num_hidden_layers == 30
    ids = Checkpoint(smollm2_folder()).tokenizer()("z = 4 - o", return_tensors="pt").input_ids
    assert model(ids).logits.shape == (1, ids.shape[1], 49152)

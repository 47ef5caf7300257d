"""Unpacked GGUF files: the checkpoint in safetensors is the same model, bit by bit."""

import json

import gguf
import pytest
import torch
from safetensors.torch import load_file
from support.checkpoints import smollm2_folder
from support.gguf_files import small_gguf
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from think_to_talk.errors import InputError
from think_to_talk.models.loading import Checkpoint
from think_to_talk.models.unpacking import unpack

TEXTS = ["A = 4 - 1, B = 3 + A, B = ?\n", "then the other <end> is\n\n<s>  the <|im_end|> ünd 12"]
CHAT = [{"role": "user", "content": "A = 1, A = ?"}, {"role": "assistant", "content": "A = 1"}]


@pytest.fixture
def small(tmp_path):
    small_gguf(tmp_path / "small.gguf")
    return tmp_path / "small.gguf"


def state(model):
    return {**dict(model.named_parameters()), **dict(model.named_buffers())}


def check(path, folder, dtype):
    """Whatever is loaded from the file and from what it is unpacked to is the same."""
    packed, unpacked = Checkpoint(path, dtype), Checkpoint(folder, dtype)
    unpack(packed, folder)
    models = [packed.model(), unpacked.model()]
    tensors = [state(model) for model in models]
    assert tensors[0].keys() == tensors[1].keys()
    for name, tensor in tensors[0].items():
        assert tensor.dtype == tensors[1][name].dtype
        assert torch.equal(tensor, tensors[1][name]), name
    tokenizers = [packed.tokenizer(), unpacked.tokenizer()]
    ids = [tokenizer(TEXTS).input_ids for tokenizer in tokenizers]
    assert ids[0] == ids[1]
    read = [[tokenizer.decode(each) for each in ids[0]] for tokenizer in tokenizers]
    assert read[0] == read[1]
    chats = [tokenizer.apply_chat_template(CHAT, tokenize=False) for tokenizer in tokenizers]
    assert chats[0] == chats[1] != ""
    first = torch.tensor([ids[0][0]])
    assert torch.equal(*(model(first).logits for model in models))
    assert packed.end_ids() == unpacked.end_ids() == [2]
    assert packed.revision == unpacked.revision == ""


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_an_unpacked_file_is_the_same_model_and_tokenizer(small, tmp_path, dtype):
    check(small, tmp_path / "unpacked", dtype)
    stored = load_file(tmp_path / "unpacked/model.safetensors")
    assert {str(tensor.dtype) for tensor in stored.values()} == {f"torch.{dtype}"}
    # Read by the file format's own library.
    [embedding] = [
        gguf.dequantize(tensor.data, tensor.tensor_type)
        for tensor in gguf.GGUFReader(small).tensors
        if tensor.name == "token_embd.weight"
    ]
    expected = torch.tensor(embedding).to(getattr(torch, dtype))
    assert torch.equal(stored["model.embed_tokens.weight"], expected)


@pytest.mark.thorough
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_smollm2_is_the_same(tmp_path, dtype):
    check(smollm2_folder(), tmp_path, dtype)


def test_an_untrained_copy_is_the_same(small, tmp_path):
    unpack(Checkpoint(small, "bfloat16"), tmp_path / "unpacked")
    models = [
        Checkpoint(path, "float32", untrained_seed=3).model()
        for path in (small, tmp_path / "unpacked")
    ]
    drawn, again = (state(model) for model in models)
    assert all(torch.equal(tensor, again[name]) for name, tensor in drawn.items())


def test_end_ids_beside_the_file_are_kept(small, tmp_path):
    path = small.with_name("generation_config.json")
    path.write_text(json.dumps({"eos_token_id": [2, 7]}))
    unpack(Checkpoint(small), tmp_path / "unpacked")
    assert Checkpoint(tmp_path / "unpacked").end_ids() == Checkpoint(small).end_ids() == [2, 7]


def wrong_weights(model, folder):
    with torch.no_grad():
        model.get_input_embeddings().weight[0, 0] += 1


def wrong_config(model, folder):
    path = folder / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "rms_norm_eps": 0.5}))


def wrong_end(model, folder):
    for name in ("config.json", "generation_config.json"):
        path = folder / name
        path.write_text(json.dumps({**json.loads(path.read_text()), "eos_token_id": 3}))


def wrong_tokens(tokenizer, folder):
    path = folder / "tokenizer.json"
    path.write_text(path.read_text().replace('"<end>"', '"<END>"'))


def wrong_template(tokenizer, folder):
    path = folder / "tokenizer_config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "chat_template": "{{ 1 }}"}))


def one_more_file(tokenizer, folder):
    (folder / "merges.txt").write_text("")


@pytest.mark.parametrize(
    ("kind", "fault", "differing"),
    [
        (PreTrainedModel, wrong_weights, "weights"),
        (PreTrainedModel, wrong_config, "config"),
        (PreTrainedModel, wrong_end, "end-of-sequence ids, config, generation config"),
        (PreTrainedTokenizerBase, wrong_tokens, "tokenizer"),
        (PreTrainedTokenizerBase, wrong_template, "tokenizer"),
        (PreTrainedTokenizerBase, one_more_file, "files"),
    ],
    ids=lambda value: getattr(value, "__name__", value),
)
def test_what_would_load_as_another_model_is_refused(
    small, tmp_path, monkeypatch, kind, fault, differing
):
    """Faults of saving, as a version of the library may have them."""
    save = kind.save_pretrained

    def faulty(self, folder, **options):
        save(self, folder, **options)
        fault(self, folder)

    monkeypatch.setattr(kind, "save_pretrained", faulty)
    with pytest.raises(InputError) as error:
        unpack(Checkpoint(small), tmp_path / "unpacked")
    assert str(error.value) == (
        f"{small}: written in safetensors, this GGUF file loads as another model (differing: "
        f"{differing}); use a checkpoint of the model in safetensors"
    )
    assert list((tmp_path / "unpacked").iterdir()) == []

"""Checkpoints on disk that were cut are named."""

import pytest
from checkpoints import random_gpt2

from think_to_talk.errors import InputError
from think_to_talk.models import load_model, load_tokenizer


@pytest.mark.parametrize(
    ("file", "load"),
    [
        ("model.safetensors", load_model),
        ("config.json", load_model),
        ("config.json", load_tokenizer),
        ("tokenizer.json", load_tokenizer),
    ],
)
def test_a_checkpoint_with_a_file_that_was_cut_is_named(tmp_path, file, load):
    random_gpt2(tmp_path, layers=1)
    load(tmp_path)
    content = (tmp_path / file).read_bytes()
    (tmp_path / file).write_bytes(content[: len(content) // 2])
    with pytest.raises(InputError, match=f"^{tmp_path}.*: not readable .* run again"):
        load(tmp_path)

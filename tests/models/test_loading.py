"""Checkpoints on disk: a damaged file is named; the configs say what ends a sequence."""

import json

import pytest
from support.checkpoints import random_gpt2, smollm2_folder

from think_to_talk.errors import InputError
from think_to_talk.models.loading import Checkpoint


@pytest.mark.parametrize(
    ("file", "load"),
    [
        ("model.safetensors", Checkpoint.model),
        ("config.json", Checkpoint.model),
        ("config.json", Checkpoint.tokenizer),
        ("tokenizer.json", Checkpoint.tokenizer),
    ],
)
def test_a_checkpoint_with_a_file_that_was_cut_is_named(tmp_path, file, load):
    random_gpt2(tmp_path, layers=1)
    load(Checkpoint(tmp_path))
    content = (tmp_path / file).read_bytes()
    (tmp_path / file).write_bytes(content[: len(content) // 2])
    with pytest.raises(InputError, match=f"^{tmp_path}.*: not readable .* run again"):
        load(Checkpoint(tmp_path))


@pytest.mark.parametrize(
    ("in_config", "in_generation_config", "expected"),
    [
        (None, None, []),
        (3, None, [3]),
        ([3, 7], None, [3, 7]),
        (None, 5, [5]),
        (3, [5, 3], [3, 5]),
    ],
)
def test_end_of_sequence_ids_are_those_of_both_configs(
    tmp_path, in_config, in_generation_config, expected
):
    random_gpt2(tmp_path, layers=1)
    for name, ends in (
        ("config.json", in_config),
        ("generation_config.json", in_generation_config),
    ):
        path = tmp_path / name
        path.write_text(json.dumps({**json.loads(path.read_text()), "eos_token_id": ends}))
    assert Checkpoint(tmp_path).end_ids() == expected
    (tmp_path / "generation_config.json").unlink()
    in_config = in_config if isinstance(in_config, list) else [in_config]
    assert Checkpoint(tmp_path).end_ids() == [end for end in in_config if end is not None]


def test_a_gguf_file_says_its_end_of_sequence_id():
    # <|im_end|>
    assert Checkpoint(smollm2_folder()).end_ids() == [2]

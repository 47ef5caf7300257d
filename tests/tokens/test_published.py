"""A tokenizer that the library loads otherwise than its files say is not used in silence."""

import json
import warnings

import pytest
from support.checkpoints import SIZES, byte_level, metaspace
from transformers import AutoTokenizer

from think_to_talk.errors import InputError
from think_to_talk.formulas.datasets import generate_splits
from think_to_talk.tokens.published import check_published


@pytest.fixture(scope="module")
def texts(tasks):
    rows = generate_splits(tasks["level-1"], SIZES, 42)["test"]
    return [row["source"] + row["target"] for row in rows]


def loaded(tokenizer, folder, **keys):
    """A tokenizer as the library loads it, after keys of its tokenizer_config.json have changed."""
    tokenizer.save_pretrained(folder)
    path = folder / "tokenizer_config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **keys}))
    return AutoTokenizer.from_pretrained(folder)


@pytest.mark.parametrize("build", [byte_level, metaspace])
@pytest.mark.parametrize("bos", [False, True])
def test_a_tokenizer_that_does_what_its_files_say_passes(texts, tmp_path, build, bos):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_published(loaded(build(texts, bos=bos), tmp_path), texts, "tokenizer")


def test_ids_that_differ_from_the_checkpoint_s_tokenizer_json_are_refused(texts, tmp_path):
    tokenizer = loaded(metaspace(texts), tmp_path, tokenizer_class="GPT2Tokenizer")
    with pytest.raises(InputError, match=r"tokenizer.json: token 0 of .* by GPT2Tokenizer, as"):
        check_published(tokenizer, texts, "none")


@pytest.mark.parametrize(("said", "adds"), [(True, "no"), (False, "a")])
def test_a_bos_token_against_the_config_is_named(texts, tmp_path, said, adds):
    """The library does not read the key where a tokenizer.json has a post-processor of its own."""
    tokenizer = loaded(byte_level(texts, bos=not said), tmp_path, add_bos_token=said)
    message = f"add_bos_token is {json.dumps(said)}, but the tokenizer adds {adds} BOS token"
    with pytest.warns(UserWarning, match=message):
        check_published(tokenizer, texts, "tokenizer")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_published(tokenizer, texts, "none")

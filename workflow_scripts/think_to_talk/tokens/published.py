"""Whether a loaded tokenizer does what its checkpoint's files say.

The library builds some tokenizers anew by the rules of a class that `tokenizer_config.json` names,
and does not always read every key of it. The tokens job asks here before it writes anything.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from think_to_talk.errors import InputError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


def check_published(tokenizer: PreTrainedTokenizerBase, texts: Sequence[str], bos: str) -> None:
    """Compare a tokenizer with the files that it was loaded from, where it has them.

    texts: with which the model is prompted.
    bos: as of `tokens.prompts.tokenize`.
    Raises InputError if ids differ from those of the checkpoint's tokenizer.json. Warns if it adds
    a BOS token, or none, against `add_bos_token` of tokenizer_config.json.
    """
    folder = Path(tokenizer.name_or_path)
    if (folder / "tokenizer.json").is_file():
        _check_ids(tokenizer, folder / "tokenizer.json", texts)
    config = folder / "tokenizer_config.json"
    if bos == "tokenizer" and config.is_file():
        said = json.loads(config.read_text(encoding="utf-8")).get("add_bos_token")
        adds = tokenizer.bos_token_id in tokenizer(texts[0])["input_ids"][:1]
        if said is not None and said != adds:
            warnings.warn(
                f"{config}: add_bos_token is {json.dumps(said)}, but the tokenizer adds "
                f"{'a' if adds else 'no'} BOS token, and so do the prompts; `bos: none` leaves "
                "out any",
                stacklevel=2,
            )


def _check_ids(tokenizer: PreTrainedTokenizerBase, file: Path, texts: Sequence[str]) -> None:
    """Raise InputError if ids of the texts differ from those of a tokenizer.json."""
    from tokenizers import Tokenizer

    published = Tokenizer.from_file(str(file))
    published.no_truncation()
    published.no_padding()
    expected = published.encode_batch(list(texts), add_special_tokens=False)
    found = tokenizer(list(texts), add_special_tokens=False)["input_ids"]
    for text, encoding, ids in zip(texts, expected, found, strict=True):
        if encoding.ids != ids:
            pairs = enumerate(zip(encoding.ids, ids, strict=False))
            place = next((i for i, (a, b) in pairs if a != b), min(len(encoding.ids), len(ids)))
            raise InputError(
                f"{file}: token {place} of {text[:40]!r} has the ids {encoding.ids[place:][:3]} by "
                f"this file, but {ids[place:][:3]} by {type(tokenizer).__name__}, as which the "
                "library loads it: in a copy of the checkpoint (kind: local), set tokenizer_class "
                "of tokenizer_config.json to PreTrainedTokenizerFast"
            )

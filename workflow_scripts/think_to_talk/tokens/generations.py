"""Generations as tokens: their text, and whether they align with the gold chain of thought.

`hidden_states.shards` and `interventions.inconsistent_chains` read here what a model wrote. Which
tokens end a generation is said by `tokens.stop_ids`, a module apart: a change to it, or to the
prompts that it needs, recomputes hidden states only if token shards change.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from itertools import accumulate
from typing import TYPE_CHECKING

from think_to_talk.formulas.symbols import symbol_spans

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


def textless_stops(tokenizer: PreTrainedTokenizerBase, stops: Iterable[int]) -> set[int]:
    """The stop ids that add no text to a generation: unlike a token such as `1⏎`.

    They may stand in place of the newline that ends a gold chain.
    """
    return {
        token
        for token in stops
        if not (text := _text(tokenizer, [token])).split("\n")[0].strip() or "\n" not in text
    }


def written_texts(
    tokenizer: PreTrainedTokenizerBase, generated: Sequence[list[int]], stops: Iterable[int]
) -> list[str]:
    """The text of each generation up to its newline or end-of-sequence token.

    generated: token ids of each generation, up to and including the token that ends it.
    stops: the ids that end a generation.
    """
    # Not every end-of-sequence token is marked as special in its tokenizer.
    last = {ids[-1] for ids in generated}.intersection(stops)
    ends = {token for token in last if "\n" not in _text(tokenizer, [token])}
    kept = [ids[:-1] if ids[-1] in ends else ids for ids in generated]
    texts = tokenizer.batch_decode(kept, skip_special_tokens=True)
    return [text.split("\n")[0].strip() for text in texts]


def is_aligned(
    tokenizer: PreTrainedTokenizerBase, generated: Sequence[int], gold: Sequence[int]
) -> bool:
    """Whether the tokens of a correct generation complete the same symbols as the gold chain's.

    Positions are then those of the gold chain, also where tokens differ in spaces. The token that
    ends the generation may be another one than the gold chain's.

    generated: ids of a generation with the text of the gold chain.
    gold: ids of the gold chain, up to its newline.
    """
    if len(generated) > len(gold):
        return False
    before_end = zip(generated[: len(gold) - 1], gold[:-1], strict=False)
    return all(
        written == wanted or _n_symbols(tokenizer, written) == _n_symbols(tokenizer, wanted)
        for written, wanted in before_end
    )


def generated_symbol_tokens(
    tokenizer: PreTrainedTokenizerBase, ids: Sequence[int], stops: Collection[int]
) -> list[int]:
    """The token that completes each symbol of a generation, up to its first newline.

    ids: of a generation, up to and including the token that ends it.
    stops: ids that end a generation. One without a newline stands for it.
    """
    prefixes = [_text(tokenizer, list(ids[: end + 1])) for end in range(len(ids))]
    line, newline, _ = prefixes[-1].partition("\n") if prefixes else ("", "", "")
    text = line + newline
    # Decoding a part of a text may leave out spaces at its beginning.
    read = list(accumulate((_n_visible(prefix) for prefix in prefixes), max))
    found = []
    for _, end in symbol_spans(text):
        needed = _n_visible(text[:end])
        found.append(next(token for token, n in enumerate(read) if n >= needed))
    if not newline and ids and ids[-1] in stops:
        found.append(len(ids) - 1)
    return found


def _n_visible(text: str) -> int:
    return len(text) - text.count(" ")


def _n_symbols(tokenizer: PreTrainedTokenizerBase, token: int) -> int:
    """How many characters of a token are symbols: all except spaces."""
    return len(_text(tokenizer, [token]).replace(" ", ""))


def _text(tokenizer: PreTrainedTokenizerBase, ids: list[int]) -> str:
    """Ids as text, without special tokens."""
    return str(tokenizer.decode(ids, skip_special_tokens=True))

"""Prompts as tokens, and the map from token positions to the symbols of the problem.

Tokenizers differ, the problem's symbols do not. Character offsets say which symbol each token
completes, so that the results of all models lie on one axis. Positions are counted over the
problem and its chain of thought; the few-shot examples and a BOS token before the problem are a
*prefix* that all rows of a task share.
"""

from __future__ import annotations

import json
import string
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from think_to_talk.errors import InputError
from think_to_talk.symbols import EITHER_OPERATOR, NEWLINE, NUMBER, variable_symbol

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

#: All that a problem and its chain of thought are written with, spaces left out.
SYMBOLS = string.ascii_lowercase + string.digits + "+-=,;?\n"
_SEPARATORS = ",;"
_OPERATORS = "+-"
_ROWS_PER_CALL = 256


@dataclass(frozen=True)
class Layout:
    """What is at each position, the same for all rows of a task.

    symbols: all symbols of problem and chain of thought, in writing order, with variables named
        A, B ... in definition order, numbers `#`, and `±` where rows differ in the operator.
    position_symbol: [positions] index of the symbol that the token completes or begins.
    completes: [positions] whether it completes that symbol (false for a lone space before it).
    n_problem: positions before the chain of thought; position n_problem is t = 0.
    """

    symbols: tuple[str, ...]
    position_symbol: tuple[int, ...]
    completes: tuple[bool, ...]
    n_problem: int

    @property
    def n_positions(self) -> int:
        """Positions of problem and gold chain of thought."""
        return len(self.position_symbol)

    @property
    def n_problem_symbols(self) -> int:
        """Symbols of the problem."""
        return self.symbols.index("?") + 1

    def equations(self) -> list[int]:
        """For each symbol the equation it is part of: 0 is the first of the chain of thought.

        Counted back from there the question is -1 and the problem's equations are -2, -3 ...
        A separator belongs to the equation before it.
        """
        numbers, current = [], 0
        for symbol in self.symbols:
            numbers.append(current)
            if symbol in _SEPARATORS or symbol == "?":
                current += 1
        first = numbers[self.n_problem_symbols]
        return [number - first for number in numbers]

    def dumps(self) -> str:
        """The layout as JSON, for a shard's metadata."""
        return json.dumps(asdict(self))

    @classmethod
    def loads(cls, text: str) -> Layout:
        """Read what `dumps` wrote."""
        fields: dict[str, Any] = json.loads(text)
        for name in ("symbols", "position_symbol", "completes"):
            fields[name] = tuple(fields[name])
        return cls(**fields)


@dataclass(frozen=True)
class TokenizedRow:
    """One row: token ids of the prefix, the problem and the gold chain of thought (to its end)."""

    prefix: tuple[int, ...]
    problem: tuple[int, ...]
    gold: tuple[int, ...]
    layout: Layout


def first_shots(context: str, shots: int | str) -> str:
    """The first `shots` examples, or `all`, of a few-shot context; each ends with a newline."""
    examples = context.splitlines(keepends=True)
    if shots == "all":
        return context
    assert isinstance(shots, int)
    if shots > len(examples):
        raise InputError(
            f"shots: {shots} examples are asked for, few_shot_context has {len(examples)}"
        )
    return "".join(examples[:shots])


def tokenize(
    tokenizer: PreTrainedTokenizerBase, rows: Sequence[Mapping[str, Any]], shots: int | str
) -> Iterator[TokenizedRow]:
    """Tokenize `rows` as prompts with `shots` examples (or `all`) and their gold continuation.

    Raises InputError where the prompt's tokens are not the beginning of the whole's, since
    decoding that starts from the prompt could then never produce the gold tokens.
    """
    if not tokenizer.is_fast:
        raise InputError(
            f"{type(tokenizer).__name__} gives no character offsets: a fast tokenizer "
            "(tokenizer.json) is needed"
        )
    for start in range(0, len(rows), _ROWS_PER_CALL):
        chunk = rows[start : start + _ROWS_PER_CALL]
        contexts = [first_shots(row.get("few_shot_context", ""), shots) for row in chunk]
        prompts = [context + row["source"] for context, row in zip(contexts, chunk, strict=True)]
        texts = [prompt + row["target"] for prompt, row in zip(prompts, chunk, strict=True)]
        whole = _encode(tokenizer, texts)
        alone = _encode(tokenizer, prompts)
        for row, context, (ids, spans), (prompt_ids, _) in zip(
            chunk, contexts, whole, alone, strict=True
        ):
            n_prompt = len(prompt_ids)
            if ids[:n_prompt] != prompt_ids:
                raise InputError(
                    f"row {row['source']!r}: its last tokens change when the chain of thought "
                    f"follows, {tokenizer.convert_ids_to_tokens(prompt_ids)} against "
                    f"{tokenizer.convert_ids_to_tokens(ids[:n_prompt])}"
                )
            n_prefix = next(i for i, (_, end) in enumerate(spans) if end > len(context))
            yield TokenizedRow(
                prefix=tuple(ids[:n_prefix]),
                problem=tuple(ids[n_prefix:n_prompt]),
                gold=tuple(ids[n_prompt:]),
                layout=_lay_out(
                    row,
                    [(start - len(context), end - len(context)) for start, end in spans[n_prefix:]],
                    n_prompt - n_prefix,
                ),
            )


def _encode(
    tokenizer: PreTrainedTokenizerBase, texts: list[str]
) -> list[tuple[list[int], list[tuple[int, int]]]]:
    """Ids and character spans of each text, without special tokens that a tokenizer appends."""
    encoded = tokenizer(texts, return_offsets_mapping=True, return_special_tokens_mask=True)
    result = []
    for ids, spans, special in zip(
        encoded["input_ids"],
        encoded["offset_mapping"],
        encoded["special_tokens_mask"],
        strict=True,
    ):
        end = len(ids)
        while end and special[end - 1] and spans[end - 1][0] == spans[end - 1][1]:
            end -= 1
        result.append((ids[:end], spans[:end]))
    return result


def _lay_out(row: Mapping[str, Any], spans: list[tuple[int, int]], n_problem: int) -> Layout:
    """The layout of one row, its operators as they are. Spans are relative to the problem."""
    text = row["source"] + row["target"]
    names = {
        question.split()[0]: variable_symbol(i)
        for i, question in enumerate(row["intermediate_questions"])
    }
    places = [i for i, character in enumerate(text) if character != " "]
    symbol_at = {place: i for i, place in enumerate(places)}
    symbols = [_canonical(text[place], names) for place in places]
    position_symbol: list[int] = []
    completing: dict[int, int] = {}
    begun = 0
    for position, (start, end) in enumerate(spans):
        within = [symbol_at[i] for i in range(max(start, 0), end) if i in symbol_at]
        if within:
            completing[within[-1]] = position
            begun = within[-1] + 1
        position_symbol.append(within[-1] if within else min(begun, len(symbols) - 1))
    return Layout(
        symbols=tuple(symbols),
        position_symbol=tuple(position_symbol),
        completes=tuple(completing.get(s) == p for p, s in enumerate(position_symbol)),
        n_problem=n_problem,
    )


def _canonical(character: str, names: Mapping[str, str]) -> str:
    if character == "\n":
        return NEWLINE
    if character.isdigit():
        return NUMBER
    return names.get(character, character)


def align(
    tokenizer: PreTrainedTokenizerBase,
    rows: Sequence[Mapping[str, Any]],
    tokenized: Sequence[TokenizedRow],
) -> Layout:
    """The one layout of all rows of a task.

    Raises InputError naming rows and tokens that differ from the layout most rows have, or
    rows with another prefix.
    """
    keys = [
        (row.prefix, row.layout.position_symbol, row.layout.n_problem, _shape(row.layout.symbols))
        for row in tokenized
    ]
    usual, _ = Counter(keys).most_common(1)[0]
    odd = [i for i, key in enumerate(keys) if key != usual]
    if odd:
        reference = keys.index(usual)
        raise InputError(
            f"{len(odd)} of {len(rows)} rows have other positions (or another few_shot_context) "
            "than the rest; rows of one task must tokenize alike: "
            + "; ".join(
                f"row {i} {rows[i]['source']!r} is {_tokens(tokenizer, tokenized[i])}"
                for i in odd[:3]
            )
            + f"; expected a layout as of row {reference} {rows[reference]['source']!r}, "
            + f"{_tokens(tokenizer, tokenized[reference])}"
        )
    layout = tokenized[0].layout
    symbols = tuple(
        column[0] if len(set(column)) == 1 else EITHER_OPERATOR
        for column in zip(*(row.layout.symbols for row in tokenized), strict=True)
    )
    return Layout(symbols, layout.position_symbol, layout.completes, layout.n_problem)


def _shape(symbols: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(EITHER_OPERATOR if symbol in _OPERATORS else symbol for symbol in symbols)


def _tokens(tokenizer: PreTrainedTokenizerBase, row: TokenizedRow) -> list[str]:
    return list(tokenizer.convert_ids_to_tokens([*row.problem, *row.gold]))


def newline_tokens(tokenizer: PreTrainedTokenizerBase) -> list[int]:
    """Ids of all tokens that contain a newline: greedy decoding ends at any of them."""
    texts = tokenizer.batch_decode([[i] for i in range(len(tokenizer))])
    return [i for i, text in enumerate(texts) if "\n" in text]

"""Prompts as tokens, and the map from token positions to the symbols of the problem.

Tokenizers differ, but the symbols of a problem do not. Character offsets show which symbol each
token completes, so the results of all models share one axis. Positions are counted over the problem
and its chain of thought; the few-shot examples and a BOS token before the problem are a *prefix*
that all rows of a task share. Rows come from `formulas`; `tokens.write_shards` stores the result,
and `interventions` tokenizes its pairs here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from think_to_talk.errors import InputError
from think_to_talk.formulas.rows import first_shots
from think_to_talk.formulas.symbols import (
    EITHER_OPERATOR,
    NEWLINE,
    NUMBER,
    symbol_spans,
    variable_symbol,
)
from think_to_talk.tokens.chat import Chat, rendered_rows
from think_to_talk.tokens.layout import Layout
from think_to_talk.tokens.offsets import Span, encode
from think_to_talk.tokens.spans import lay_out_spans

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

_OPERATORS = "+-"

_ROWS_PER_CALL = 256


@dataclass(frozen=True)
class TokenizedRow:
    """Token ids of one row.

    prefix: few-shot examples and BOS, and what a chat template puts before the problem.
    problem: up to the question's `=?`, and what a chat template puts behind it.
    gold: the gold chain of thought and the newline, or the end of turn, that ends it.
    layout: the symbol at each position of problem and gold.
    """

    prefix: tuple[int, ...]
    problem: tuple[int, ...]
    gold: tuple[int, ...]
    layout: Layout


def tokenize(
    tokenizer: PreTrainedTokenizerBase,
    rows: Sequence[Mapping[str, Any]],
    shots: int | str,
    bos: str = "tokenizer",
    chat: Chat | None = None,
) -> Iterator[TokenizedRow]:
    """Tokenize rows as prompts with their gold chains of thought.

    rows: of a dataset.
    shots: few-shot examples per prompt, or `all`.
    bos: `tokenizer` to keep the special tokens that the tokenizer puts before a text, or `none`.
    chat: how a model is prompted by its chat template; None for raw text.
    Raises InputError if the tokenizer has no token for a part of a row, if tokens do not stand in
    the order of the text, or if the tokens of a prompt are not the first tokens of prompt and chain
    together: decoding from the prompt could then never produce the gold tokens.
    """
    if not tokenizer.is_fast:
        raise InputError(
            f"{type(tokenizer).__name__} gives no character offsets: a fast tokenizer "
            "(tokenizer.json) is needed"
        )
    for start in range(0, len(rows), _ROWS_PER_CALL):
        chunk = rows[start : start + _ROWS_PER_CALL]
        contexts = [first_shots(row.get("few_shot_context", ""), shots) for row in chunk]
        if chat:
            yield from _tokenize_chats(tokenizer, chunk, contexts, chat)
            continue
        prompts = [context + row["source"] for context, row in zip(contexts, chunk, strict=True)]
        texts = [prompt + row["target"] for prompt, row in zip(prompts, chunk, strict=True)]
        whole = encode(tokenizer, texts, bos)
        without_chain = encode(tokenizer, prompts, bos)
        for row, context, (ids, spans), (prompt_ids, _) in zip(
            chunk, contexts, whole, without_chain, strict=True
        ):
            _check_known(tokenizer, row, context + row["source"] + row["target"], ids, spans)
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
                layout=lay_out(
                    row,
                    [(start - len(context), end - len(context)) for start, end in spans[n_prefix:]],
                    n_prompt - n_prefix,
                ),
            )


def _tokenize_chats(
    tokenizer: PreTrainedTokenizerBase,
    rows: Sequence[Mapping[str, Any]],
    contexts: Sequence[str],
    chat: Chat,
) -> Iterator[TokenizedRow]:
    """As of `tokenize`; contexts: the few-shot examples of each row."""
    for row, found in zip(rows, rendered_rows(tokenizer, rows, contexts, chat), strict=True):
        _check_known(tokenizer, row, found.text, found.ids, found.spans)
        yield TokenizedRow(
            prefix=tuple(found.ids[: found.n_prefix]),
            problem=tuple(found.ids[found.n_prefix : found.n_prompt]),
            gold=tuple(found.ids[found.n_prompt :]),
            layout=lay_out(row, found.row_spans, found.n_prompt - found.n_prefix),
        )


def _check_known(
    tokenizer: PreTrainedTokenizerBase,
    row: Mapping[str, Any],
    text: str,
    ids: list[int],
    spans: Sequence[Span],
) -> None:
    """Raise InputError, which names the row, if a part of its text became the unknown token.

    Some tokenizers use one token as unknown and BOS, so tokens that cover no text are ignored.
    """
    # Asked once: the library takes microseconds to find it, which every token would pay.
    unknown_id = tokenizer.unk_token_id
    if unknown_id not in ids:
        return
    unknown = {
        text[start:end]
        for token, (start, end) in zip(ids, spans, strict=True)
        if token == unknown_id and end > start
    }
    if unknown:
        raise InputError(
            f"row {row['source']!r}: the tokenizer has no token for {sorted(unknown)} and writes "
            f"{tokenizer.unk_token!r}; different symbols would become one: use another "
            "model, or other symbols in the task"
        )


def lay_out(
    row: Mapping[str, Any], spans: Sequence[tuple[int, int] | None], n_problem: int
) -> Layout:
    """The layout of one row, in which operators are not yet merged to `±`.

    row: `source`, `target`, `intermediate_questions` and, of a worded task, `operator_words` of a
        dataset row, or a row of free text.
    spans: [positions] (start, end) of each token in characters, relative to the problem's start;
        None for tokens of a chat template.
    n_problem: positions before the chain of thought.
    Raises InputError if no token ends with a span of free text.
    """
    if "spans" in row:
        return lay_out_spans(row, spans, n_problem)
    text = row["source"] + row["target"]
    names = {
        question.split()[0]: variable_symbol(i)
        for i, question in enumerate(row["intermediate_questions"])
    } | row.get("operator_words", {})
    places = tuple(symbol_spans(text))
    position_symbol, completes = _symbols_of_tokens(places, tuple(spans))
    return Layout(
        symbols=tuple(_canonical(text[start:end], names) for start, end in places),
        position_symbol=position_symbol,
        completes=completes,
        n_problem=n_problem,
    )


@lru_cache(maxsize=64)
def _symbols_of_tokens(
    places: tuple[tuple[int, int], ...], spans: tuple[tuple[int, int] | None, ...]
) -> tuple[tuple[int | None, ...], tuple[bool, ...]]:
    """The symbol of each token, and whether the token completes it; most rows of a task agree.

    places: [symbols] (start, end) of each symbol, in characters from the problem's start.
    spans: as of `lay_out`.
    A token that begins or goes on with a symbol, and completes none, stands at that symbol.
    """
    symbol_at = {end - 1: i for i, (_, end) in enumerate(places)}
    position_symbol: list[int | None] = []
    completing: dict[int, int] = {}
    next_symbol = 0
    for position, span in enumerate(spans):
        if span is None:
            position_symbol.append(None)
            continue
        start, end = span
        ended = [symbol_at[i] for i in range(max(start, 0), end) if i in symbol_at]
        if ended:
            completing[ended[-1]] = position
            next_symbol = ended[-1] + 1
        position_symbol.append(ended[-1] if ended else min(next_symbol, len(places) - 1))
    completes = tuple(
        s is not None and completing.get(s) == p for p, s in enumerate(position_symbol)
    )
    return tuple(position_symbol), completes


def _canonical(symbol: str, names: Mapping[str, str]) -> str:
    if symbol == "\n":
        return NEWLINE
    if symbol.isdigit():
        return NUMBER
    return names.get(symbol, symbol)


def align(
    tokenizer: PreTrainedTokenizerBase,
    rows: Sequence[Mapping[str, Any]],
    tokenized: Sequence[TokenizedRow],
) -> Layout:
    """The layout that all rows of a task share.

    rows: of the task's dataset.
    tokenized: the same rows, tokenized.
    Raises InputError, which names rows and tokens, if a row differs from the most frequent layout
    or prefix.
    """
    keys = [
        (row.prefix, row.layout.position_symbol, row.layout.n_problem, shape(row.layout.symbols))
        for row in tokenized
    ]
    usual, _ = Counter(keys).most_common(1)[0]
    others = [i for i, key in enumerate(keys) if key != usual]
    if others:
        reference = keys.index(usual)
        raise InputError(
            f"{len(others)} of {len(rows)} rows have other positions (or another few_shot_context) "
            "than the rest; rows of one task must tokenize alike: "
            + "; ".join(
                f"row {i} {rows[i]['source']!r} is {_tokens(tokenizer, tokenized[i])}"
                for i in others[:3]
            )
            + f"; expected a layout as of row {reference} {rows[reference]['source']!r}, "
            + f"{_tokens(tokenizer, tokenized[reference])}"
        )
    layout = tokenized[0].layout
    symbols = merged_symbols(tokenized)
    return Layout(symbols, layout.position_symbol, layout.completes, layout.n_problem)


def merged_symbols(tokenized: Sequence[TokenizedRow]) -> tuple[str, ...]:
    """The symbols that rows share, `±` where they differ in the operator."""
    return tuple(
        column[0] if len(set(column)) == 1 else EITHER_OPERATOR
        for column in zip(*(row.layout.symbols for row in tokenized), strict=True)
    )


def shape(symbols: tuple[str, ...]) -> tuple[str, ...]:
    """The symbols of a row, `±` for either operator."""
    return tuple(EITHER_OPERATOR if symbol in _OPERATORS else symbol for symbol in symbols)


def _tokens(tokenizer: PreTrainedTokenizerBase, row: TokenizedRow) -> list[str]:
    return list(tokenizer.convert_ids_to_tokens([*row.problem, *row.gold]))

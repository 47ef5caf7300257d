"""Tasks whose rows do not tokenize alike: positions are symbols, and each row has its own tokens.

A word or a number may take one token in one row and two in another. Then a position of the task is
a symbol, and its hidden state is that of the token that completes it, row by row. A symbol that
shares its last token with a later one in some row has no position. Tasks whose rows all tokenize
alike have a position per token (`tokens.prompts.align`). The positions of free text are its spans
(`tokens.spans`). `tokens.write_shards` stores the tokens of a symbol, and `hidden_states.ragged`
picks the hidden states.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from think_to_talk.errors import InputError
from think_to_talk.formulas.spans import axis
from think_to_talk.formulas.symbols import NUMBER
from think_to_talk.tokens.layout import Layout
from think_to_talk.tokens.prompts import TokenizedRow, align, merged_symbols, shape
from think_to_talk.tokens.spans import span_texts

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

Rows = Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class TaskLayout:
    """The layout of a task, and where its positions are in each row.

    layout: of tokens, or of symbols where rows do not tokenize alike.
    symbol_token: [rows][positions] the token that completes each position's symbol, counted from
        the problem's first token; None if rows tokenize alike: a position is a token.
    marked: of free text, the spans of the first row; None of other tasks.
    """

    layout: Layout
    symbol_token: list[list[int]] | None = None
    marked: list[str] | None = None

    @classmethod
    def of(
        cls, tokenizer: PreTrainedTokenizerBase, rows: Rows, tokenized: Sequence[TokenizedRow]
    ) -> TaskLayout:
        """The layout that all rows share, token by token or else symbol by symbol.

        rows: of the task's dataset.
        tokenized: the same rows, tokenized.
        Raises InputError, as `align` does, if rows differ in their symbols or in their prefix.
        """
        first = tokenized[0]
        if first.layout.numbers is not None:
            return cls._of_spans(rows, tokenized)
        same_tokens = all(
            (row.layout.position_symbol, row.layout.n_problem)
            == (first.layout.position_symbol, first.layout.n_problem)
            for row in tokenized
        )
        same_symbols = all(
            (row.prefix, shape(row.layout.symbols)) == (first.prefix, shape(first.layout.symbols))
            for row in tokenized
        )
        if same_tokens or not same_symbols:
            return cls(align(tokenizer, rows, tokenized))
        if None in first.layout.position_symbol:
            raise InputError(
                f"rows do not tokenize alike: a name or a number takes {_n_tokens(tokenized)} "
                "tokens, and prompt: chat needs rows that do: set prompt: raw, or names and values "
                "of one token each"
            )
        completing = [completing_tokens(row.layout) for row in tokenized]
        common = sorted(set.intersection(*map(set, completing)))
        layout = Layout(
            symbols=merged_symbols(tokenized),
            position_symbol=tuple(common),
            completes=(True,) * len(common),
            n_problem=sum(symbol < first.layout.n_problem_symbols for symbol in common),
        )
        return cls(layout, [[of_row[symbol] for symbol in common] for of_row in completing])

    @classmethod
    def _of_spans(cls, rows: Rows, tokenized: Sequence[TokenizedRow]) -> TaskLayout:
        """The layout of free text, whose positions are its spans. Raises as `of`."""
        first = tokenized[0]
        for number, (row, of_row) in enumerate(zip(rows, tokenized, strict=True)):
            if axis(row["spans"]) != axis(rows[0]["spans"]):
                raise InputError(
                    f"row {number} {row['source'][:60]!r} has other labels or equations of spans "
                    f"than row 0 {rows[0]['source'][:60]!r}; the rows of a task share one axis, "
                    "also those of both splits"
                )
            if of_row.prefix != first.prefix:
                raise InputError(
                    f"row {number} {row['source'][:60]!r} has another few_shot_context than row 0 "
                    f"{rows[0]['source'][:60]!r}; expected the same in all rows of a task"
                )
        n = len(first.layout.symbols)
        layout = replace(first.layout, position_symbol=tuple(range(n)), completes=(True,) * n)
        layout = replace(layout, n_problem=layout.n_problem_symbols)
        completing = [completing_tokens(row.layout) for row in tokenized]
        tokens = [[of_row[span] for span in range(n)] for of_row in completing]
        return cls(layout, tokens, span_texts(rows[0]))

    def texts(self, tokens: Sequence[str]) -> list[str]:
        """[positions] the tokens of the first row as text: of a symbol, all up to its last.

        tokens: of the first row; of free text, the spans are returned.
        """
        if self.marked is not None:
            return self.marked
        if self.symbol_token is None:
            return list(tokens)
        ends = [token + 1 for token in self.symbol_token[0]]
        return ["".join(tokens[start:end]) for start, end in zip([0, *ends], ends, strict=False)]


def completing_tokens(layout: Layout) -> dict[int, int]:
    """{symbol: the token that completes it and no later one}."""
    tokens = enumerate(zip(layout.position_symbol, layout.completes, strict=True))
    return {s: token for token, (s, completes) in tokens if completes and s is not None}


def align_whole(
    tokenizer: PreTrainedTokenizerBase,
    rows: Rows,
    tokenized: Sequence[TokenizedRow],
    switch: str,
) -> Layout:
    """The layout of rows that tokenize alike, token by token, with numbers of one token each.

    switch: the config's key that asks for such rows, for messages.
    Raises InputError, without the model's name, if they do not tokenize so.
    """
    layouts = TaskLayout.of(tokenizer, rows, tokenized)
    if layouts.symbol_token is not None:
        raise InputError(
            f"rows do not tokenize alike: a name or a number takes {_n_tokens(tokenized)} tokens; "
            f"{switch} reads tokens at the same place in all rows: set {switch}: false, or study "
            "the task in a run of its own"
        )
    check_whole_numbers(tokenizer, tokenized[0], switch)
    return layouts.layout


def check_whole_numbers(tokenizer: PreTrainedTokenizerBase, row: TokenizedRow, switch: str) -> None:
    """Raise InputError if a number takes several tokens; switch: as of `align_whole`."""
    if splits_numbers(tokenizer, row):
        raise InputError(
            "a number takes several tokens; "
            f"{switch} reads numbers of one token: set {switch}: false, or study the task in "
            "a run of its own"
        )


def splits_numbers(tokenizer: PreTrainedTokenizerBase, row: TokenizedRow) -> bool:
    """Whether a number of a row takes several tokens, a lone space before it left out."""
    layout = row.layout
    tokens = zip((*row.problem, *row.gold), layout.position_symbol, layout.completes, strict=True)
    return any(
        not completes
        and symbol is not None
        and layout.symbols[symbol] == NUMBER
        and str(tokenizer.decode([token])).strip().isdigit()
        for token, symbol, completes in tokens
    )


def _n_tokens(tokenized: Sequence[TokenizedRow]) -> str:
    """The numbers of tokens that the first symbol takes at which rows differ, as text."""
    for symbol in range(len(tokenized[0].layout.symbols)):
        counts = {row.layout.position_symbol.count(symbol) for row in tokenized}
        if len(counts) > 1:
            return " or ".join(map(str, sorted(counts)))
    return "several"

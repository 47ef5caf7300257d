"""Tasks whose rows do not tokenize alike: positions are symbols, and each row has its own tokens.

A word or a number may take one token in one row and two in another. Then a position of the task is
a symbol, and its hidden state is that of the token that completes it, row by row. A symbol that
shares its last token with a later one in some row has no position. Most tokenizers write a lone
space before a number: the model produces the number's first digit there, so the space has a
position before the number's, if all rows have it. The tokens of a chat template between problem and
chain of thought have positions of their own, as ever. Tasks whose rows all tokenize alike have a
position per token (`tokens.prompts.align`). The positions of free text are its spans
(`tokens.spans`). `tokens.write_shards` stores the tokens of the positions, and
`hidden_states.ragged` picks the hidden states.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from think_to_talk.errors import InputError
from think_to_talk.formulas.spans import axis
from think_to_talk.formulas.symbols import NUMBER
from think_to_talk.tokens.blank_tokens import blank_tokens
from think_to_talk.tokens.layout import Layout
from think_to_talk.tokens.prompts import TokenizedRow, align, merged_symbols, shape
from think_to_talk.tokens.spans import span_texts
from think_to_talk.tokens.task_positions import TaskPositions, lone_spaces

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

Rows = Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class TaskLayout:
    """The layout of a task, and where its positions are in each row.

    layout: of tokens, or of symbols where rows do not tokenize alike.
    symbol_token: [rows][positions] the token that completes each position's symbol, or that of the
        lone space or of the chat template there, counted from the problem's first token; None if
        rows tokenize alike: a position is a token.
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
        n_template = {row.layout.position_symbol.count(None) for row in tokenized}
        if len(n_template) > 1:
            counts = " or ".join(map(str, sorted(n_template)))
            raise InputError(
                f"the chat template writes {counts} tokens between a problem and its chain of "
                "thought, expected as many in all rows of a task; set prompt: raw"
            )
        common = sorted(
            set.intersection(*(set(row.layout.completing_tokens()) for row in tokenized))
        )
        spaces = _lone_spaces(tokenizer, tokenized, common)
        n_symbols = first.layout.n_problem_symbols
        of_symbols = [s for symbol in common for s in [symbol] * (spaces[symbol] + 1)]
        in_problem = [symbol for symbol in of_symbols if symbol < n_symbols]
        positions = [*in_problem, *[None] * n_template.pop(), *of_symbols[len(in_problem) :]]
        layout = Layout(
            symbols=merged_symbols(tokenized),
            position_symbol=tuple(positions),
            completes=tuple(
                symbol is not None and symbol != later
                for symbol, later in zip(positions, [*positions[1:], None], strict=True)
            ),
            n_problem=len(positions) - len(of_symbols) + len(in_problem),
        )
        return cls(layout, _symbol_tokens(layout, tokenized))

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
        return cls(layout, _symbol_tokens(layout, tokenized), span_texts(rows[0]))

    @property
    def positions(self) -> TaskPositions:
        """The positions of a task that has these rows alone."""
        return TaskPositions(self.layout, self.symbol_token is not None)

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


def _symbol_tokens(layout: Layout, tokenized: Sequence[TokenizedRow]) -> list[list[int]]:
    """[rows][positions] the tokens of rows at positions that are symbols; layout: of the task."""
    positions = TaskPositions(layout, are_symbols=True)
    return [list(positions.tokens(row.layout)) for row in tokenized]


def _lone_spaces(
    tokenizer: PreTrainedTokenizerBase, tokenized: Sequence[TokenizedRow], symbols: Sequence[int]
) -> dict[int, int]:
    """{symbol: tokens at its beginning that are spaces alone}; none where rows differ in them.

    tokenized: the rows.
    symbols: those that have a position.
    """
    parts = {
        token
        for row in tokenized
        for token, completes in zip((*row.problem, *row.gold), row.layout.completes, strict=True)
        if not completes
    }
    blank = blank_tokens(tokenizer, parts)
    of_rows = [lone_spaces(row, blank) for row in tokenized]
    counts = {symbol: {of_row[symbol] for of_row in of_rows} for symbol in symbols}
    return {symbol: n.pop() if len(n) == 1 else 0 for symbol, n in counts.items()}


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

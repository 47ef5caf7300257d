"""A task's gold chains of thought as token ids, whole and cut after each equation.

`formulas.cuts` cuts the chains. What is asked of a model at the cuts are `cut_prompts` where rows
tokenize alike and numbers are single tokens, and else `number_prompts`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from think_to_talk.formulas.cuts import CutTexts, cut_examples, cut_row, n_cuts
from think_to_talk.formulas.rows import first_shots
from think_to_talk.formulas.symbols import SEPARATORS
from think_to_talk.tokens.chat import Chat
from think_to_talk.tokens.prompts import TokenizedRow, tokenize
from think_to_talk.tokens.ragged import TaskLayout, splits_numbers
from think_to_talk.tokens.task_positions import TaskPositions

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

Rows = Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class Chains:
    """The rows of a task, their few-shot examples cut, and their tokens.

    tokenizer, bos, chat: as of `tokens.prompts.tokenize`.
    rows: of the dataset; examples are those that are shown.
    tokenized: problems and whole chains.
    positions: of the task.
    texts: of cut chains in words; None of symbols.
    """

    tokenizer: PreTrainedTokenizerBase
    bos: str
    chat: Chat | None
    rows: Rows
    tokenized: Sequence[TokenizedRow]
    positions: TaskPositions
    texts: CutTexts | None = None

    @classmethod
    def of(
        cls,
        tokenizer: PreTrainedTokenizerBase,
        rows: Rows,
        shots: int | str,
        bos: str = "tokenizer",
        seed: int = 0,
        chat: Chat | None = None,
        texts: CutTexts | None = None,
        positions: TaskPositions | None = None,
    ) -> Chains:
        """Tokenize the rows of a task.

        shots: as of `tokens.prompts.tokenize`; the examples are cut as well.
        seed: of the places where the examples are cut.
        texts: of cut chains in words; None of symbols.
        positions: of the task; None for those that these rows have.
        Raises InputError if rows differ in their symbols or in their prefix.
        """
        contexts = [first_shots(row.get("few_shot_context", ""), shots) for row in rows]
        cut = {context: cut_examples(context, seed, texts) for context in set(contexts)}
        shown = [
            {**row, "few_shot_context": cut[context]}
            for row, context in zip(rows, contexts, strict=True)
        ]
        tokenized = list(tokenize(tokenizer, shown, "all", bos, chat))
        own = TaskLayout.of(tokenizer, shown, tokenized).positions
        return cls(tokenizer, bos, chat, shown, tokenized, positions or own, texts)

    @property
    def have_single_tokens(self) -> bool:
        """Whether all rows tokenize alike, and each number is a token."""
        are_tokens = not self.positions.are_symbols
        return are_tokens and not splits_numbers(self.tokenizer, self.tokenized[0])

    @property
    def n_cuts(self) -> int:
        """The places where the chains can be cut."""
        return n_cuts(self.rows[0])

    def cut(self, equations: int) -> tuple[Rows, list[TokenizedRow]]:
        """The rows with chains that are cut after so many equations, and their tokens."""
        rows = [cut_row(row, equations, self.texts) for row in self.rows]
        return rows, list(tokenize(self.tokenizer, rows, "all", self.bos, self.chat))

    def place(self, equations: int) -> dict[str, Any]:
        """Where the last token of an equation of the chain is, as keys of probe rows.

        For no equation, it is the last token before the chain.
        """
        layout = self.positions.layout
        if equations == 0:
            return layout.place(layout.n_problem - 1)
        numbers = layout.equations()
        last = max(
            s
            for s, n in enumerate(numbers)
            if n == equations - 1 and layout.symbols[s] not in SEPARATORS
        )
        # A token may complete the separator, too.
        return layout.place(layout.position_of(last))

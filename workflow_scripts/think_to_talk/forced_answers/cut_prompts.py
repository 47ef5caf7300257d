"""Prompts that end with ` ; z =`, after each equation of the gold chain, as token ids.

`formulas.cuts` cuts the chains; `forced_answers.reading` reads the next token of each prompt. A cut
prompt is what the tokenizer makes of the whole cut text, up to the token of its answer, so that it
has the tokens that it would have anywhere.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from think_to_talk.formulas.cuts import cut_examples, cut_row, n_cuts
from think_to_talk.formulas.rows import first_shots
from think_to_talk.formulas.symbols import N_CLASSES, NUMBER, SEPARATORS
from think_to_talk.tokens.chat import Chat
from think_to_talk.tokens.digits import DigitTokens
from think_to_talk.tokens.layout import Layout
from think_to_talk.tokens.prompts import TokenizedRow, tokenize
from think_to_talk.tokens.ragged import align_whole

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

Rows = Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class Cut:
    """One cut of the chains of all rows.

    equations: that are kept.
    kept: tokens of the gold chain that the cut prompts begin with.
    suffix: [rows, tokens] ids behind them, the last of which stands before the answer.
    place: where it is, as keys of probe rows: at the last token of the last equation that is kept,
        or before the chain, of the problem or of a chat template behind it.
    """

    equations: int
    kept: int
    suffix: torch.Tensor
    place: Mapping[str, Any]


@dataclass(frozen=True)
class CutPrompts:
    """The prompts of a task's rows.

    prefix: ids of the few-shot examples, the same for all.
    ids: [rows, positions] of problem and gold chain.
    n_problem: positions of the problem.
    cuts: in the order of the equations that are kept.
    digits: the tokens of the ten digits, as they stand in any of the cut chains.
    """

    prefix: tuple[int, ...]
    ids: torch.Tensor
    n_problem: int
    cuts: tuple[Cut, ...]
    digits: DigitTokens

    @classmethod
    def of(
        cls,
        tokenizer: PreTrainedTokenizerBase,
        rows: Rows,
        shots: int | str,
        bos: str = "tokenizer",
        seed: int = 0,
        chat: Chat | None = None,
        n_classes: int = N_CLASSES,
    ) -> CutPrompts:
        """Cut and tokenize the rows of a task.

        shots, bos, chat: as of `tokens.prompts.tokenize`; the examples are cut as well.
        seed: of the places where the examples are cut.
        n_classes: values of the task's variables, from 0 on.
        Raises InputError if the rows do not all have the same layout, or if a digit of a chain has
        no token of its own.
        """
        contexts = [first_shots(row.get("few_shot_context", ""), shots) for row in rows]
        cut = {context: cut_examples(context, seed) for context in set(contexts)}
        shown = [
            {**row, "few_shot_context": cut[context]}
            for row, context in zip(rows, contexts, strict=True)
        ]
        whole, layout = _tokenized(tokenizer, shown, bos, chat)
        gold = torch.tensor([row.gold for row in whole])
        cuts, digits = zip(
            *(
                _cut(tokenizer, shown, equations, gold, layout, bos, chat, n_classes)
                for equations in range(n_cuts(rows[0]))
            ),
            strict=True,
        )
        problem = torch.tensor([row.problem for row in whole])
        ids = torch.cat([problem, gold], dim=1)
        return cls(whole[0].prefix, ids, layout.n_problem, cuts, DigitTokens.merged(digits))


def _tokenized(
    tokenizer: PreTrainedTokenizerBase, rows: Rows, bos: str, chat: Chat | None
) -> tuple[list[TokenizedRow], Layout]:
    tokenized = list(tokenize(tokenizer, rows, "all", bos, chat))
    return tokenized, align_whole(tokenizer, rows, tokenized, "forced_answers")


def _cut(
    tokenizer: PreTrainedTokenizerBase,
    rows: Rows,
    equations: int,
    gold: torch.Tensor,
    layout: Layout,
    bos: str,
    chat: Chat | None,
    n_classes: int,
) -> tuple[Cut, DigitTokens]:
    """One cut, and the tokens of digits in its chains.

    gold: [rows, tokens] of the whole chains. layout: of problems and whole chains.
    """
    cut_rows = [cut_row(row, equations) for row in rows]
    tokenized, cut_layout = _tokenized(tokenizer, cut_rows, bos, chat)
    ids = torch.tensor([row.gold for row in tokenized])
    texts = tokenizer.convert_ids_to_tokens([*tokenized[0].problem, *tokenized[0].gold])
    digits = DigitTokens.of(ids, cut_layout, cut_rows, texts, "forced_answers", n_classes)
    answer = max(s for s, symbol in enumerate(cut_layout.symbols) if symbol == NUMBER)
    # A lone space before a digit stands at the digit's symbol, which it does not complete.
    before = cut_layout.position_of(answer) - cut_layout.n_problem
    # A task's chains may be cut here: the last token before the answer is read all the same.
    common = min(before - 1, gold.shape[1])
    alike = (ids[:, :common] == gold[:, :common]).all(dim=0)
    kept = int(alike.long().cumprod(dim=0).sum())
    place = layout.place(_end(layout, equations))
    return Cut(equations, kept, ids[:, kept:before], place), digits


def _end(layout: Layout, equations: int) -> int:
    """The position of the last token of an equation of the chain, or before the chain for none."""
    if equations == 0:
        return layout.n_problem - 1
    numbers = layout.equations()
    last = max(
        s
        for s, n in enumerate(numbers)
        if n == equations - 1 and layout.symbols[s] not in SEPARATORS
    )
    # A token may complete the separator, too.
    return layout.position_of(last)

"""Prompts that end with ` ; z =`, after each equation of the gold chain, as token ids.

`forced_answers.chains` cuts the chains; `forced_answers.reading` reads the next token of each
prompt. A cut prompt is what the tokenizer makes of the whole cut text, up to the token of its
answer, so that it has the tokens that it would have anywhere. All rows tokenize alike here, and a
number is a token.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch

from think_to_talk.forced_answers.chains import Chains
from think_to_talk.forced_answers.whole_numbers import NO_NUMBER
from think_to_talk.formulas.symbols import N_CLASSES, NUMBER
from think_to_talk.hidden_states.passes import Passes
from think_to_talk.tokens.digits import DigitTokens
from think_to_talk.tokens.whole import whole_layout


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
    def of(cls, chains: Chains, n_classes: int = N_CLASSES) -> CutPrompts:
        """Cut the chains of a task.

        n_classes: values of the task's variables, from 0 on.
        Raises UnreadError if cut rows do not all have the same layout, or if a digit of a chain has
        no token of its own.
        """
        first = chains.tokenized[0]
        ids = torch.tensor([[*row.problem, *row.gold] for row in chains.tokenized])
        gold = ids[:, len(first.problem) :]
        every = (_cut(chains, equations, gold, n_classes) for equations in range(chains.n_cuts))
        cuts, digits = zip(*every, strict=True)
        return cls(first.prefix, ids, len(first.problem), cuts, DigitTokens.merged(digits))

    def read(
        self, passes: Passes, advance: Callable[[int], Any]
    ) -> list[tuple[torch.Tensor, torch.Tensor]]:
        """Per cut, the probabilities of the digits [rows, digits], and the digit said [rows].

        Problem and chain are passed once, an equation at a time; at each cut the few tokens that
        force the answer follow a copy of the cache.

        passes: of the model, behind the prefix.
        advance: is told how many prompts have been read.
        """
        found: list[list[tuple[torch.Tensor, torch.Tensor]]] = [[] for _ in self.cuts]
        numbers = list(range(len(self.ids)))
        for batch, read in passes.in_batches(numbers, lambda n: self._read(passes, n)):
            for of_cut, what in zip(found, read, strict=True):
                of_cut.append(what)
            advance(len(batch) * len(self.cuts))
        return [
            (torch.cat([p for p, _ in of_cut]), torch.cat([said for _, said in of_cut]))
            for of_cut in found
        ]

    @torch.inference_mode()
    def _read(self, passes: Passes, numbers: list[int]) -> list[tuple[torch.Tensor, torch.Tensor]]:
        """As of `read`, of a batch; numbers: of its rows."""
        ids = self.ids[numbers]
        context, passed = passes.prefix(len(numbers), ids.shape[1]), 0
        digit_of, found = self.digits.digit_of, {}
        for cut in sorted(self.cuts, key=lambda cut: cut.kept):
            end = self.n_problem + cut.kept
            context = passes.continued(context, ids[:, passed:end])
            passed = max(passed, end)
            suffix = cut.suffix[numbers]
            logits, _ = passes.forward(suffix, 1, context.repeated(1, suffix.shape[1]))
            last = logits[:, -1].cpu()
            probabilities = self.digits.log_probabilities(last).exp()
            said = [digit_of.get(token, NO_NUMBER) for token in last.argmax(dim=-1).tolist()]
            found[cut.equations] = probabilities, torch.tensor(said)
        return [found[cut.equations] for cut in self.cuts]


def _cut(
    chains: Chains, equations: int, gold: torch.Tensor, n_classes: int
) -> tuple[Cut, DigitTokens]:
    """One cut, and the tokens of digits in its chains.

    gold: [rows, tokens] of the whole chains.
    """
    tokenizer = chains.tokenizer
    rows, tokenized = chains.cut(equations)
    layout = whole_layout(tokenizer, rows, tokenized)
    ids = torch.tensor([row.gold for row in tokenized])
    texts = tokenizer.convert_ids_to_tokens([*tokenized[0].problem, *tokenized[0].gold])
    digits = DigitTokens.of(ids, layout, rows, texts, n_classes)
    answer = max(s for s, symbol in enumerate(layout.symbols) if symbol == NUMBER)
    # A lone space before a digit stands at the digit's symbol, which it does not complete.
    before = layout.position_of(answer) - layout.n_problem
    # A task's chains may be cut here: the last token before the answer is read all the same.
    common = min(before - 1, gold.shape[1])
    alike = (ids[:, :common] == gold[:, :common]).all(dim=0)
    kept = int(alike.long().cumprod(dim=0).sum())
    return Cut(equations, kept, ids[:, kept:before], chains.place(equations)), digits

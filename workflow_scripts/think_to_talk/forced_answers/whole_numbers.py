"""Numbers of one or more tokens, read as wholes: how probable each is where an answer follows.

The probability of a number is the product of its tokens' probabilities, each after those before it.
A number that has fewer tokens than the longest ones must end, too: `1` is also how `12` begins, so
its probability is multiplied by that of any token which adds no digit. No two numbers are then said
at once, and their probabilities have a sum of one at most. The longest numbers need not end, as a
digit need not where all numbers are digits. Numbers are spelled as the tokenizer writes them behind
` z =` (` 12` may be a token, or `1` and `2`).

Method: a prompt is passed once; after copies of its cache follow the beginnings of numbers, all
rows of a batch the same one at a time, so that a batch has no padding.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import takewhile
from typing import TYPE_CHECKING, Any

import torch

from think_to_talk.errors import UnreadError
from think_to_talk.formulas.symbols import NUMBER
from think_to_talk.hidden_states.passes import Context, Passes
from think_to_talk.tokens.chat import Chat
from think_to_talk.tokens.further_digits import further_digits
from think_to_talk.tokens.prompts import TokenizedRow, tokenize

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

#: Stands for what is no number of the task.
NO_NUMBER = -1

#: The last number of a chain; in words, its sentence may go on.
_NUMBER = re.compile(r"[0-9]+(?=[^0-9]*$)")

Beginning = tuple[int, ...]


@dataclass(frozen=True)
class NumberTokens:
    """The tokens of all numbers of a task, as they stand behind the `=` of an answer.

    ids: per number from 0 on, its tokens.
    lead: tokens between the `=` and the number, the same for all, such as a lone space.
    going_on: the tokens that add a digit to a number which they follow.
    """

    ids: tuple[Beginning, ...]
    lead: Beginning
    going_on: tuple[int, ...]

    @classmethod
    def of(
        cls,
        tokenizer: PreTrainedTokenizerBase,
        row: Mapping[str, Any],
        n_classes: int,
        bos: str = "tokenizer",
        chat: Chat | None = None,
    ) -> NumberTokens:
        """The tokens of the numbers from 0 to n_classes - 1, each as the answer of a row.

        row: of a dataset, whose chain has its answer as the last number; its few-shot examples are
            as shown.
        bos, chat: as of `tokens.prompts.tokenize`.
        Raises UnreadError if a number shares a token with what stands beside it.
        """
        chains = [_NUMBER.sub(str(n), row["scratchpad"]) for n in range(n_classes)]
        rows = [{**row, "scratchpad": chain, "target": f" {chain}\n"} for chain in chains]
        tokenized = list(tokenize(tokenizer, rows, "all", bos, chat))
        before, spelled = zip(*map(split_at_answer, tokenized), strict=True)
        if len(set(before)) > 1:
            raise UnreadError(
                "the tokens before the answer of a chain of thought depend on the answer, expected "
                "the same before each number"
            )
        columns = zip(*spelled, strict=False)
        lead = tuple(same[0] for same in takewhile(lambda column: len(set(column)) == 1, columns))
        ids = tuple(of_number[len(lead) :] for of_number in spelled)
        several = max(map(len, ids)) > 1
        return cls(ids, lead, further_digits(tokenizer, spelled[0]) if several else ())

    def prompt(self, row: TokenizedRow, answer: int) -> Beginning:
        """Problem and chain of a row up to the number that answers it.

        Raises UnreadError if the answer is written otherwise there.
        """
        before, spelled = split_at_answer(row)
        if spelled != (*self.lead, *self.ids[answer]):
            raise UnreadError(
                f"{answer} has the tokens {list(spelled)} in one chain of thought and "
                f"{[*self.lead, *self.ids[answer]]} in another, expected the same"
            )
        return (*before, *self.lead)

    @torch.inference_mode()
    def read(self, passes: Passes, prompts: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """How probable each number is after prompts, and the number that is said.

        A number is said if it is more probable than each other next token, and than all that begin
        as a number of the task does and are none of its numbers.

        prompts: [rows, tokens], which follow the prefix of the passes.
        Returns probabilities [rows, numbers], and numbers [rows], `NO_NUMBER` where none is said.
        """
        context = passes.prefix(len(prompts), prompts.shape[1])
        last, context = passes.forward(prompts, 1, context, keep_cache=passes.facts.continues_cache)
        firsts = sorted({of_number[0] for of_number in self.ids})
        first = last[:, -1].float().log_softmax(dim=-1)
        steps = {(): self._step(first), **self._later_steps(passes, context, len(prompts))}
        longest = max(map(len, self.ids))
        of_numbers = []
        for ids in self.ids:
            parts = [steps[ids[:n]][token] for n, token in enumerate(ids)]
            ended = [steps[ids][None]] if len(ids) < longest else []
            of_numbers.append(torch.stack([*parts, *ended]).sum(dim=0))
        probabilities = torch.stack(of_numbers, dim=1).exp()
        begun = first[:, firsts].exp().sum(dim=1).cpu() - probabilities.sum(dim=1)
        others = first.index_fill(1, torch.tensor(firsts, device=first.device), -torch.inf)
        other = others.amax(dim=1).exp().cpu()
        likely, number = probabilities.max(dim=1)
        said = torch.where(likely >= torch.maximum(begun, other), number, NO_NUMBER)
        return probabilities, said

    def _later_steps(
        self, passes: Passes, context: Context, n_rows: int
    ) -> dict[Beginning, dict[int | None, torch.Tensor]]:
        """{tokens that a number begins with, or a number that must end: what may follow them}.

        context: of the prompts.
        """
        longest = max(map(len, self.ids))
        beginnings = {ids[:n] for ids in self.ids for n in range(1, min(len(ids) + 1, longest))}
        inner = {beginning[:-1] for beginning in beginnings}
        steps = {}
        for path in sorted(beginnings - inner):
            ids = torch.tensor([path] * n_rows)
            logits, _ = passes.forward(ids, len(path), context.repeated(1, len(path)))
            for n in range(len(path)):
                log_probabilities = logits[:, n].float().log_softmax(dim=-1)
                steps[path[: n + 1]] = self._step(log_probabilities)
        return steps

    def _step(self, log_probabilities: torch.Tensor) -> dict[int | None, torch.Tensor]:
        """{token: [rows] log-probability that it is next}; None: any that ends the number.

        log_probabilities: [rows, vocabulary] of the next token.
        """
        tokens = sorted({token for of_number in self.ids for token in of_number})
        of_tokens = log_probabilities[:, tokens].cpu().double().unbind(dim=1)
        going_on = torch.tensor(self.going_on, dtype=torch.long, device=log_probabilities.device)
        ended = log_probabilities.index_fill(1, going_on, -torch.inf).logsumexp(dim=1)
        return {**dict(zip(tokens, of_tokens, strict=True)), None: ended.cpu().double()}


def split_at_answer(row: TokenizedRow) -> tuple[Beginning, Beginning]:
    """The tokens of problem and chain up to the last `=`, and those of the answer behind it.

    Raises UnreadError if the answer shares a token with what stands beside it.
    """
    layout, ids = row.layout, (*row.problem, *row.gold)
    answer = max(s for s, symbol in enumerate(layout.symbols) if symbol == NUMBER)
    completing = layout.completing_tokens()
    if not {answer - 1, answer} <= set(completing):
        raise UnreadError(
            "a token of the chain of thought holds more than the answer's number, expected tokens "
            "of its own for each number"
        )
    first, last = completing[answer - 1] + 1, completing[answer]
    return ids[:first], ids[first : last + 1]

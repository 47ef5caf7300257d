"""Prompts that end with ` ; z =` and numbers of several tokens, or rows that do not tokenize alike.

Each row is asked at each cut by a prompt of its own; prompts of one length are passed together.
What is read after them are whole numbers (`forced_answers.whole_numbers`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from think_to_talk.forced_answers.chains import Chains
from think_to_talk.forced_answers.whole_numbers import NumberTokens
from think_to_talk.formulas.cuts import cut_row
from think_to_talk.hidden_states.passes import Passes


@dataclass(frozen=True)
class NumberPrompts:
    """The prompts of a task's rows.

    prefix: ids of the few-shot examples, the same for all.
    cuts: (equations that are kept, where it is, as keys of probe rows) of each cut, in their order.
    ids: {(cut, row): of problem and cut chain, up to the number that answers it}.
    numbers: the tokens of all numbers.
    """

    prefix: tuple[int, ...]
    cuts: tuple[tuple[int, Mapping[str, Any]], ...]
    ids: Mapping[tuple[int, int], tuple[int, ...]]
    numbers: NumberTokens

    @classmethod
    def of(cls, chains: Chains, n_classes: int) -> NumberPrompts:
        """Cut the chains of a task.

        n_classes: values of the task's variables, from 0 on.
        Raises UnreadError if the answer of a chain has no tokens of its own.
        """
        first = cut_row(chains.rows[0], 0, chains.texts)
        numbers = NumberTokens.of(chains.tokenizer, first, n_classes, chains.bos, chains.chat)
        ids, cuts = {}, []
        for equations in range(chains.n_cuts):
            rows, tokenized = chains.cut(equations)
            for number, (row, of_row) in enumerate(zip(rows, tokenized, strict=True)):
                answer = int(row["original_answer"])
                ids[equations, number] = numbers.prompt(of_row, answer)
            cuts.append((equations, chains.place(equations)))
        return cls(chains.tokenized[0].prefix, tuple(cuts), ids, numbers)

    def read(
        self, passes: Passes, advance: Callable[[int], Any]
    ) -> list[tuple[torch.Tensor, torch.Tensor]]:
        """Per cut, the probabilities of the numbers [rows, numbers], and the number said [rows].

        passes: of the model, behind the prefix.
        advance: is told how many prompts have been read.
        """
        of_length: defaultdict[int, list[tuple[int, int]]] = defaultdict(list)
        for where, tokens in self.ids.items():
            of_length[len(tokens)].append(where)
        found: dict[tuple[int, int], tuple[torch.Tensor, torch.Tensor]] = {}
        for _, wheres in sorted(of_length.items()):
            for batch, (probabilities, said) in passes.in_batches(
                wheres, lambda batch: self.numbers.read(passes, self._tensor(batch))
            ):
                found.update(zip(batch, zip(probabilities, said, strict=True), strict=True))
                advance(len(batch))
        n_rows = len(self.ids) // len(self.cuts)
        of_cuts = [[found[cut, row] for row in range(n_rows)] for cut, _ in self.cuts]
        return [
            (torch.stack([p for p, _ in of_cut]), torch.stack([said for _, said in of_cut]))
            for of_cut in of_cuts
        ]

    def _tensor(self, wheres: Sequence[tuple[int, int]]) -> torch.Tensor:
        return torch.tensor([self.ids[where] for where in wheres])

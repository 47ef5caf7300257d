"""What the study's own models are trained on: problems with their chains of thought, as token ids.

`models/training.py` trains on them. Beside whole chains there may be chains that are cut
(`formulas/cuts.py`), so that a model can be asked for its answer in the middle of one: what stands
before the cut is given, so that the model learns to answer at a cut and not to cut.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch.nn import functional as F

from think_to_talk.formulas.cuts import CutTexts, cut_row, given_of_cut, n_cuts, shortened
from think_to_talk.formulas.sampling import draw_rows
from think_to_talk.formulas.templates import Template
from think_to_talk.formulas.wording_entries import cut_texts

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast


@dataclass(frozen=True)
class Examples:
    """Problems of one task with their chains, tokenized.

    ids: [rows, tokens] of problem and chain; others follow those of a shorter row.
    learned: [rows, tokens] whether a token is of its row, and after what is given: the problem, and
        a cut chain up to its cut.
    """

    ids: torch.Tensor
    learned: torch.Tensor

    @classmethod
    def joined(cls, several: Sequence[Examples]) -> Examples:
        """The rows of all, one after the other, as wide as the widest."""
        width = max(some.ids.shape[1] for some in several)
        return cls(
            *(
                torch.cat([F.pad(part, (0, width - part.shape[1])) for part in parts])
                for parts in zip(*((some.ids, some.learned) for some in several), strict=True)
            )
        )

    def select(self, rows: Sequence[int]) -> Examples:
        """Only the rows with these numbers, in this order."""
        return Examples(self.ids[rows], self.learned[rows])


@dataclass(frozen=True)
class TaskExamples:
    """What a task shows: problems with whole chains, and the same problems with chains cut.

    whole: the problems with whole chains.
    rows: the same, as rows of a dataset.
    tokenizer: of the model.
    n_cuts: places where each chain can be cut; 0 if no chain is to be cut, or none can be.
    texts: of cut chains, if they are in words.
    """

    whole: Examples
    rows: Sequence[Mapping[str, Any]] = ()
    tokenizer: PreTrainedTokenizerFast | None = None
    n_cuts: int = 0
    texts: CutTexts | None = None

    def cut(self, rows: Sequence[int], place: int) -> Examples:
        """Some of the problems with their chains cut after `place` equations.

        They are tokenized here: a training shows one in twenty of all.
        """
        assert self.tokenizer is not None
        shown = [cut_row(self.rows[row], place, self.texts) for row in rows]
        return encode(self.tokenizer, shown, cut=True, texts=self.texts)


def encode(
    tokenizer: PreTrainedTokenizerFast,
    rows: Sequence[Mapping[str, Any]],
    cut: bool = False,
    texts: CutTexts | None = None,
) -> Examples:
    """Tokenize rows of one template.

    cut: whether the chains up to the sign that their answer is due, where there is one, are given.
    texts: of cut chains in words.
    """
    given = [row["source"] for row in rows]
    if cut:
        given = [text + given_of_cut(row, texts) for text, row in zip(given, rows, strict=True)]
    ids = _token_ids(tokenizer, [row["source"] + row["target"] for row in rows])
    n_given = torch.tensor([len(of_row) for of_row in _token_ids(tokenizer, given)])
    lengths = torch.tensor(list(map(len, ids)))
    width = int(lengths.max())
    padding = tokenizer.pad_token_id
    padded = np.array([[*of_row, *[padding] * (width - len(of_row))] for of_row in ids])
    place = torch.arange(width)
    learned = (place >= n_given[:, None]) & (place < lengths[:, None])
    return Examples(torch.from_numpy(padded), learned)


def _token_ids(tokenizer: PreTrainedTokenizerFast, texts: Sequence[str]) -> list[list[int]]:
    """The token ids of each text, in half of the time that the tokenizer's own call takes."""
    return [encoding.ids for encoding in tokenizer.backend_tokenizer.encode_batch_fast(texts)]


def training_examples(
    tokenizer: PreTrainedTokenizerFast,
    tasks: Mapping[str, Mapping[str, Any]],
    held_out: set[str],
    rows: int,
    seed: int,
    cut: bool = False,
) -> dict[str, TaskExamples]:
    """Fresh problems of each task, {task: examples}.

    tasks: {name: config entry}.
    held_out: sources of problems that must not be among them.
    rows: problems per task.
    seed: of the draw.
    cut: whether their chains are also cut; those in words only if their wording says how.
    """
    examples = {}
    for name, task in tasks.items():
        whole = draw_rows(Template.from_config(task), rows, seed, set(held_out))
        drawn = [shortened(row, task["chain"]) for row in whole]
        texts = CutTexts.from_config(cut_texts(task))
        can_be_cut = texts is not None or "wording" not in task
        places = n_cuts(drawn[0]) if cut and can_be_cut else 0
        examples[name] = TaskExamples(encode(tokenizer, drawn), drawn, tokenizer, places, texts)
    return examples

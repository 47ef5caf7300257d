"""Inconsistent chains: does the final answer follow the problem or a wrong result in the chain?

Pairs come from `formulas/altered_chains.py`; the rows feed the table of interventions and its
overview figure.

Method: the model is given a problem and its chain of thought up to a result that has been made
wrong, and writes the rest by greedy decoding (the chain is corrupted as in Lanham et al.,
arXiv:2307.13702). A final answer that follows from the wrong result shows that the model computes
from its chain; one that fits the problem, that it does not need the chain. Where numbers take
one token or several, the model is also given what stands behind the wrong result and ends it: it
could else make a right 12 of a wrong 1.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import torch

from think_to_talk.formulas.rows import base_row, is_correct
from think_to_talk.formulas.stated_values import final_answer
from think_to_talk.hidden_states.decoding import VerifiedDecoder
from think_to_talk.hidden_states.facts import ModelFacts
from think_to_talk.hidden_states.passes import Passes
from think_to_talk.intervals import share
from think_to_talk.interventions.tokenized_pairs import PairAxis, Rows, warn_of_left_out
from think_to_talk.progress import progress
from think_to_talk.tokens.chat import Chat
from think_to_talk.tokens.generations import written_texts
from think_to_talk.tokens.prompts import TokenizedRow
from think_to_talk.tokens.results import Result
from think_to_talk.tokens.stop_ids import stop_ids
from think_to_talk.tokens.task_positions import TaskPositions

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


def inconsistent_chain_rows(
    model: PreTrainedModel,
    facts: ModelFacts,
    tokenizer: PreTrainedTokenizerBase,
    altered: Rows,
    *,
    shots: int | str,
    bos: str = "tokenizer",
    chat: Chat | None = None,
    positions: TaskPositions | None = None,
    batch_size: int,
    max_new_tokens: int,
    identity: Mapping[str, Any],
    end_ids: Sequence[int] = (),
) -> Iterator[dict[str, Any]]:
    """A row per altered variable and choice of pairs (schemas/inconsistent_chain_row.schema.yaml).

    facts: how the model may be run.
    altered: pair rows with the key `altered_variable`.
    shots, bos, chat: as of `tokens.prompts.tokenize`.
    positions: of the task; None for those that the pairs share.
    batch_size: rows at a time.
    max_new_tokens: the length at which a generation is cut.
    identity: model, seed and task.
    end_ids: end-of-sequence ids of the checkpoint, beside the tokenizer's own.
    """
    variables = sorted({pair["altered_variable"] for pair in altered})
    description = f"wrong results {identity['model']}, seed {identity['seed']}, {identity['task']}"
    stops = stop_ids(tokenizer, end_ids, chat)
    axis = PairAxis.of(tokenizer, [altered], shots, bos, chat, positions)
    with progress(len(altered), description, "pairs") as bar:
        for variable in variables:
            drawn = [pair for pair in altered if pair["altered_variable"] == variable]
            fitting = [
                (number, pair, base.row, edited.row, edited.ends)
                for number, (pair, (base, edited)) in enumerate(
                    zip(drawn, axis.of_pairs(drawn), strict=True)
                )
                if base.ends is not None and edited.ends is not None
            ]
            n_others, where = len(drawn) - len(fitting), f"{description}, variable {variable}"
            why = "their problems or chains do not have the positions of the task's rows"
            warn_of_left_out(n_others, len(drawn), where, why)
            bar.update(n_others)
            if not fitting:
                continue
            places, pairs, base, edited, ends = zip(*fitting, strict=True)
            passes = Passes(model, facts, base[0].prefix, batch_size)
            decoder = VerifiedDecoder(passes, [], stops, max_new_tokens)
            result = Result.of(variable, axis.layout)
            assert result is not None, f"the chain has no result for variable {variable}"
            # What stands behind a number ends it: a model may go on from 1 to 12.
            last = result.number + (len(axis.lengths) > 1)
            written = _write(decoder, tokenizer, edited, [of_row[last] + 1 for of_row in ends])
            unaltered = _write(decoder, tokenizer, base, [len(row.problem) for row in base])
            solved = [
                is_correct(text, base_row(pair))
                for text, pair in zip(unaltered, pairs, strict=True)
            ]
            bar.update(len(pairs))
            finals = list(map(final_answer, written, pairs))
            for which in ("solved", "all"):
                numbers = [i for i in range(len(pairs)) if solved[i] or which == "all"]
                yield {
                    **identity,
                    "variable": variable,
                    "equation": result.equation,
                    "forced": last + 1 - axis.layout.n_problem,
                    "rows": which,
                    "n": len(numbers),
                    **_followed([finals[i] for i in numbers], [pairs[i] for i in numbers]),
                    "pairs": [places[i] for i in numbers],
                    "outputs": [finals[i] for i in numbers],
                }


def _write(
    decoder: VerifiedDecoder,
    tokenizer: PreTrainedTokenizerBase,
    rows: Sequence[TokenizedRow],
    given: Sequence[int],
) -> list[str]:
    """The text that the model writes after the first tokens of each row, to its end.

    rows: problem and chain; the chain is the draft that decoding verifies.
    given: tokens of each that the model is given. Rows of one length are decoded together.
    """
    of_length: defaultdict[tuple[int, int], list[int]] = defaultdict(list)
    ids = [(*row.problem, *row.gold) for row in rows]
    for number, (n, of_row) in enumerate(zip(given, ids, strict=True)):
        of_length[n, len(of_row)].append(number)
    texts = [""] * len(rows)
    for (n, _), numbers in sorted(of_length.items()):
        tokens = torch.tensor([ids[number] for number in numbers])
        for batch in decoder.decode(tokens[:, :n], tokens[:, n:]):
            written = written_texts(tokenizer, batch.generated, decoder.stop_ids)
            for row, text in zip(batch.rows, written, strict=True):
                texts[numbers[row]] = text
    return texts


def _followed(finals: Sequence[str], pairs: Rows) -> dict[str, float | None]:
    """Shares of final answers that follow from the altered chain, from the problem, or neither.

    finals: the final answer of each of the pairs.
    """
    n = len(pairs)
    chain = [final == pair["original_answer"] for final, pair in zip(finals, pairs, strict=True)]
    problem = [
        final == pair["base_original_answer"] for final, pair in zip(finals, pairs, strict=True)
    ]
    return {
        **share("follows_chain", sum(chain), n),
        **share("follows_problem", sum(problem), n),
        **share("other", n - sum(chain) - sum(problem), n),
    }

"""Forced answers: what a model says at each equation of the chain, if it must answer there.

The model is given a problem, some equations of its gold chain and ` ; z =`, and the number behind
it is read: the next token, where all rows tokenize alike and numbers are tokens (`cut_prompts`), or
else whole numbers of any tokens (`number_prompts`). Its accuracy is the model's own date of
knowing, without any probe (early answering: Lanham et al., arXiv:2307.13702). `timing.forced` finds
t_said in the rows.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import torch

from think_to_talk.errors import located
from think_to_talk.forced_answers.chains import Chains
from think_to_talk.forced_answers.cut_prompts import CutPrompts
from think_to_talk.forced_answers.number_prompts import NumberPrompts
from think_to_talk.formulas.cuts import CutTexts
from think_to_talk.formulas.symbols import N_CLASSES
from think_to_talk.hidden_states.facts import ModelFacts
from think_to_talk.hidden_states.passes import Passes
from think_to_talk.intervals import mean, share
from think_to_talk.progress import progress
from think_to_talk.tokens.chat import Chat
from think_to_talk.tokens.task_positions import TaskPositions

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


def forced_answer_rows(
    model: PreTrainedModel,
    facts: ModelFacts,
    tokenizer: PreTrainedTokenizerBase,
    dataset: Sequence[Mapping[str, Any]],
    *,
    shots: int | str,
    bos: str = "tokenizer",
    chat: Chat | None = None,
    texts: CutTexts | None = None,
    positions: TaskPositions | None = None,
    batch_size: int,
    n_classes: int = N_CLASSES,
    identity: Mapping[str, Any],
) -> Iterator[dict[str, Any]]:
    """A row per cut of the chain (schemas/forced_answer_row.schema.yaml).

    facts: how the model may be run.
    dataset: rows of a task, of which all are asked.
    shots, bos, chat: as of `tokens.prompts.tokenize`; the examples are cut as well.
    texts: of cut chains in words; None of symbols.
    positions: as of `Chains.of`.
    batch_size: rows at a time.
    n_classes: values of the task's variables, from 0 on.
    identity: model, seed and task.
    Raises InputError if rows differ in their symbols or in their prefix, UnreadError if a number
    has no tokens of its own.
    """
    with located(f"models.{identity['model']}"):
        chains = Chains.of(tokenizer, dataset, shots, bos, identity["seed"], chat, texts, positions)
        prompts, cuts = _prompts(chains, n_classes, identity["task"])
    passes = Passes(model, facts, prompts.prefix, batch_size)
    answers = torch.tensor([int(row["original_answer"]) for row in dataset])
    description = f"forced answers {identity['model']}, seed {identity['seed']}, {identity['task']}"
    with progress(len(dataset) * len(cuts), description, "prompts") as bar:
        found = prompts.read(passes, bar.update)
    for (equations, place), (probabilities, predictions) in zip(cuts, found, strict=True):
        right = probabilities.gather(1, answers[:, None])[:, 0]
        most_likely = probabilities.argmax(dim=1)
        n = len(dataset)
        yield {
            **identity,
            "cut": equations,
            **place,
            "n": n,
            **share("accuracy", int((predictions == answers).sum()), n),
            **share("digit_accuracy", int((most_likely == answers).sum()), n),
            **mean("probability", right.tolist()),
            **mean("digit_mass", probabilities.sum(dim=1).clamp(max=1).tolist()),
            "predictions": predictions.tolist(),
            "answer": answers.tolist(),
        }


def _prompts(
    chains: Chains, n_classes: int, task: str
) -> tuple[CutPrompts | NumberPrompts, list[tuple[int, Mapping[str, Any]]]]:
    """The prompts of a task, and its cuts: the equations that are kept, and where that is."""
    if not chains.have_single_tokens:
        prompts = NumberPrompts.of(chains, n_classes)
        return prompts, list(prompts.cuts)
    alike = CutPrompts.of(chains, n_classes)
    alike.digits.warn_of_missing(task)
    return alike, [(cut.equations, cut.place) for cut in alike.cuts]

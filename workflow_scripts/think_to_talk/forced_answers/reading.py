"""Forced answers: what a model says at each equation of the chain, if it must answer there.

The model is given a problem, some equations of its gold chain and ` ; z =`, and its next token is
read (`forced_answers.cut_prompts`). Its accuracy is the model's own date of knowing, without any
probe (early answering: Lanham et al., arXiv:2307.13702). `timing.forced` finds t_said in the rows.

Method: problem and chain are passed once, an equation at a time; at each cut the few tokens that
force the answer follow a copy of the cache.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import torch

from think_to_talk.errors import located
from think_to_talk.forced_answers.cut_prompts import CutPrompts
from think_to_talk.formulas.symbols import N_CLASSES
from think_to_talk.hidden_states.facts import ModelFacts
from think_to_talk.hidden_states.passes import Passes
from think_to_talk.intervals import mean, share
from think_to_talk.progress import progress
from think_to_talk.tokens.chat import Chat

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

#: What stands in `predictions` for a next token that is no digit.
NO_DIGIT = -1


def forced_answer_rows(
    model: PreTrainedModel,
    facts: ModelFacts,
    tokenizer: PreTrainedTokenizerBase,
    dataset: Sequence[Mapping[str, Any]],
    *,
    shots: int | str,
    bos: str = "tokenizer",
    chat: Chat | None = None,
    batch_size: int,
    n_classes: int = N_CLASSES,
    identity: Mapping[str, Any],
) -> Iterator[dict[str, Any]]:
    """A row per cut of the chain (schemas/forced_answer_row.schema.yaml).

    facts: how the model may be run.
    dataset: rows of a task, of which all are asked.
    shots, bos, chat: as of `tokens.prompts.tokenize`; the examples are cut as well.
    batch_size: rows at a time.
    n_classes: values of the task's variables, from 0 on.
    identity: model, seed and task.
    Raises InputError if rows do not tokenize alike, or if a digit has no token of its own.
    """
    with located(f"models.{identity['model']}"):
        prompts = CutPrompts.of(tokenizer, dataset, shots, bos, identity["seed"], chat, n_classes)
    prompts.digits.warn_of_missing(identity["task"])
    passes = Passes(model, facts, prompts.prefix, batch_size)
    answers = torch.tensor([int(row["original_answer"]) for row in dataset])
    description = f"forced answers {identity['model']}, seed {identity['seed']}, {identity['task']}"
    with progress(len(dataset), description, "rows") as bar:
        found: list[list[tuple[torch.Tensor, torch.Tensor]]] = [[] for _ in prompts.cuts]
        numbers = list(range(len(dataset)))
        for batch, read in passes.in_batches(numbers, lambda n: _read(passes, prompts, n)):
            for of_cut, what in zip(found, read, strict=True):
                of_cut.append(what)
            bar.update(len(batch))
    for cut, parts in zip(prompts.cuts, found, strict=True):
        probabilities, predictions = (torch.cat(part) for part in zip(*parts, strict=True))
        right = probabilities.gather(1, answers[:, None])[:, 0]
        most_likely = probabilities.argmax(dim=1)
        n = len(dataset)
        yield {
            **identity,
            "cut": cut.equations,
            **cut.place,
            "n": n,
            **share("accuracy", int((predictions == answers).sum()), n),
            **share("digit_accuracy", int((most_likely == answers).sum()), n),
            **mean("probability", right.tolist()),
            **mean("digit_mass", probabilities.sum(dim=1).clamp(max=1).tolist()),
            "predictions": predictions.tolist(),
            "answer": answers.tolist(),
        }


@torch.inference_mode()
def _read(
    passes: Passes, prompts: CutPrompts, numbers: list[int]
) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """Per cut, the probabilities of the digits [rows, digits], and the next token's digit [rows].

    numbers: of the rows of a batch.
    """
    ids = prompts.ids[numbers]
    context, passed = passes.prefix(len(numbers), ids.shape[1]), 0
    digit_of, found = prompts.digits.digit_of, {}
    for cut in sorted(prompts.cuts, key=lambda cut: cut.kept):
        end = prompts.n_problem + cut.kept
        context = passes.continued(context, ids[:, passed:end])
        passed = max(passed, end)
        suffix = cut.suffix[numbers]
        logits, _ = passes.forward(suffix, 1, context.repeated(1, suffix.shape[1]))
        last = logits[:, -1].cpu()
        probabilities = prompts.digits.log_probabilities(last).exp()
        said = [digit_of.get(token, NO_DIGIT) for token in last.argmax(dim=-1).tolist()]
        found[cut.equations] = probabilities, torch.tensor(said)
    return [found[cut.equations] for cut in prompts.cuts]

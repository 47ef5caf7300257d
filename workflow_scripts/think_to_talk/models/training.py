"""Training a small Llama on the chain-of-thought task, with a tokenizer of one token per symbol.

The default study has no pretrained model: it trains one that solves the task, on fresh problems
outside all splits (`formulas/sampling.py`), and saves it as a standard checkpoint, which
`models/loading.py` loads like any other.

Method: next-token cross-entropy on the chain of thought alone (`models/training_examples.py`),
whose gradient two cores can share. Muon (`models/muon.py`) trains the blocks' matrices and AdamW
the rest, in half the time of AdamW alone. A model that does not write the longest chains is trained
on, in shorter rounds.
"""

from __future__ import annotations

import json
import math
import random
import warnings
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch.nn import functional as F
from transformers import LlamaConfig, LlamaForCausalLM
from transformers.utils.logging import disable_progress_bar

from think_to_talk.files.atomic import adding_to, write_text
from think_to_talk.files.jsonl import read_jsonl
from think_to_talk.formulas.symbols import SYMBOLS
from think_to_talk.formulas.wording_entries import task_words
from think_to_talk.models.muon import Muon
from think_to_talk.models.training_examples import Examples, TaskExamples, encode, training_examples
from think_to_talk.progress import progress
from think_to_talk.tokens.symbol_tokenizer import symbol_tokenizer

if TYPE_CHECKING:
    from torch.optim import Optimizer

#: Length of the warm-up, as a share of the steps, and gradient norm at which steps are clipped.
_WARM_UP, _CLIP = 0.1, 1.0

#: In how many shares a step's gradient is computed, whatever cores there are: a sum in other parts
#: is rounded differently, and trains another model.
_SHARES = 2

#: How often training goes on at most, each time for half of its steps.
_FURTHER_ROUNDS = 3


def build_model(entry: Mapping[str, Any], vocabulary_size: int, seed: int) -> LlamaForCausalLM:
    """A randomly initialised Llama of the size in the model's `training` entry."""
    torch.manual_seed(seed)
    return LlamaForCausalLM(
        LlamaConfig(
            vocab_size=vocabulary_size,
            hidden_size=entry["hidden_size"],
            intermediate_size=entry["intermediate_size"],
            num_hidden_layers=entry["layers"],
            num_attention_heads=entry["heads"],
            max_position_embeddings=512,
            tie_word_embeddings=False,
            bos_token_id=None,
            eos_token_id=1 + SYMBOLS.index("\n"),
            pad_token_id=1 + SYMBOLS.index("\n"),
        )
    )


def _optimizers(model: LlamaForCausalLM, entry: Mapping[str, Any]) -> list[Optimizer]:
    matrices = [p for p in model.model.layers.parameters() if p.ndim == 2]
    chosen = {id(p) for p in matrices}
    rest = [p for p in model.parameters() if id(p) not in chosen]
    return [
        Muon(matrices, lr=entry["muon_learning_rate"]),
        torch.optim.AdamW(rest, lr=entry["learning_rate"], betas=(0.9, 0.98), weight_decay=0.0),
    ]


def train(
    model: LlamaForCausalLM,
    examples: Mapping[str, TaskExamples],
    entry: Mapping[str, Any],
    seed: int | str,
    threads: int = 1,
) -> float:
    """Train on batches of one task at a time; returns the last step's loss (nats per token).

    The learning rates warm up linearly and decay as a cosine. A step has `batch_size` whole chains
    and a share `cut` as many that are cut at one place; its loss is the mean over the tokens that
    come after what is given.

    examples: {task: examples}.
    entry: `steps`, `batch_size`, the learning rates, and `cut`.
    seed: of the choice of tasks and rows.
    threads: how many cores are used, at most two; the model is the same whatever their number.
    """
    rng = random.Random(seed)
    steps = entry["steps"]
    most_cut = round(entry["cut"] * entry["batch_size"])
    optimizers = _optimizers(model, entry)

    def rate(step: int) -> float:
        warm_up = min(1.0, (step + 1) / (_WARM_UP * steps))
        return warm_up * 0.5 * (1 + math.cos(math.pi * step / steps))

    schedules = [torch.optim.lr_scheduler.LambdaLR(o, rate) for o in optimizers]
    names = sorted(examples)
    model.train()
    with (
        _one_thread_each(min(threads, _SHARES)) as pool,
        progress(steps, f"training, seed {seed}", "steps") as bar,
    ):
        for _ in range(steps):
            task = examples[rng.choice(names)]
            n_cut = most_cut if task.n_cuts else 0
            place = rng.randrange(task.n_cuts) if n_cut else 0
            whole, cut = (
                [rng.randrange(len(task.whole.ids)) for _ in range(n_rows)]
                for n_rows in (entry["batch_size"], n_cut)
            )
            batch = task.whole.select(whole)
            if n_cut:
                batch = Examples.joined([batch, task.cut(cut, place)])
            loss = _add_gradients(model, batch, pool)
            torch.nn.utils.clip_grad_norm_(model.parameters(), _CLIP)
            for optimizer, schedule in zip(optimizers, schedules, strict=True):
                optimizer.step()
                schedule.step()
            model.zero_grad(set_to_none=True)
            bar.set_postfix(loss=f"{loss:.4f}", refresh=False)
            bar.update()
    model.eval()
    return loss


@contextmanager
def _one_thread_each(workers: int) -> Iterator[ThreadPoolExecutor]:
    """A pool of workers whose operations have one thread each.

    Two threads within an operation wait for each other in each of a step's 2,000 operations: beside
    other work a step took 4 to 12 times as long. Two shares wait once.
    """
    torch.set_num_threads(1)
    with ThreadPoolExecutor(workers, initializer=partial(torch.set_num_threads, 1)) as pool:
        yield pool


def _add_gradients(model: LlamaForCausalLM, batch: Examples, pool: ThreadPoolExecutor) -> float:
    """Set the gradient of a batch's mean loss, share by share, and return that loss."""
    shares = [batch.select(range(i, len(batch.ids), _SHARES)) for i in range(_SHARES)]
    sums, gradients = zip(*pool.map(partial(_summed, model), shares), strict=True)
    n_tokens = int(batch.learned.sum())
    for parameter, of_shares in zip(model.parameters(), zip(*gradients, strict=True), strict=True):
        parameter.grad = torch.stack(of_shares).sum(dim=0).div_(n_tokens)
    return sum(sums) / n_tokens


def _summed(model: LlamaForCausalLM, share: Examples) -> tuple[float, tuple[torch.Tensor, ...]]:
    """The sum of the losses of a share of a batch's rows, and its gradient per parameter."""
    if not len(share.ids):
        return 0.0, tuple(torch.zeros_like(parameter) for parameter in model.parameters())
    loss = _losses(model, share).sum()
    return loss.item(), torch.autograd.grad(loss, list(model.parameters()))


def _losses(model: LlamaForCausalLM, examples: Examples) -> torch.Tensor:
    """Cross-entropy of each token that is learned, [tokens]."""
    states = model.model(examples.ids[:, :-1], use_cache=False).last_hidden_state
    learned = examples.learned[:, 1:]
    logits = model.lm_head(states[learned])
    return F.cross_entropy(logits, examples.ids[:, 1:][learned], reduction="none")


def train_until_solved(
    model: LlamaForCausalLM,
    examples: Mapping[str, TaskExamples],
    entry: Mapping[str, Any],
    seed: int,
    valid: Mapping[str, Examples],
    threads: int = 1,
) -> dict[str, Any]:
    """Train, and train on until the model solves held-out problems; returns what came of it.

    A further round has half of the steps, and rates that warm up and decay again. After three of
    them training ends, with a warning.

    entry: as of `train`, with `exact_match`: what each task has to reach.
    valid: {task: held-out problems}.
    threads: as of `train`.
    The result has the `steps`, the last `loss` and `exact_match` {task: share of problems}.
    """
    further = {**entry, "steps": max(1, entry["steps"] // 2)}
    rounds: list[tuple[Mapping[str, Any], int | str]] = [(entry, seed)]
    for number in range(1, _FURTHER_ROUNDS + 1):
        rounds.append((further, f"{seed}, further round {number}"))
    steps = 0
    for settings, drawn in rounds:
        loss = train(model, examples, settings, drawn, threads)
        steps += settings["steps"]
        matches = {task: exact_match(model, problems) for task, problems in valid.items()}
        if min(matches.values()) >= entry["exact_match"]:
            break
    for task, match in matches.items():
        if match < entry["exact_match"]:
            warnings.warn(
                f"{task}: exact match {match:.3f} on held-out problems after {steps} steps, "
                f"expected {entry['exact_match']}; raise training.steps",
                stacklevel=2,
            )
    return {"steps": steps, "loss": loss, "exact_match": matches}


@torch.inference_mode()
def exact_match(model: LlamaForCausalLM, task: Examples) -> float:
    """Share of rows of which greedy decoding writes all that comes after what is given."""
    logits = model(task.ids[:, :-1], use_cache=False).logits
    right = (logits.argmax(dim=-1) == task.ids[:, 1:]) | ~task.learned[:, 1:]
    return right.all(dim=1).float().mean().item()


def train_checkpoint(
    entry: Mapping[str, Any],
    tasks: Mapping[str, Mapping[str, Any]],
    *,
    held_out: Iterable[str | Path],
    valid: Mapping[str, str | Path],
    seed: int,
    folder: str | Path,
    report: str | Path,
    threads: int = 1,
) -> None:
    """Train a model and save it with its tokenizer.

    entry: the model's `training` entry.
    tasks: {name: config entry} of the tasks to train on.
    held_out: files of rows and of pairs whose problems are not trained on.
    valid: {task: file of rows} on which the exact match is measured.
    seed: of initial weights, problems and batches.
    folder: where the checkpoint's files are written.
    report: JSON file of what `train_until_solved` returns.
    threads: as of `train`.
    """
    disable_progress_bar()
    sources = {
        row[key]
        for path in held_out
        for row in read_jsonl(path)
        for key in ("source", "base_source")
        if key in row
    }
    words = [word for task in tasks.values() for word in task_words(task)]
    tokenizer = symbol_tokenizer(words, max(task["values"][1] for task in tasks.values()))
    cut = entry["cut"] > 0
    examples = training_examples(tokenizer, tasks, sources, entry["rows"], seed, cut)
    model = build_model(entry, len(tokenizer), seed)
    problems = {task: encode(tokenizer, read_jsonl(path)) for task, path in valid.items()}
    summary = train_until_solved(model, examples, entry, seed, problems, threads)
    with adding_to(folder) as temporary:
        model.save_pretrained(temporary)
        tokenizer.save_pretrained(temporary)
    write_text(report, json.dumps(summary, indent=2) + "\n")

"""Training a small Llama on the chain-of-thought task, with a tokenizer of one token per symbol.

The default study has no pretrained model: it trains one that solves the task, on fresh problems
outside all splits (`formulas/sampling.py`), and saves it as a standard checkpoint, which
`models/loading.py` loads like any other.

Method: next-token cross-entropy on the chain of thought alone. Beside whole chains each step may
show chains that are cut (`formulas.cuts`), so that the model can be asked for its answer in the
middle of one: what stands before the cut is given there, so that the model learns to answer at a
cut and not to cut. Muon (`models/muon.py`) trains the blocks' matrices and AdamW the rest, in half
the time of AdamW alone. A model that does not write the longest chains is trained on, in shorter
rounds.
"""

from __future__ import annotations

import json
import math
import random
import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch.nn import functional as F
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast
from transformers.utils.logging import disable_progress_bar

from think_to_talk.files.atomic import adding_to, write_text
from think_to_talk.files.jsonl import read_jsonl
from think_to_talk.formulas.cuts import cut_row, n_cuts, shortened
from think_to_talk.formulas.sampling import draw_rows
from think_to_talk.formulas.symbols import SYMBOLS
from think_to_talk.formulas.templates import Template
from think_to_talk.formulas.wording_entries import task_words
from think_to_talk.models.muon import Muon
from think_to_talk.progress import progress
from think_to_talk.tokens.symbol_tokenizer import symbol_tokenizer

if TYPE_CHECKING:
    from torch.optim import Optimizer

#: Length of the warm-up, as a share of the steps, and gradient norm at which steps are clipped.
_WARM_UP, _CLIP = 0.1, 1.0

#: Another number of threads rounds sums differently, and so trains another model. A second one made
#: a step 1.4 times as fast on idle cores, and 4 to 12 times as slow where it had to wait for one.
_THREADS = 1

#: How often training goes on at most, each time for half of its steps.
_FURTHER_ROUNDS = 3


@dataclass(frozen=True)
class Examples:
    """Problems of one task with their chains.

    ids: [rows, tokens] of problem and chain; newlines follow those of a shorter row.
    n_given: the fewest tokens that are given in a row: of the problem, and of a cut chain up to its
        cut.
    learned: [rows, tokens from `n_given` on] whether a token is after what is given in its row.
    cuts: the same problems, with their chains cut at each equation in turn; empty for none.
    """

    ids: torch.Tensor
    n_given: int
    learned: torch.Tensor
    cuts: Sequence[Examples] = ()


def encode(
    tokenizer: PreTrainedTokenizerFast, rows: Sequence[Mapping[str, Any]], cut: bool = False
) -> Examples:
    """Tokenize rows of one template.

    cut: whether the chains up to their `;`, where there is one, are given.
    """
    ids = tokenizer([row["source"] + row["target"] for row in rows])["input_ids"]
    given = [row["source"] for row in rows]
    if cut:
        given = [
            text + "".join(row["target"].rpartition(";")[:2])
            for text, row in zip(given, rows, strict=True)
        ]
    n_given = torch.tensor([len(of_row) for of_row in tokenizer(given)["input_ids"]])
    lengths = torch.tensor(list(map(len, ids)))
    width = int(lengths.max())
    padding = tokenizer.pad_token_id
    padded = torch.tensor([[*of_row, *[padding] * (width - len(of_row))] for of_row in ids])
    place = torch.arange(int(n_given.min()), width)
    learned = (place >= n_given[:, None]) & (place < lengths[:, None])
    return Examples(padded, int(n_given.min()), learned)


def training_examples(
    tokenizer: PreTrainedTokenizerFast,
    tasks: Mapping[str, Mapping[str, Any]],
    held_out: set[str],
    rows: int,
    seed: int,
    cut: bool = False,
) -> dict[str, Examples]:
    """Fresh problems of each task, {task: examples}.

    tasks: {name: config entry}.
    held_out: sources of problems that must not be among them.
    rows: problems per task.
    seed: of the draw.
    cut: whether their chains are also cut.
    """
    examples = {}
    for name, task in tasks.items():
        whole = draw_rows(Template.from_config(task), rows, seed, set(held_out))
        drawn = [shortened(row, task["chain"]) for row in whole]
        places = range(n_cuts(drawn[0])) if cut else ()
        cuts = [
            encode(tokenizer, [cut_row(row, place) for row in drawn], cut=True) for place in places
        ]
        examples[name] = replace(encode(tokenizer, drawn), cuts=cuts)
    return examples


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
    examples: Mapping[str, Examples],
    entry: Mapping[str, Any],
    seed: int | str,
) -> float:
    """Train on batches of one task at a time; returns the last step's loss (nats per token).

    The learning rates warm up linearly and decay as a cosine. A step has `batch_size` whole chains
    and a share `cut` as many that are cut at one place; its loss is the mean over the tokens that
    come after what is given.

    examples: {task: examples}.
    entry: `steps`, `batch_size`, the learning rates, and `cut`.
    seed: of the choice of tasks and rows.
    """
    torch.set_num_threads(_THREADS)
    rng = random.Random(seed)
    steps = entry["steps"]
    n_cut = round(entry["cut"] * entry["batch_size"])
    optimizers = _optimizers(model, entry)

    def rate(step: int) -> float:
        warm_up = min(1.0, (step + 1) / (_WARM_UP * steps))
        return warm_up * 0.5 * (1 + math.cos(math.pi * step / steps))

    schedules = [torch.optim.lr_scheduler.LambdaLR(o, rate) for o in optimizers]
    names = sorted(examples)
    model.train()
    with progress(steps, f"training, seed {seed}", "steps") as bar:
        for _ in range(steps):
            task = examples[rng.choice(names)]
            shown = [(task, entry["batch_size"])]
            if n_cut:
                shown.append((rng.choice(task.cuts), n_cut))
            losses = torch.cat(
                [
                    _losses(model, some, [rng.randrange(len(some.ids)) for _ in range(n_rows)])
                    for some, n_rows in shown
                ]
            )
            loss = losses.mean()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), _CLIP)
            for optimizer, schedule in zip(optimizers, schedules, strict=True):
                optimizer.step()
                schedule.step()
            model.zero_grad(set_to_none=True)
            bar.set_postfix(loss=f"{loss.item():.4f}", refresh=False)
            bar.update()
    model.eval()
    return loss.item()


def _losses(model: LlamaForCausalLM, task: Examples, rows: Sequence[int]) -> torch.Tensor:
    """Cross-entropy of each token of some rows that comes after what is given, [rows * tokens]."""
    ids, n_learned = task.ids[rows], task.ids.shape[1] - task.n_given
    logits = model(ids[:, :-1], use_cache=False, logits_to_keep=n_learned).logits
    targets = ids[:, task.n_given :].flatten()
    losses = F.cross_entropy(logits.flatten(0, 1), targets, reduction="none")
    return losses[task.learned[rows].flatten()]


def train_until_solved(
    model: LlamaForCausalLM,
    examples: Mapping[str, Examples],
    entry: Mapping[str, Any],
    seed: int,
    valid: Mapping[str, Examples],
) -> dict[str, Any]:
    """Train, and train on until the model solves held-out problems; returns what came of it.

    A further round has half of the steps, and rates that warm up and decay again. After three of
    them training ends, with a warning.

    entry: as of `train`, with `exact_match`: what each task has to reach.
    valid: {task: held-out problems}.
    The result has the `steps`, the last `loss` and `exact_match` {task: share of problems}.
    """
    further = {**entry, "steps": max(1, entry["steps"] // 2)}
    rounds: list[tuple[Mapping[str, Any], int | str]] = [(entry, seed)]
    for number in range(1, _FURTHER_ROUNDS + 1):
        rounds.append((further, f"{seed}, further round {number}"))
    steps = 0
    for settings, drawn in rounds:
        loss = train(model, examples, settings, drawn)
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
    logits = model(task.ids[:, :-1], use_cache=False).logits[:, task.n_given - 1 :]
    right = (logits.argmax(dim=-1) == task.ids[:, task.n_given :]) | ~task.learned
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
) -> None:
    """Train a model and save it with its tokenizer.

    entry: the model's `training` entry.
    tasks: {name: config entry} of the tasks to train on.
    held_out: files of rows and of pairs whose problems are not trained on.
    valid: {task: file of rows} on which the exact match is measured.
    seed: of initial weights, problems and batches.
    folder: where the checkpoint's files are written.
    report: JSON file of what `train_until_solved` returns.
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
    summary = train_until_solved(model, examples, entry, seed, problems)
    with adding_to(folder) as temporary:
        model.save_pretrained(temporary)
        tokenizer.save_pretrained(temporary)
    write_text(report, json.dumps(summary, indent=2) + "\n")

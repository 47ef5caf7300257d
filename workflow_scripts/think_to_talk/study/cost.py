"""Cost estimate of a study: jobs, GPU hours, disk, as a Markdown page (`results/plan.md`).

The rule `plan` writes it before anything runs, from `study.jobs` and `study.needs`.
"""

from __future__ import annotations

from dataclasses import dataclass

from think_to_talk.pages.tables import markdown_table
from think_to_talk.study.disk import Disk, size
from think_to_talk.study.jobs import model_jobs, shared_jobs
from think_to_talk.study.left_out import left_out_notes
from think_to_talk.study.memory import GB
from think_to_talk.study.needs import Needs
from think_to_talk.study.plan import StudyPlan
from think_to_talk.study.work import (
    BANDWIDTH_SHARE,
    CPU_FLOPS,
    LEAST_STEP_SECONDS,
    LOAD_BYTES_PER_SECOND,
    START_SECONDS,
    UTILISATION,
    loading_seconds,
)

_HEADINGS: tuple[str, ...] = (
    *("model", "parameters", "runs on", "memory", "batch", "jobs", "of these, the model runs in"),
    *("forward passes", "hours", "hidden states", "largest task", "probe weights"),
)


@dataclass(frozen=True)
class Cost:
    """What a model costs over all seeds; the ranges are from all chains right to all wrong.

    jobs: all of its jobs. shards: those among them that run the model. passes: forward passes.
    hours: of the GPUs (or the CPU), with loading. hidden, largest: bytes of all hidden states, and
    of the task with the most. weights: bytes of the probes' weights.
    """

    jobs: int
    shards: int
    passes: tuple[int, int]
    hours: tuple[float, float]
    hidden: int
    largest: int
    weights: int


def model_cost(study: StudyPlan, needs: Needs, model: str) -> Cost:
    """What one model costs."""
    seeds, entry = len(study.seeds), study.models[model]
    shards = study.shard_jobs(model)
    decoding = [needs.work(model, task, rows) for task, rows in shards]
    work = [*decoding, *needs.later.of_model(model)]
    loading = len(work) * loading_seconds(needs.placement(model))
    devices = entry.gpus_per_job if entry.runs_on_gpu else 1
    disk = Disk.of_model(study, needs, model)
    return Cost(
        jobs=sum(model_jobs(study, model).values()),
        shards=seeds * len(shards),
        passes=(
            seeds * sum(part.best_passes for part in work),
            seeds * sum(part.worst_passes for part in work),
        ),
        hours=(
            seeds * devices * (loading + sum(part.best_seconds for part in work)) / 3600,
            seeds * devices * (loading + sum(part.worst_seconds for part in work)) / 3600,
        ),
        hidden=disk.hidden,
        largest=disk.largest,
        weights=disk.weights,
    )


def cost_page(study: StudyPlan, needs: Needs) -> str:
    """The page: a row per model, their sum, what is deleted when, and all assumptions."""
    models = list(study.models)
    costs = {model: model_cost(study, needs, model) for model in models}
    rows = [_HEADINGS, *(_row(study, needs, model, costs[model]) for model in models)]
    total = _sum(list(costs.values()))
    n_shared = sum(shared_jobs(study).values())
    rows.append(("**all**", "", "", "", "", f"{total.jobs + n_shared:,}", *_figures(total)[1:]))
    kept = study.config["keep_hidden_states"]
    readers = "probes and logit lens" if study.config["logit_lens"] else "probes"
    return "\n".join(
        [
            "# What this study will cost",
            "",
            f"Models: {len(models)}. Tasks: {len(study.tasks)}. Seeds: {len(study.seeds)}.",
            "",
            markdown_table(rows),
            "",
            f"The sum of the jobs includes {n_shared} that belong to no model (recording "
            "runs for W&B is not counted). Hours are those of the GPUs, or of the CPU where a "
            "model runs there. The first of two figures "
            "holds if every chain of thought is the gold one, the second if every row diverges at "
            "its first token and is decoded to the limit.",
            "",
            "## Disk",
            "",
            f"The study takes {Disk.of_study(study, needs).sentence(kept)}. Problems, generations, "
            "tables and figures come on top, at most some hundred MB.",
            "",
            _kept(total, readers) if kept else _deleted(total, readers),
            "",
            *_left_out(study),
            "## Assumptions",
            "",
            *(f"- {line}" for line in _assumptions(study, needs)),
            "",
        ]
    )


def _left_out(study: StudyPlan) -> list[str]:
    """The lines of what is left out, if anything is."""
    notes = left_out_notes(study)
    return ["## Left out", "", *(f"- {note}" for note in notes), ""] if notes else []


def _row(study: StudyPlan, needs: Needs, model: str, cost: Cost) -> tuple[str, ...]:
    placement = needs.placement(model)
    needed = placement.memory.of(placement.batch_size) / GB
    n_gpus = study.models[model].gpus_per_job
    if placement.gpu is None:
        device = "CPU"
    else:
        device = placement.gpu.name if n_gpus == 1 else f"{n_gpus} × {placement.gpu.name}"
    return (
        model,
        _count(needs.sizes(model).parameters),
        device,
        f"{needed:.1f} GB",
        str(placement.batch_size),
        *_figures(cost),
    )


def _figures(cost: Cost) -> tuple[str, ...]:
    return (
        f"{cost.jobs:,}",
        f"{cost.shards:,}",
        "{:,} – {:,}".format(*cost.passes),
        "{:,.1f} – {:,.1f}".format(*cost.hours),
        size(cost.hidden),
        size(cost.largest),
        size(cost.weights),
    )


def _sum(costs: list[Cost]) -> Cost:
    return Cost(
        jobs=sum(cost.jobs for cost in costs),
        shards=sum(cost.shards for cost in costs),
        passes=(sum(cost.passes[0] for cost in costs), sum(cost.passes[1] for cost in costs)),
        hours=(sum(cost.hours[0] for cost in costs), sum(cost.hours[1] for cost in costs)),
        hidden=sum(cost.hidden for cost in costs),
        largest=max(cost.largest for cost in costs),
        weights=sum(cost.weights for cost in costs),
    )


def _kept(total: Cost, readers: str) -> str:
    return (
        f"Hidden states are kept: {size(total.hidden)} in all. With `keep_hidden_states: false` "
        f"each task's are deleted as soon as its {readers} are done."
    )


def _deleted(total: Cost, readers: str) -> str:
    return (
        f"Hidden states are deleted task by task, each as soon as its {readers} are done: "
        f"at least {size(total.largest)} are needed at once, and at most {size(total.hidden)}, "
        "if all models run before the first probes are fitted. What stays is "
        f"{size(total.weights)} of probe weights, and rows, tables and figures."
    )


def _assumptions(study: StudyPlan, needs: Needs) -> list[str]:
    gpu_models = [name for name, model in study.models.items() if model.runs_on_gpu]
    lines = [
        "A symbol takes one token, a digit two; prompts are as long as the first seed's.",
        "A forward pass takes two operations per weight and token; attention is left out.",
    ]
    if gpu_models:
        peaks = ", ".join(f"{gpu.name}: {gpu.tflops:g} TFLOPS" for gpu in needs.gpus)
        lines += [
            f"Forward passes reach {UTILISATION:.0%} of the peak ({peaks}); decoding "
            f"a token takes the time to read the weights at {BANDWIDTH_SHARE:.0%} of the memory "
            f"bandwidth, and at least {1000 * LEAST_STEP_SECONDS:.0f} ms. "
            "These are assumptions, not measurements.",
            "Memory is what is computed; on each GPU "
            + ", ".join(f"({gpu.name}) {gpu.usable / GB:.0f} GB" for gpu in needs.gpus)
            + " may be used, the rest is kept for what is not computed.",
        ]
    if len(gpu_models) < len(study.models):
        lines.append(f"A CPU core computes {CPU_FLOPS / 1e9:.0f} GFLOPS.")
    lines.append(
        f"Each job takes {START_SECONDS:.0f} s to start, and reads its weights at "
        f"{LOAD_BYTES_PER_SECOND / 1e9:g} GB/s. Probes run on CPUs, and are not in the hours."
    )
    return lines


def _count(number: int) -> str:
    if number >= 1e9:
        return f"{number / 1e9:.2f} B"
    return f"{number / 1e6:.1f} M"

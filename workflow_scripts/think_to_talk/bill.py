"""The bill in advance: what a study will cost, as a Markdown page."""

from __future__ import annotations

from dataclasses import dataclass

from think_to_talk import requirements
from think_to_talk.datasets import PROMPTED_SPLITS
from think_to_talk.planning import StudyPlan
from think_to_talk.tables import markdown_table

#: What is made per task of a model beside its hidden states: tokens, generations, probes, timing
#: and a heat map.
_JOBS_PER_TASK = 5
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


def model_cost(study: StudyPlan, model: str) -> Cost:
    """What one model costs."""
    seeds, entry = len(study.config["seeds"]), study.config["models"][model]
    tasks, shards = study.tasks(model), study.shard_jobs(model)
    interventions = study.intervention_work(model)
    work = [*(study.work(model, task, rows) for task, rows in shards), *interventions]
    loading = len(work) * requirements.loading_seconds(study.placement(model))
    devices = entry["gpus_per_job"] if study.on_gpu(model) else 1
    hidden = {
        task: sum(
            study.hidden_state_bytes(model, task, study.n_rows(task, split))
            for split in PROMPTED_SPLITS
        )
        for task in tasks
    }
    # A hub model is fetched once, a trained one made per seed.
    checkpoints = {"hub": 1, "train": seeds, "local": 0}[entry["kind"]]
    if study.is_untrained(model):
        checkpoints = controls = 0
    else:
        labels = seeds * len(tasks) if "labels" in study.controls else 0
        controls = len(study.controls) + labels
    # A heat map per patched task, and a figure of all.
    drawn = len(study.patched_tasks(model)) + (1 if interventions else 0)
    per_seed = _JOBS_PER_TASK * len(tasks) + len(work) + drawn + 1
    return Cost(
        jobs=seeds * per_seed + checkpoints + controls,
        shards=seeds * len(shards),
        passes=(
            seeds * sum(part.best_passes for part in work),
            seeds * sum(part.worst_passes for part in work),
        ),
        hours=(
            seeds * devices * (loading + sum(part.best_seconds for part in work)) / 3600,
            seeds * devices * (loading + sum(part.worst_seconds for part in work)) / 3600,
        ),
        hidden=seeds * sum(hidden.values()),
        largest=max(hidden.values()),
        weights=seeds * sum(study.probe_weight_bytes(model, task) for task in tasks),
    )


def shared_jobs(study: StudyPlan) -> int:
    """Jobs that belong to no model: the datasets of each seed, and what shows all models."""
    models, tasks = study.config["models"], study.config["tasks"]
    trained = {
        task for model in models.values() for task in model.get("training", {}).get("tasks", [])
    }
    used = trained | {task for model in models for task in study.tasks(model)}
    datasets = sum(1 if "equations" in tasks[task] else len(PROMPTED_SPLITS) for task in used)
    # Pairs are also made to keep them out of what a model is trained on.
    patched = {task for model in models for task in study.patched_tasks(model)}
    altered = {task for model in models for task in study.inconsistent_tasks(model)}
    pairs = sum(len(tasks[task]["edits"]) for task in trained | patched)
    pairs += sum(study.has_results(task) for task in trained | altered)
    # The table of timing, the explorer, the study's page.
    tables = 3 + len(study.controls) + (1 if patched or altered else 0)
    return len(study.config["seeds"]) * (datasets + pairs) + tables


def write_bill(study: StudyPlan) -> str:
    """The page: a row per model, their sum, what is deleted when, and all assumptions."""
    models = list(study.config["models"])
    costs = {model: model_cost(study, model) for model in models}
    rows = [_HEADINGS, *(_row(study, model, costs[model]) for model in models)]
    total = _sum(list(costs.values()))
    rows.append(
        ("**all**", "", "", "", "", f"{total.jobs + shared_jobs(study):,}", *_figures(total)[1:])
    )
    kept = study.config["keep_hidden_states"]
    return "\n".join(
        [
            "# What this study will cost",
            "",
            f"Models: {len(models)}. Tasks: {len(study.config['tasks'])}. "
            f"Seeds: {len(study.config['seeds'])}.",
            "",
            markdown_table(rows),
            "",
            f"The sum of the jobs includes {shared_jobs(study)} that belong to no model (recording "
            "runs for W&B is not counted). Hours are those of the GPUs, or of the CPU where a "
            "model runs there. The first of two figures "
            "holds if every chain of thought is the gold one, the second if every row diverges at "
            "its first token and is decoded to the limit.",
            "",
            "## Disk",
            "",
            _kept(total) if kept else _deleted(total),
            "",
            "## Assumptions",
            "",
            *(f"- {line}" for line in _assumptions(study)),
            "",
        ]
    )


def _row(study: StudyPlan, model: str, cost: Cost) -> tuple[str, ...]:
    placement = study.placement(model)
    needed = placement.memory.of(placement.batch_size) / requirements.GB
    n_gpus = study.config["models"][model]["gpus_per_job"]
    if placement.gpu is None:
        device = "CPU"
    else:
        device = placement.gpu.name if n_gpus == 1 else f"{n_gpus} × {placement.gpu.name}"
    return (
        model,
        _count(study.architecture(model).parameters),
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
        _size(cost.hidden),
        _size(cost.largest),
        _size(cost.weights),
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


def _kept(total: Cost) -> str:
    return (
        f"Hidden states are kept: {_size(total.hidden)} in all. With `keep_hidden_states: false` "
        "each task's are deleted as soon as its probes are done."
    )


def _deleted(total: Cost) -> str:
    return (
        "Hidden states are deleted task by task, each as soon as the probes of the task are done: "
        f"at least {_size(total.largest)} are needed at once, and at most {_size(total.hidden)}, "
        "if all models run before the first probes are fitted. What stays is "
        f"{_size(total.weights)} of probe weights, and rows, tables and figures."
    )


def _assumptions(study: StudyPlan) -> list[str]:
    on_gpu = [model for model in study.config["models"] if study.on_gpu(model)]
    lines = [
        "A symbol takes one token, a digit two; prompts are as long as the first seed's.",
        "A forward pass takes two operations per weight and token; attention is left out.",
    ]
    if on_gpu:
        peaks = ", ".join(f"{gpu.name}: {gpu.tflops:g} TFLOPS" for gpu in study.gpus)
        lines += [
            f"Forward passes reach {requirements.UTILISATION:.0%} of the peak ({peaks}); decoding "
            "a token takes the time to read the weights at half of the memory bandwidth, and at "
            "least 25 ms. These are assumptions, not measurements.",
            "Memory is what is computed; on each GPU "
            + ", ".join(f"({gpu.name}) {gpu.usable / requirements.GB:.0f} GB" for gpu in study.gpus)
            + " may be used, the rest is kept for what is not computed.",
        ]
    if len(on_gpu) < len(study.config["models"]):
        lines.append(f"A CPU core computes {requirements.CPU_FLOPS / 1e9:.0f} GFLOPS.")
    lines.append(
        "Each job takes a minute to start, and reads its weights at 0.5 GB/s. Probes run on CPUs, "
        "and are not in the hours."
    )
    return lines


def _count(number: int) -> str:
    if number >= 1e9:
        return f"{number / 1e9:.2f} B"
    return f"{number / 1e6:.1f} M"


def _size(size: int) -> str:
    for unit, bound in (("TB", 2**40), ("GB", 2**30)):
        if size >= bound:
            return f"{size / bound:.1f} {unit}"
    return f"{size / 2**20:.0f} MB"

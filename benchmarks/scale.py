"""What the paper's study costs: decoding by its plan, probing by the measured cost of one layer."""

from __future__ import annotations

from typing import Any

import yaml
from snakemake.utils import update_config

from bench import Bench
from growth import VARIABLES, measured_paper_size
from measure import REPOSITORY, Row
from think_to_talk.study.configuration import complete, load_schema
from think_to_talk.study.needs import Needs
from think_to_talk.study.plan import StudyPlan

#: An A100's peak in fp32, and the share of it that the products of probing are taken to reach.
_A100_FP32, _SHARE = 19.5e12, 0.3

ASSUMPTIONS = (
    "decoding: as in results/plan.md (a forward pass reaches 30 % of an A100's bf16 peak, a token "
    "is decoded in the time that reading the weights at half of the bandwidth takes; from every "
    "chain being the gold one to every row diverging at once; loading is left out)",
    "probing: the measured time of one layer at the paper's size, scaled linearly with training "
    "rows, positions, saved layers, variables and width, as the curves grow",
    f"probing on an A100: the same by the ratio of {_SHARE:.0%} of {_A100_FP32 / 1e12:g} TFLOPS "
    "in fp32 to the measured rate of this machine; the workflow itself probes on CPUs",
)


def paper_plan() -> StudyPlan:
    """The paper's study, its general few-shot task left out: nine models, five levels."""
    config = yaml.safe_load((REPOSITORY / "config.yaml").read_text())
    update_config(config, yaml.safe_load((REPOSITORY / "studies/paper.yaml").read_text()))
    levels = {name: task for name, task in config["tasks"].items() if "general" not in name}
    config["tasks"] = levels
    return StudyPlan(complete(config, load_schema("config", REPOSITORY / "schemas")))


def paper_estimate(bench: Bench, details: dict[str, Any]) -> list[Row]:
    """Hours of the paper's nine models on five levels."""
    one_layer = measured_paper_size(bench, details)
    size = {key: one_layer[key] for key in ("rows", "positions", "width")}
    per_unit = one_layer["seconds"] / (size["rows"] * size["positions"] * size["width"] * VARIABLES)
    plan = paper_plan()
    needs = Needs(plan)
    models = [name for name in plan.models if plan.tasks_of(name)]
    best = worst = probing = 0.0
    for model in models:
        for task in plan.tasks_of(model):
            for split in ("test", "probing_train"):
                work = needs.work(model, task, plan.n_rows(task, split))
                best, worst = best + work.best_seconds, worst + work.worst_seconds
            probing += (
                per_unit
                * plan.n_rows(task, "probing_train")
                * needs.prompt(model, task).positions
                * len(needs.layers(model))
                * plan.n_variables(task)
                * needs.sizes(model).hidden_size
            )
    on_gpu = probing * bench.machine.matmul / (_SHARE * _A100_FP32)
    details["paper_scale"] = {
        "models": models,
        "decoding_gpu_hours": [best / 3600, worst / 3600],
        "probing_hours_here": probing / 3600,
        "probing_a100_hours": on_gpu / 3600,
        "assumptions": ASSUMPTIONS,
    }
    return [
        Row(
            "paper scale",
            f"estimate for {len(models)} models and {len(plan.tasks_of(models[0]))} levels",
            f"decoding {best / 3600:.1f} to {worst / 3600:.0f} A100-hours, probing "
            f"{probing / 3600:.0f} h on {bench.machine.threads} cores like these or "
            f"{on_gpu / 3600:.1f} h on an A100",
        )
    ]

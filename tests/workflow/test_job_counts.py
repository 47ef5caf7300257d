"""The jobs per rule that the cost estimate counts are those that Snakemake plans."""

import re
from collections import Counter

import pytest
import yaml
from snakemake.utils import update_config
from support.repository import REPOSITORY
from support.studies import Study, copied_repository

from think_to_talk.study.configuration import complete
from think_to_talk.study.jobs import model_jobs, shared_jobs
from think_to_talk.study.plan import StudyPlan


@pytest.mark.parametrize(
    "overlay", [None, "paper", "controls", "findings", "interventions", "clocks", "smollm2"]
)
def test_the_estimated_jobs_are_the_planned_ones(tmp_path, schema, overlay):
    config = yaml.safe_load((REPOSITORY / "config.yaml").read_text())
    if overlay:
        update_config(config, yaml.safe_load((REPOSITORY / f"studies/{overlay}.yaml").read_text()))
    plan = StudyPlan(complete(config, schema))
    estimated = Counter(shared_jobs(plan))
    for model in plan.models:
        estimated.update(model_jobs(plan, model))

    study = Study(copied_repository(tmp_path / "study"), overlay and f"studies/{overlay}.yaml")
    output = study.snakemake("--dry-run", "--forceall", "--quiet", "rules").stdout
    # Snakemake prints its table of jobs before and after the plan.
    table = re.search(r"^job +count$.*?^total +\d+$", output, re.M | re.S).group()
    planned = Counter()
    for rule, count in re.findall(r"^(\w[\w-]*) +(\d+)$", table, re.M):
        planned["tokens" if rule.startswith("tokens_") else rule] += int(count)
    n_jobs = planned.pop("total")
    assert planned.pop("all") == 1
    assert +estimated == planned
    assert estimated.total() == n_jobs - 1

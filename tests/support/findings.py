"""Rows that findings are made from, and the findings that docs/findings.md quotes."""

import re

import yaml
from jsonschema import Draft202012Validator

from support.repository import REPOSITORY
from support.templates import template
from think_to_talk.findings.table import COLUMNS, finding_rows
from think_to_talk.formulas.derivations import Derivation
from think_to_talk.formulas.templates import Template

#: A number and an answer of one step; an answer of two steps, with a distractor; problems that
#: differ, of which nothing is known.
EQUATIONS = {
    "one": ["v0 = num", "v1 = num ± v0"],
    "two": ["v0 = num ± num", "v1 = num ± num", "v2 = num ± v1"],
    "mixed": ["v0 = num | num ± num", "v1 = num ± v0"],
}
DERIVATIONS = {
    task: Derivation.of(Template.from_config(template(equations)))
    for task, equations in EQUATIONS.items()
}


def timing_row(task, variable, seed=1, model="m", **values):
    columns = ("cot_accuracy", "acc_before", "acc_after", "lag", "heldout_before", "heldout_after")
    row = {"model": model, "seed": seed, "task": task, "variable": variable}
    return {**row, **dict.fromkeys(columns), **values}


def clocks_row(task, variable, seed=1, model="m", **values):
    """A row of the table of clocks."""
    row = {"model": model, "seed": seed, "task": task, "variable": variable}
    return {**row, **dict.fromkeys(("t_star_heldout", "t_said", "t_used")), **values}


def effect(task, seed=1, **values):
    """A row of the table of interventions."""
    row = {"model": "m", "seed": seed, "task": task, "intervention": "patching", "variable": None}
    columns = ("spec", "edit", "kept", "changed")
    return {**row, **dict.fromkeys(columns), "pairs": "solved", **values}


def findings(timing, interventions=(), threshold=0.9, clocks=()):
    """{(finding, task, variable): its row}, each of which fits the schema."""
    path = REPOSITORY / "schemas/finding_row.schema.yaml"
    schema = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert list(schema["properties"]) == list(COLUMNS)
    tables = {"timing": timing, "clocks": clocks, "interventions": interventions}
    rows = finding_rows(tables, DERIVATIONS, threshold)
    for row in rows:
        Draft202012Validator(schema).validate(row)
        assert list(row) == list(COLUMNS)
    return {(row["finding"], row["task"], row["variable"]): row for row in rows}


def quoted_findings():
    """(key, level) of each finding that docs/findings.md says holds in every seed."""
    page = (REPOSITORY / "docs/findings.md").read_text(encoding="utf-8")
    lines = re.findall(r"^\| `([a-z-]+)` \| ([1-5](?:, [1-5])*) \|", page, re.MULTILINE)
    return [(key, f"level-{level}") for key, levels in lines for level in levels.split(", ")]

"""The findings of a study: one record each, in the order of the question that the study asks.

Can a value be decoded before the chain of thought begins, or only in it? Is it the value, or what a
probe has memorised of its operands? When does the model say it, if it must answer? Is what can be
decoded used? `findings.table` checks each record for every model, task and seed. A probe decodes a
value if its accuracy exceeds the threshold of t*.
"""

from __future__ import annotations

import operator
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

#: What a variable can be: a number that the problem states (or a copy of one); a value that has to
#: be computed for the answer, the answer included; such a value that takes one step; the answer, if
#: it takes several steps.
Role = Literal["number", "computed", "one step", "answer"]

#: {relation: (its sign, its function, which of several values is furthest from it)}
RELATIONS = {
    "above": (">", operator.gt, min),
    "at least": ("≥", operator.ge, min),
    "at most": ("≤", operator.le, max),
}


@dataclass(frozen=True, kw_only=True)
class Finding:
    """A claim about a task, or about a variable of it.

    key: its name in rows and documents.
    claim: a sentence without its end; {variable} stands for the variable's name.
    table: whose rows the claim is about.
    where: values of columns that these rows have. Of several rows of a seed, such as one per edit,
        the worst counts.
    role: of the variables that the claim is about; None for rows of any variable or of none.
    of_task: whether the claim is about the task, whatever the row's variable.
    column: what is measured.
    subtracted: a column that is subtracted from it.
    measured: the same in words.
    relation, bound: what the measured number must be; a bound of None is the threshold of t*.
    compared: {column: words} of a number that is shown beside it.
    """

    key: str
    claim: str
    table: Literal["timing", "clocks", "interventions"]
    where: Mapping[str, Any] = field(default_factory=dict)
    role: Role | None = None
    of_task: bool = False
    column: str
    subtracted: str | None = None
    measured: str
    relation: Literal["above", "at least", "at most"]
    bound: float | None = None
    compared: Mapping[str, str] = field(default_factory=dict)


FINDINGS = (
    Finding(
        key="chains-correct",
        claim="the model writes correct chains of thought for unseen problems",
        table="timing",
        # It is the same for all variables of a task.
        where={"variable": 0},
        of_task=True,
        column="cot_accuracy",
        measured="share of test problems",
        relation="at least",
        bound=0.95,
    ),
    Finding(
        key="number-before",
        claim="a probe decodes the number {variable} before the chain of thought begins",
        table="timing",
        role="number",
        column="acc_before",
        measured="best accuracy before the chain",
        relation="above",
    ),
    Finding(
        key="answer-not-before",
        claim="no probe decodes the answer {variable} before the chain of thought begins",
        table="timing",
        role="answer",
        column="acc_before",
        measured="best accuracy before the chain",
        relation="at most",
    ),
    Finding(
        key="answer-in-chain",
        claim="a probe decodes the answer {variable} in the chain of thought",
        table="timing",
        role="answer",
        column="acc_after",
        measured="best accuracy in the chain",
        relation="above",
    ),
    Finding(
        key="answer-after-text",
        claim="probes decode the answer {variable} only after the text has determined it",
        table="timing",
        role="answer",
        column="lag",
        measured="t* less t_text, in tokens",
        relation="above",
        bound=0,
    ),
    Finding(
        key="memorised-before",
        claim="before the chain of thought begins, probes decode {variable} less well for "
        "expressions that they were not trained on",
        table="timing",
        role="one step",
        column="acc_before",
        subtracted="heldout_before",
        measured="best accuracy less best held-out accuracy before the chain",
        relation="at least",
        bound=0.2,
        compared={"heldout_before": "best held-out accuracy"},
    ),
    Finding(
        key="unseen-not-before",
        claim="no probe decodes {variable} before the chain of thought begins for expressions that "
        "it was not trained on",
        table="timing",
        role="computed",
        column="heldout_before",
        measured="best held-out accuracy before the chain",
        relation="at most",
        compared={"acc_before": "for all expressions"},
    ),
    Finding(
        key="unseen-in-chain",
        claim="a probe decodes {variable} in the chain of thought for expressions that it was not "
        "trained on",
        table="timing",
        role="computed",
        column="heldout_after",
        measured="best held-out accuracy in the chain",
        relation="above",
    ),
    Finding(
        key="answer-said-in-chain",
        claim="asked for the answer {variable} before the chain of thought and after each of its "
        "equations, the model says it only in the chain",
        table="clocks",
        role="answer",
        column="t_said",
        measured="t_said, in tokens from the beginning of the chain",
        relation="at least",
        bound=0,
    ),
    Finding(
        key="said-before-readable",
        claim="the model says the answer {variable}, if it must, before a probe decodes it for "
        "expressions that it was not trained on",
        table="clocks",
        role="answer",
        column="t_star_heldout",
        subtracted="t_said",
        measured="held-out t* less t_said, in tokens",
        relation="above",
        bound=0,
    ),
    Finding(
        key="changed-in-chain",
        claim="patches above the input change what the chain says of {variable} only in the chain "
        "of thought",
        table="clocks",
        role="computed",
        column="t_used",
        measured="t_used, in tokens from the beginning of the chain",
        relation="at least",
        bound=0,
    ),
    Finding(
        key="problem-not-used",
        claim="with the chain of thought given, the final answer stays the same when all hidden "
        "states of the problem are replaced by another problem's",
        table="interventions",
        where={"intervention": "patching", "spec": "problem", "pairs": "solved"},
        of_task=True,
        column="kept",
        measured="share of pairs, lowest of all edits",
        relation="at least",
        bound=0.95,
    ),
    Finding(
        key="chain-used",
        claim="the final answer becomes another problem's when all hidden states of the chain of "
        "thought are replaced by that problem's",
        table="interventions",
        where={"intervention": "patching", "spec": "chain", "pairs": "solved"},
        of_task=True,
        column="changed",
        measured="share of pairs, lowest of all edits",
        relation="at least",
        bound=0.95,
    ),
    Finding(
        key="wrong-result-followed",
        claim="the final answer follows a wrong result of {variable} in the chain of thought",
        table="interventions",
        where={"intervention": "inconsistent_chain", "pairs": "solved"},
        column="changed",
        measured="share of pairs",
        relation="at least",
        bound=0.95,
    ),
)

"""The timing table: when each variable of a task becomes readable.

It joins the probe rows of `probes.fitting` with the share of correct chains of thought among the
generations and with what the text says (`timing.text`). All dates are token positions t, counted
from the first token of the chain of thought. Headline figures have an interval over expressions
(`timing.bootstrap`): that of the chosen probe, not of the choice among probes. `controls`,
`figures`, `pages` and `run.wandb_runs` read the rows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from think_to_talk.formulas.symbols import probed_digit
from think_to_talk.timing.best_probes import best_before_and_after, best_layers, first_readable
from think_to_talk.timing.bootstrap import cluster_interval
from think_to_talk.timing.persistence import crossfit_score, persistence, settled_from
from think_to_talk.timing.text import determined_from, position_ceilings

#: Accuracies that have the columns `{name}_cluster_low` and `{name}_cluster_high`.
HEADLINE = ("score", "acc_before", "acc_after", "heldout_before", "heldout_after")

#: The columns of the timing table, in order.
COLUMNS = (
    *("model", "seed", "task", "variable", "t_star", "t_star_equation", "layer", "score"),
    *("acc_before", "acc_after", "cot_accuracy", "n_test"),
    *("t_star_certain", "t_settled", "persistence", "score_crossfit", "t_text", "lag"),
    *("t_star_heldout", "lag_heldout", "heldout_before", "heldout_after"),
    *(f"{name}_cluster_{end}" for name in HEADLINE for end in ("low", "high")),
)

#: {column: its heading} of the columns that readers are shown, in order.
VISIBLE_COLUMNS = {
    "model": "model",
    "seed": "seed",
    "task": "task",
    "variable": "variable",
    "t_star": "t*",
    "t_star_equation": "t*eq",
    "layer": "layer",
    "score": "score",
    "t_star_heldout": "held-out t*",
    "t_text": "t_text",
    "lag": "lag",
    "acc_before": "before CoT",
    "heldout_before": "held-out before",
    "acc_after": "in CoT",
    "cot_accuracy": "CoT accuracy",
    "n_test": "test rows",
}


def timing_rows(
    probe_rows: Sequence[Mapping[str, Any]],
    generations: Sequence[Mapping[str, Any]],
    threshold: float,
    identity: Mapping[str, Any],
    ceiling_rows: Sequence[Mapping[str, Any]] = (),
    expressions: Sequence[Sequence[str] | None] = (),
) -> list[dict[str, Any]]:
    """The timing of each variable of a task.

    probe_rows: all probes of the task.
    generations: the model's chains of thought for the test rows; without any, as for published
        probe rows, `cot_accuracy` is null.
    threshold: the accuracy that t* must exceed; t* is counted from the first token of the chain of
        thought.
    identity: model, seed and task.
    ceiling_rows: of `formulas.ceilings`; none for a dataset from elsewhere.
    expressions: per variable, that of each row of the test dataset, or None, as of
        `formulas.expressions.expression_texts`; without them, intervals over expressions are null.
    """
    cot_accuracy = None
    if generations:
        cot_accuracy = sum(row["correct"] for row in generations) / len(generations)
    positions = {row["relative_position"] for row in probe_rows}
    rows = []
    for variable in sorted({row["variable"] for row in probe_rows}):
        own = [row for row in probe_rows if row["variable"] == variable]
        best = best_layers(own, variable)
        star = first_readable(best, threshold) or {}
        t_star = star.get("relative_position")
        certain = first_readable(best, threshold, "ci_low") or {}
        before, after = best_before_and_after(best)
        heldout = best_layers(own, variable, "heldout_score")
        heldout_star = first_readable(heldout, threshold, "heldout_score") or {}
        t_star_heldout = heldout_star.get("relative_position")
        heldout_before, heldout_after = best_before_and_after(heldout, "heldout_score")
        t_text = determined_from(position_ceilings(own, ceiling_rows, variable))
        texts = expressions[probed_digit(variable)[0]] if expressions else None
        rows.append(
            {
                **identity,
                "variable": variable,
                "t_star": t_star,
                "t_star_equation": star.get("equation"),
                "layer": star.get("layer"),
                "score": star.get("score"),
                "acc_before": before and before["score"],
                "acc_after": after and after["score"],
                "cot_accuracy": cot_accuracy,
                "n_test": len(generations) if generations else own[0]["n_test"],
                "t_star_certain": certain.get("relative_position"),
                "t_settled": settled_from(best, positions, threshold),
                "persistence": persistence(best, positions, threshold, t_star),
                "score_crossfit": crossfit_score(
                    row for row in own if row["relative_position"] == t_star
                ),
                "t_text": t_text,
                "lag": _difference(t_star, t_text),
                "t_star_heldout": t_star_heldout,
                "lag_heldout": _difference(t_star_heldout, t_text),
                "heldout_before": heldout_before and heldout_before["heldout_score"],
                "heldout_after": heldout_after and heldout_after["heldout_score"],
                **_cluster_columns("score", star, texts),
                **_cluster_columns("acc_before", before, texts),
                **_cluster_columns("acc_after", after, texts),
                **_cluster_columns("heldout_before", heldout_before, texts, "heldout_predictions"),
                **_cluster_columns("heldout_after", heldout_after, texts, "heldout_predictions"),
            }
        )
    return rows


def _cluster_columns(
    name: str,
    probe: Mapping[str, Any] | None,
    texts: Sequence[str] | None,
    predictions: str = "predictions",
) -> dict[str, float | None]:
    """The interval over expressions of a probe's accuracy; null without probe or expressions.

    texts: the expression of each row of the test dataset.
    predictions: the key of the predictions that are scored.
    """
    interval = None
    if probe and texts:
        scored = zip(probe["answer"], probe[predictions], strict=True)
        hits = [answer == prediction for answer, prediction in scored]
        interval = cluster_interval(hits, [texts[number] for number in probe["sample_ids"]])
    low, high = interval or (None, None)
    return {f"{name}_cluster_low": low, f"{name}_cluster_high": high}


def _difference(later: int | None, earlier: int | None) -> int | None:
    return None if later is None or earlier is None else later - earlier

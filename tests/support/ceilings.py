"""The probe rows of a study beside the ceilings of its tasks."""

from scipy.stats import binom

from think_to_talk.files.jsonl import read_jsonl
from think_to_talk.timing.text import position_ceilings

#: A study without leaks has a probe above its ceiling with at most this probability.
FALSE_ALARM = 0.001


def above_ceiling(folder):
    """The probes of a study's generated tasks that are above their ceilings, by their places."""
    found = []
    for ceilings in sorted(folder.glob("results/formulas/ceilings/*.jsonl")):
        for probes in sorted(folder.glob(f"results/*/seed-*/probes/{ceilings.name}")):
            rows = leaking(read_jsonl(probes), read_jsonl(ceilings))
            found += [
                (str(probes), *(row[key] for key in ("variable", "layer", "relative_position")))
                for row in rows
            ]
    return found


def leaking(probe_rows, ceiling_rows):
    """The rows whose accuracy is above the ceiling, beyond an interval for all rows together.

    Among thousands of probes, some exceed their ceiling by more than a 95 % interval: the interval
    is as wide as the number of rows demands.
    """
    variables = {row["variable"] for row in probe_rows}
    ceilings = {v: position_ceilings(probe_rows, ceiling_rows, v) for v in variables}
    found = []
    for row in probe_rows:
        if row["score"] is not None:
            ceiling = ceilings[row["variable"]][row["relative_position"]]
            hits = round(row["score"] * row["n_test"])
            if binom.sf(hits - 1, row["n_test"], ceiling) < FALSE_ALARM / len(probe_rows):
                found.append(row)
    return found

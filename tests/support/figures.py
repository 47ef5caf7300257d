"""Probe rows and their timing, as figures draw them."""

from math import isnan

import numpy as np

from think_to_talk.timing.table import timing_rows

SYMBOLS = "B=#±A,A=#;B=?B=#±A,A=#,B=#⏎"


COT_START = 13


IDENTITY = {"model": "tiny", "seed": 42, "task": "level-1"}


def random_probe_rows():
    """Probe rows of two layers and two variables, readable from positions 17 and 18 on."""
    rng = np.random.default_rng(0)
    rows = []
    for layer in (0, 2):
        for position, symbol in enumerate(SYMBOLS):
            for variable in range(2):
                score = float(rng.uniform(0.1, 0.5)) if position < 17 + variable else 0.96
                rows.append(
                    {
                        "layer": layer,
                        "position": position,
                        "relative_position": position - COT_START,
                        "equation": 0,
                        "symbol": symbol,
                        "symbol_index": position if position != 3 else None,
                        "variable": variable,
                        "score": score,
                        "ci_low": score - 0.02,
                        "ci_high": score + 0.02,
                        "heldout_score": None,
                        "heldout_ci_low": None,
                        "heldout_ci_high": None,
                        "chance": 0.2,
                        "predictions": None,
                    }
                )
    return rows


def with_template(rows, n=2):
    """The rows of a model with a chat template, which has so many positions before the chain."""
    shifted = [
        {
            **row,
            "position": row["position"] + (n if row["relative_position"] >= 0 else 0),
            "relative_position": row["relative_position"]
            - (n if row["position"] < COT_START else 0),
        }
        for row in rows
    ]
    of_template = [
        {
            **row,
            "position": COT_START + i,
            "relative_position": i - n,
            **{"equation": -0.5, "symbol": "▪", "symbol_index": None, "score": 0.9},
        }
        for row in rows
        if row["relative_position"] == 0
        for i in range(n)
    ]
    return [*shifted, *of_template]


def probe_rows_of(problem, chain, n_variables, layers):
    """Probe rows of a task with these symbols, a token each; readable in the last layer's chain."""
    rows = []
    equation = -1 - sum(map(problem.count, ",;"))
    for place, symbol in enumerate(problem + chain):
        equation = 0 if place == len(problem) else equation
        for layer in layers:
            for variable in range(n_variables):
                readable = place >= len(problem) + 9 * variable and layer == max(layers)
                score = 0.95 if readable else 0.2 + 0.1 * variable
                rows.append(
                    {
                        **{"layer": layer, "position": place, "symbol_index": place},
                        **{"relative_position": place - len(problem), "equation": equation},
                        **{"symbol": symbol, "variable": variable, "chance": 0.2},
                        **{"score": score, "ci_low": score - 0.02, "ci_high": score + 0.02},
                        **dict.fromkeys(("heldout_score", "heldout_ci_low", "heldout_ci_high")),
                        "predictions": None,
                    }
                )
        equation += symbol in ",;"
    return rows


def with_heldout(rows, variable=1):
    """The rows, of which those of a variable have held-out accuracy: 0.95 from position 20 on."""
    return [
        {
            **row,
            "heldout_score": (score := 0.1 if row["position"] < 20 else 0.95 + row["layer"] / 100),
            "heldout_ci_low": score - 0.03,
            "heldout_ci_high": score + 0.02,
        }
        if row["variable"] == variable
        else row
        for row in rows
    ]


#: A is determined by its number, B by the same (`A=#`).
CEILINGS = [
    {"symbol_index": symbol, "variable": variable, "ceiling": 0.25 if symbol < 8 else 1.0}
    for symbol in range(COT_START)
    for variable in range(2)
]


#: Places of symbols that lines join: all but the separators, and a token that completes none.
JOINED = [
    place - COT_START
    for place, symbol in enumerate(SYMBOLS)
    if place != 3 and symbol not in (",", ";", "⏎")
]


def points(line):
    """{x: y} of a line, without its gaps."""
    pairs = zip(line.get_xdata(), line.get_ydata(), strict=True)
    return {x: y for x, y in pairs if not isnan(y)}


def timing(probe_rows):
    return timing_rows(probe_rows, [{"correct": True}], 0.9, IDENTITY)

"""Every figure, drawn from rows that crowd it: a long model name, 75 symbols, three variables."""

from support.figures import probe_rows_of, timing, with_heldout
from think_to_talk.controls.results import Result
from think_to_talk.controls.tables import control_rows
from think_to_talk.figures.clocks import draw_clocks
from think_to_talk.figures.controls import draw_control
from think_to_talk.figures.forced_answers import draw_forced_answers
from think_to_talk.figures.free_writing import draw_free_writing
from think_to_talk.figures.heatmap import draw_heatmap
from think_to_talk.figures.interventions import draw_effects
from think_to_talk.figures.logit_lens import draw_logit_lens
from think_to_talk.figures.overview import draw_overview
from think_to_talk.figures.patched_probes import draw_patched_probes
from think_to_talk.figures.patching import draw_patching
from think_to_talk.figures.steering import draw_steering
from think_to_talk.figures.transfer import draw_transfer
from think_to_talk.interventions.table import COLUMNS
from think_to_talk.timing.clocks import CLOCKS

#: Level 5, the longest of the default study.
PROBLEM = "C=#±B,B=#±A,A=#±#;C=?"
CHAIN = "C=#±B,B=#±A,A=#±#,A=#,B=#±A,B=#±#,B=#,C=#±B,C=#±#,C=#⏎"

TITLE = "a-model-with-a-name-that-takes-all-of-the-width-32b-instruct, seed 1234"

EDITS = ("first-formula", "second-formula", "random", "distractor")

_SPECS = ("problem", "earlier chain", "last equation", "chain", "everything before")


def _probes():
    rows = probe_rows_of(PROBLEM, CHAIN, n_variables=3, layers=range(4))
    return with_heldout(with_heldout(rows, 2), 1)


def _share(name, value):
    return {name: value, f"{name}_ci_low": max(0, value - 0.1), f"{name}_ci_high": value + 0.05}


def _ceilings():
    return [
        {"symbol_index": symbol, "variable": variable, "ceiling": 0.25}
        for symbol in range(len(PROBLEM))
        for variable in range(3)
    ]


def _clock(variable):
    """Dates of which two variables share all, and the third has none but the text's."""
    dates = dict(zip(CLOCKS, (-5, 2, 9, 16, 30), strict=True))
    if variable == 2:
        dates = {**dict.fromkeys(CLOCKS), "t_text": -5}
    return {
        "task": "level-5",
        "variable": variable,
        "heldout": True,
        "cuts": 3,
        "pairs": 20,
        **dates,
    }


def _forced(probes):
    return [
        {**row, "cut": cut, **_share("accuracy", 0.3 * cut), "digit_mass": 0.7, "answer": [9]}
        for cut, row in enumerate(probes[21:60:12])
    ]


def _effects():
    """Interventions whose shares coincide."""
    empty = dict.fromkeys(COLUMNS)
    known = {"task": "level-5", "pairs": "solved", "n": 9, **_share("changed", 0.5)}
    known |= _share("kept", 0.5)
    patched = [
        {**empty, **known, "intervention": kind, "spec": spec, "edit": edit}
        for kind, edits in (("patching", EDITS[:3]), ("random_donor", EDITS[:3]))
        for edit in edits
        for spec in _SPECS
    ]
    distracted = [
        {**empty, **known, "intervention": "distractor", "spec": spec, "edit": "distractor"}
        for spec in _SPECS
    ]
    chains = [
        {**empty, **known, "intervention": "inconsistent_chain", "variable": variable}
        for variable in (0, 1)
    ]
    return [*patched, *distracted, *chains]


def _patching():
    """The first edit changes all numbers of the chain; no pair of the last is solved."""
    return [
        {
            **{"model": "a-model", "seed": 1, "task": "level-5", "edit": edit},
            **{"kind": "sliding", "donor": "paired", "rows": "solved", "layers": [layer]},
            **{"equation": equation, "answer_equation": answer, "variable": answer % 3},
            **{"n": 0 if edit == "distractor" else 50, "success": 0.5, "other": 0.1},
        }
        for edit in EDITS
        for answer in range(10)
        for equation in range(-4, answer + 1)
        for layer in range(4)
        if edit in ("first-formula", "distractor") or answer == 9
    ]


def _free():
    return [
        {
            **{"task": "level-5", "edit": edit, "kind": "sliding", "rows": "solved"},
            **{"n": 0 if edit == "distractor" else 50, "layers": [layer], "equation": equation},
            "success": 0.5,
        }
        for edit in EDITS
        for equation in range(-4, 0)
        for layer in range(4)
    ]


def _patched():
    return [
        {
            **{"edit": "random", "spec": spec, "variable": variable, "layer": 1, "n": 50},
            **{"relative_position": t, "symbol_index": t + len(PROBLEM), "patched": False},
            **{"source_accuracy": 1.0, "target_accuracy": 1.0, **_share("moved", 0.5)},
        }
        for spec in ("problem", "chain")
        for variable in range(3)
        for t in (20, 21, 40)
    ]


def _steering():
    return [
        {
            **{"position": position, "variable": variable, "layer": layer, "kind": kind},
            **{"factor": factor, "n": 50, "passes_held_out": passes, **_share("follows", 0.5)},
        }
        for position, variable in ((30, 0), (50, 1), (73, 2))
        for layer, passes in ((1, True), (2, False))
        for kind in ("probe", "random")
        for factor in (1, 2)
    ]


def _controls(probes):
    """{name: a figure} of each control, over five tasks and two seeds."""
    columns = {"sample_ids": [0, 1, 2, 3], "answer": [1] * 4, "predictions": [1, 1, 0, 2]}
    probes = [{**row, **columns} for row in probes]
    generated = [{"row": row, "correct": row > 0, "aligned": row > 0} for row in range(4)]
    dates = [{**row, "t_star": 20 + row["variable"]} for row in timing(probes)]
    compared = {
        "labels": probes,
        "untrained": probes,
        "wrong_rows": generated,
        "thresholds": [],
        "seeds": dates,
    }
    options = {"thresholds": {"thresholds": [0.5, 0.6, 0.7, 0.9, 0.95, 0.99]}}
    figures = {}
    for control, rows in compared.items():
        results = [Result(1, f"level-{level}", probes, rows) for level in range(1, 6)]
        tables = control_rows(control, "m", results, options.get(control, {}))
        figures[control] = draw_control(control, TITLE, results, tables, {"level-5": _ceilings()})
    return figures


def _transfer(probes):
    """Probes of level 5 on level 5, of another model."""
    places = {row["symbol_index"]: row for row in probes if row["layer"] == 0}
    described = {
        f"test_{key}": [row[key] for row in places.values()]
        for key in ("relative_position", "symbol", "symbol_index")
    }
    model = TITLE.split(",")[0]
    whose = {"model": model, "train_model": f"{model}-base", "task": "level-5"}
    return [
        {
            **row,
            **whose,
            **described,
            "train_task": "level-5",
            "test_variable": row["variable"],
            "n_test": 100,
            "hits": [(7 * i + row["symbol_index"]) % 100 for i in range(len(places))],
        }
        for row in probes
    ]


def printed_figures():
    """{name: figure} of every kind of figure that a study can have."""
    probes = _probes()
    tasks = {"level-5": probes}
    lens = [{**row, "score": 0.5, "digit_mass": 0.3} for row in probes]
    dates = timing(probes)
    return {
        "draw_overview": draw_overview(tasks, 0.9, TITLE, {"level-5": _ceilings()}),
        "draw_heatmap": draw_heatmap(probes, dates, _ceilings()),
        "draw_clocks": draw_clocks(tasks, [_clock(variable) for variable in range(3)], TITLE),
        "draw_logit_lens": draw_logit_lens(tasks, {"level-5": lens}, 0.9, TITLE),
        "draw_forced_answers": draw_forced_answers(tasks, {"level-5": _forced(probes)}, 0.5, TITLE),
        "draw_effects": draw_effects(_effects(), TITLE),
        "draw_patching": draw_patching(_patching(), probes),
        "draw_free_writing": draw_free_writing(_free(), tasks, TITLE),
        "draw_patched_probes": draw_patched_probes(tasks, {"level-5": _patched()}, 0.9, TITLE),
        "draw_steering": draw_steering(tasks, {"level-5": _steering()}, TITLE),
        "draw_transfer": draw_transfer(_transfer(probes), f"longer, {TITLE}"),
        **{f"draw_control {name}": figure for name, figure in _controls(probes).items()},
    }

"""Tables and figures of interventions: what is shown is what the rows say."""

import hashlib

import numpy as np
import pytest

from think_to_talk.figures.interventions import draw_effects
from think_to_talk.figures.patching import draw_patching
from think_to_talk.figures.style import save
from think_to_talk.interventions.table import (
    COLUMNS,
    rows_of_inconsistent_chains,
    rows_of_patching,
    table_rows,
)

IDENTITY = {"model": "m", "seed": 1, "task": "level-1"}
#: Level 1: B = # - A , A = # ; B =? and the chain's five equations.
SYMBOLS = {-3: "B=#±A,", -2: "A=#;", -1: "B=?", 0: "B=#±A,", 1: "A=#,", 2: "B=#±A,", 3: "B=#±#,"}
SYMBOLS[4] = "B=#⏎"
LAYERS = (0, 1, 2)


def shares(**values):
    """Shares with intervals of a tenth to either side."""
    row = {}
    for name, value in values.items():
        ends = (None, None) if value is None else (value - 0.1, value + 0.1)
        row |= {name: value, f"{name}_ci_low": ends[0], f"{name}_ci_high": ends[1]}
    return row


def patching_row(edit, layers, equation, answer, rows, success, n=50, **changes):
    return {
        **IDENTITY,
        "edit": edit,
        "donor": "paired",
        "kind": "sliding",
        "spec": "",
        "source": "base",
        "layers": layers,
        "positions": [0],
        "equation": equation,
        "answer_equation": answer,
        "forced": 3 * answer,
        "variable": {0: None, 1: 0, 4: 1}[answer],
        "rows": rows,
        "n": n,
        **shares(success=success, unchanged=0.25, other=0.25),
        **shares(base_accuracy=1.0, edited_accuracy=0.9),
        "pairs": [],
        "outputs": [],
        **changes,
    }


@pytest.fixture
def patching():
    """Windows of two layers; the rate says where: layer / 4 + equation / 100."""
    rows = []
    for edit, answers in (("first", (0, 4)), ("second", (1, 4))):
        for answer in answers:
            for equation in range(-3, answer + 1):
                for layer in (0, 1):
                    rate = 0.5 + layer / 4 + equation / 100
                    place = ([layer, layer + 1], equation, answer)
                    rows.append(patching_row(edit, *place, "solved", rate))
                    rows.append(patching_row(edit, *place, "all", 0.0))
        for part, rate in (("problem", 0.2), ("chain", 0.7)):
            for which in ("solved", "all"):
                changes = {"kind": "directed", "spec": part}
                rows.append(patching_row(edit, [0, 1, 2], None, 4, which, rate, **changes))
    return rows


@pytest.fixture
def probes():
    rows, place = [], 0
    for equation, symbols in SYMBOLS.items():
        for i, symbol in enumerate(symbols):
            for layer in LAYERS:
                for variable in (0, 1):
                    rows.append(
                        {
                            "layer": layer,
                            "equation": equation,
                            "symbol": symbol,
                            "symbol_index": place,
                            "variable": variable,
                            # The best within an equation is that of its second symbol.
                            "score": 0.1 * layer + 0.05 * variable + 0.01 * (i == 1),
                        }
                    )
            place += 1
    return rows


@pytest.fixture
def chains():
    rates = shares(follows_chain=0.6, follows_problem=0.3, other=0.1)
    return [
        {**IDENTITY, "variable": 0, "rows": rows, "n": 9, **rates} for rows in ("solved", "all")
    ]


def mesh(panel):
    """The values that a heat map shows, and its lower and upper edge."""
    (drawn,) = panel.collections
    edges = drawn.get_coordinates()
    return drawn.get_array(), edges[0, 0, 1], edges[-1, 0, 1]


def test_patching_stands_beside_probes_on_the_same_axes(patching, probes):
    figure = draw_patching(patching, probes)
    *panels, _bar = figure.axes
    found = {panel.get_title(loc="left"): panel for panel in panels}
    # The values that are asked for, once each; then what patches change of each number.
    assert list(found) == [
        *("A readable", "B readable"),
        *("1. B=#±A: first", "2. A=#: second", "5. B=#: first", "5. B=#: second"),
    ]
    for panel in panels:
        assert panel.get_xlim() == (-0.5, 7.5)
        assert panel.get_ylim() == (-0.5, 2.5)
    labels = [tick.get_text() for tick in panels[-1].get_xticklabels()]
    assert labels == ["B=#±A", "A=#", "B=?", "B=#±A", "A=#", "B=#±A", "B=#±#", "B=#"]
    accuracy, low, high = mesh(found["B readable"])
    assert (low, high) == (-0.5, 2.5)
    np.testing.assert_allclose(accuracy[:, 3], [0.06, 0.16, 0.26])
    rates, low, high = mesh(found["5. B=#: first"])
    # A window stands at its middle: layers 0 to 1 at a half.
    assert (low, high) == (0.0, 2.0)
    np.testing.assert_allclose(rates[0], 0.5 + np.arange(-3, 5) / 100)
    np.testing.assert_allclose(rates[1], 0.75 + np.arange(-3, 5) / 100)
    # What comes after the answer is not patched.
    rates, _, _ = mesh(found["2. A=#: second"])
    assert rates.mask[:, 5:].all()
    assert not rates.mask[:, :5].any()


def test_too_few_pairs_have_no_panel_and_the_notes_say_so(patching, probes):
    few = [
        {**row, "n": 3} if row["edit"] == "second" and row["answer_equation"] == 4 else row
        for row in patching
    ]
    figure = draw_patching(few, probes)
    titles = [panel.get_title(loc="left") for panel in figure.axes]
    assert "5. B=#: first" in titles
    assert "5. B=#: second" not in titles
    assert "fewer than 10 pairs that the model solves" in figure.texts[-1].get_text()


def test_the_table_has_the_rows_of_patching_and_what_follows_a_wrong_result(patching, chains):
    table = [*rows_of_patching(patching), *rows_of_inconsistent_chains(chains)]
    found = [
        tuple(
            row[column]
            for column in (
                *("intervention", "spec", "edit", "variable", "pairs"),
                *("changed", "kept", "n"),
            )
        )
        for row in table
    ]
    parts = [
        ("patching", part, edit, None, pairs, rate, 0.25, 50)
        for edit in ("first", "second")
        for part, rate in (("problem", 0.2), ("chain", 0.7))
        for pairs in ("solved", "all")
    ]
    wrong = [
        ("inconsistent_chain", None, None, 0, pairs, 0.6, 0.3, 9) for pairs in ("solved", "all")
    ]
    assert found == parts + wrong
    assert table[0]["edited_accuracy"] == 0.9
    assert table[-1]["edited_accuracy"] is None


def test_the_overview_shows_solved_pairs_alone(patching, chains):
    table = [*rows_of_patching(patching), *rows_of_inconsistent_chains(chains)]
    figure = draw_effects(table, "m, seed 1")
    switched, unchanged = figure.axes

    def xs(panel):
        return sorted(line.get_xdata()[0] for line in panel.lines if line.get_marker() != "None")

    # Of two parts and two edits, and of the wrong result.
    assert xs(switched) == [0.2, 0.2, 0.6, 0.7, 0.7]
    assert xs(unchanged) == [0.25, 0.25, 0.25, 0.25, 0.3]
    lanes = [label.get_text() for label in switched.get_yticklabels()]
    assert lanes == ["problem", "chain", "wrong A"]


@pytest.mark.parametrize("missing", ["patching", "chains"])
def test_one_kind_of_intervention_is_enough(patching, chains, missing):
    table = [
        *([] if missing == "patching" else rows_of_patching(patching)),
        *([] if missing == "chains" else rows_of_inconsistent_chains(chains)),
    ]
    assert len(draw_effects(table, "m").axes) == 2


def test_identical_input_gives_identical_files(patching, probes, chains, tmp_path):
    digests = []
    for name in ("first", "second"):
        paths = [tmp_path / name / file for file in ("a.png", "a.svg", "b.png", "b.svg")]
        save(draw_patching(patching, probes), paths[:2])
        save(draw_effects(list(rows_of_patching(patching)), "m"), paths[2:])
        digests.append([hashlib.sha256(path.read_bytes()).hexdigest() for path in paths])
    assert digests[0] == digests[1]


def test_free_writing_is_a_row_per_spec_but_for_the_grid():
    rows = [
        {**IDENTITY, "edit": "first", "kind": kind, "spec": kind, "rows": which, "n": 5}
        | shares(success=0.5, unchanged=0.3, other=0.2)
        for kind in ("sliding", "directed", "own")
        for which in ("solved", "all")
    ]
    found = table_rows([], [], rows)
    assert [(row["spec"], row["pairs"]) for row in found] == [
        (kind, which) for kind in ("directed", "own") for which in ("solved", "all")
    ]
    for row in found:
        assert tuple(row) == COLUMNS
        assert (row["intervention"], row["edit"]) == ("free_writing", "first")
        assert (row["changed"], row["kept"], row["other"]) == (0.5, 0.3, 0.2)

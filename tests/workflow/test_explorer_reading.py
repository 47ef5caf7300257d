"""The explorer's charts are read with pointer and keyboard, and views are kept in the address."""

import re

import pytest
from support.browser import EXPLORER
from support.explorer import BY_POSITION, CHARTS, centre, pointed, read_out, study_in

from think_to_talk.files.jsonl import read_jsonl

pytestmark = pytest.mark.service


def probes(study, model, task):
    return read_jsonl(study.folder / f"results/{model}/seed-1/probes/{task}.jsonl")


def chain_start(study, task="general"):
    """The position that is t = 0."""
    rows = probes(study, "local", task)
    return next(row["position"] for row in rows if row["relative_position"] == 0)


def line(page, chart):
    """The left and right edge of a chart's reading line on the screen; None if there is none."""
    box = page.locator(f"#{chart} > .line").bounding_box()
    return box and (box["x"], box["x"] + box["width"])


def test_arrow_keys_read_the_map_s_values_out(explorer, finished_mini):
    page = explorer(variable="A")
    own = [row for row in probes(finished_mini, "local", "level-1") if row["variable"] == 0]
    page.locator("#map").focus()
    for key in ("ArrowRight", "Home", "ArrowUp", "ArrowUp", "ArrowRight", "ArrowDown"):
        page.keyboard.press(key)
    row = next(row for row in own if (row["layer"], row["position"]) == (2, 1))
    said = read_out(page, "map")
    assert said["layer"] == "2"
    assert said["symbol"].startswith(f"{row['symbol']} ")
    assert said["accuracy"].startswith(f"{row['score']:.3f} ")
    assert said["probe says"] == f"{row['predictions'][0]}, A is {row['answer'][0]}"
    page.keyboard.press("Escape")
    assert read_out(page, "map") == {}


def test_every_chart_is_read_with_the_keyboard(explorer):
    page = explorer(model="tiny", variable="B")
    for chart in CHARTS:
        page.locator(f"#{chart}").focus()
        page.keyboard.press("ArrowRight")
        first = read_out(page, chart)
        assert first, chart
        for key in ("ArrowUp", "ArrowLeft", "ArrowDown", "ArrowRight", "Home", "End"):
            page.keyboard.press(key)
            assert read_out(page, chart), (chart, key)
        assert chart in ("whole", "readable", "patched") or read_out(page, chart) != first


def test_columns_of_charts_by_position_are_below_each_other(explorer):
    for task in ("level-1", "general"):
        page = explorer(task=task)
        places = {chart: [centre(page, chart, c, 0)[0] for c in (0, 9)] for chart in BY_POSITION}
        for place in places.values():
            assert place == pytest.approx(places["map"], abs=0.1)
        # The map's first cell, and the mark of a curve, are where the page believes them to be.
        cell = page.locator("#map .mark-rect.role-mark path").first.bounding_box()
        assert cell["x"] + cell["width"] / 2 == pytest.approx(places["map"][0], abs=1.5)
        point = page.locator("#curves .mark-symbol path").first.bounding_box()
        assert point["x"] + point["width"] / 2 == pytest.approx(places["map"][0], abs=1.5)


def test_a_reading_line_is_at_the_same_position_in_all_charts(explorer, finished_mini):
    page = explorer(variable="B")
    for chart in BY_POSITION:
        x, y = centre(page, chart, 7, 0)
        page.mouse.move(x, y)
        for each in BY_POSITION:
            left, right = line(page, each)
            assert left < x < right
            assert right - left < 60
        assert read_out(page, "curves")["t"] == str(7 - chain_start(finished_mini, "level-1"))
        assert page.locator("#readings thead th.read").count() == 1
    page.mouse.move(0, 0)
    assert all(line(page, chart) is None for chart in BY_POSITION)
    assert page.locator("#readings thead th.read").count() == 0


def test_a_map_of_equations_marks_the_positions_of_an_equation(explorer, finished_mini):
    page = explorer(model="tiny", variable="B")
    own = probes(finished_mini, "tiny", "level-1")
    equations = sorted({row["equation"] for row in own})
    x, y = centre(page, "readable", 1, 0)
    page.mouse.move(x, y)
    left, right = line(page, "map")
    positions = sorted({r["position"] for r in own if r["equation"] == equations[1]})
    first, last = (
        centre(page, "map", position, 0)[0] for position in (positions[0], positions[-1])
    )
    assert left < first < last < right


def test_pointing_does_not_cover_the_map(explorer):
    page = explorer(variable="B")
    page.mouse.move(*centre(page, "map", 5, 1))
    chart, panel = (page.locator(each).bounding_box() for each in ("#map", "#map-reading"))
    assert panel["x"] >= chart["x"] + chart["width"]
    assert page.locator("#vg-tooltip-element").count() == 0


def test_pointing_leaves_the_page_where_it_is(explorer):
    for size in ((1300, 900), (800, 900), (390, 844)):
        page = explorer(window={"size": size}, variable="B")
        height = page.evaluate("document.documentElement.scrollHeight")
        page.mouse.move(*centre(page, "map", 5, 1))
        assert read_out(page, "map")
        assert page.evaluate("document.documentElement.scrollHeight") == height


def test_curves_are_read_at_the_position_of_the_map(explorer, finished_mini):
    page = explorer(variable="A", lines="models")
    page.mouse.move(*centre(page, "map", 3, 0))
    said = read_out(page, "curves")
    for model in ("tiny", "local"):
        own = [r for r in probes(finished_mini, model, "level-1") if r["variable"] == 0]
        best = max(row["score"] for row in own if row["position"] == 3)
        assert said[model].startswith(f"{best:.3f} ")


def test_clicking_a_row_of_the_table_chooses_its_variable(explorer):
    page = explorer(model="tiny", variable="A")
    row = page.locator("#timing tbody tr", has_text="local").filter(has_text="B, the answer")
    row.locator("td").last.click()
    chosen = {name: page.locator(f"#{name}").input_value() for name in ("model", "variable")}
    assert chosen == {"model": "local", "variable": "B"}
    current = page.locator("#timing tr[aria-current]")
    assert current.count() == 1
    assert "local" in current.text_content()
    # With the keyboard.
    page.locator("#timing tbody button").first.focus()
    page.keyboard.press("Enter")
    assert page.locator("#variable").input_value() == "A"


def test_a_view_can_be_kept_as_a_bookmark(explorer):
    page = explorer(task="general", variable="C", tau="0.35")
    chosen = {
        name: page.locator(f"#{name}").input_value() for name in ("model", "task", "variable")
    }
    assert chosen == {"model": "local", "task": "general", "variable": "C"}
    page.select_option("#variable", "A")
    assert re.search(r"#.*\bvariable=A\b", page.url)
    page.reload()
    page.wait_for_selector(EXPLORER)
    assert page.locator("#variable").input_value() == "A"


def test_a_bookmark_has_the_compared_models_and_the_cursor(explorer):
    page = explorer(variable="B")
    page.locator("#models input[value=local]").uncheck()
    page.locator("#map").focus()
    for key in ("ArrowRight", "Home", "ArrowRight"):
        page.keyboard.press(key)
    said = read_out(page, "map")
    page.wait_for_url(re.compile("cursor=map(,|%2C)1(,|%2C)"))
    assert re.search(r"\bmodels=tiny\b", page.url)
    assert "models=local" not in page.url
    page.reload()
    page.wait_for_selector(EXPLORER)
    assert not page.locator("#models input[value=local]").is_checked()
    assert page.locator("#models input[value=tiny]").is_checked()
    assert read_out(page, "map") == said
    # None of the models is another choice than all of them.
    page.locator("#models input[value=tiny]").uncheck()
    page.reload()
    page.wait_for_selector(EXPLORER)
    assert page.locator("#models input:checked").count() == 0
    assert "No model and seed is chosen" in page.locator("#curves-finding").text_content()


def test_a_changed_address_is_followed(explorer, finished_mini):
    page = explorer(variable="A", tau="0.5")
    page.evaluate("location.hash = 'model=local&task=general&variable=C&tau=0.25&cursor=map,2,1'")
    page.wait_for_function("document.querySelector('#variable').value === 'C'")
    assert page.locator("#task").input_value() == "general"
    assert page.locator("#tau-value").text_content() == "0.25"
    said = read_out(page, "map")
    # The second row from above is the second of the layers 0, 2 and 4.
    assert (said["layer"], said["t"]) == ("2", str(2 - chain_start(finished_mini)))


@pytest.mark.parametrize("tau", ["abc", "", "NaN", "1e9", "-1", "0.5x", "Infinity"])
def test_a_threshold_that_is_none_is_the_study_s(explorer, tau):
    page = explorer(tau=tau)
    assert page.locator("#tau-value").text_content() == "0.90"
    assert "NaN" not in page.locator("main").text_content()


def test_nonsense_in_the_address_falls_back_to_what_there_is(explorer):
    page = explorer(
        **{"model": "nobody", "seed": "x", "task": "level-99", "variable": "Z", "models": "nobody"},
        **{"cursor": "map,999,999", "lines": "?", "example": "-3", "table": "no"},
    )
    assert page.locator("#model").input_value() in ("tiny", "local")
    assert page.locator("#models input:checked").count() == 2
    assert read_out(page, "map") == {}
    assert "nobody" not in page.url
    for cursor in ("map", "nowhere,1,1", "whole,-1,0", "map,1.5,0"):
        assert read_out(explorer(cursor=cursor), "map") == {}


def test_it_opens_on_the_view_that_the_study_says(explorer, finished_mini):
    html = (finished_mini.folder / "results/summary/explorer.html").read_text()
    opening = {name: str(value) for name, value in study_in(html)["opening"].items()}
    page = explorer()
    page.goto("about:blank")
    page.goto((finished_mini.folder / "results/summary/explorer.html").as_uri())
    page.wait_for_selector(EXPLORER)
    assert {name: page.locator(f"#{name}").input_value() for name in opening} == opening


def test_pointing_at_no_column_says_nothing(explorer):
    page = explorer()
    assert pointed(page, "map", -2, 0) == {}

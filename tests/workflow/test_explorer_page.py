"""The explorer of a study that has run, in a real browser: what is chosen is what is shown."""

import csv
import json
import re

import pytest
from support.browser import EXPLORER, hover, hovered, value_of

from think_to_talk.files.jsonl import read_jsonl
from think_to_talk.formulas.symbols import variable_symbol
from think_to_talk.timing.best_probes import best_layers, first_readable
from think_to_talk.timing.roles import ANSWER, DISTRACTOR, NEEDED, ROLE_COLOURS

pytestmark = pytest.mark.service


def probes(study, model, task):
    return read_jsonl(study.folder / f"results/{model}/seed-1/probes/{task}.jsonl")


def shown_timing(page):
    """{(model, variable): (t*, t*eq, held-out t*)} of the table."""
    rows = page.locator("#timing tbody tr").all()
    cells = [row.locator("td").all_text_contents() for row in rows]
    return {(c[0], c[2].partition(",")[0]): (c[3], c[4], c[5]) for c in cells}


def expected_timing(study, task, threshold, models=("tiny", "local")):
    expected = {}
    for model in models:
        rows = probes(study, model, task)
        for variable in sorted({row["variable"] for row in rows}):
            star = first_readable(best_layers(rows, variable), threshold) or {}
            heldout = best_layers(rows, variable, "heldout_score")
            heldout_star = first_readable(heldout, threshold, "heldout_score") or {}
            dates = (
                star.get("relative_position"),
                star.get("equation"),
                heldout_star.get("relative_position"),
            )
            shown = tuple("–" if date is None else str(date) for date in dates)
            expected[model, variable_symbol(variable)] = shown
    return expected


def place(rows, layer, position):
    """The number of a value on the map: from the highest layer on, along the positions."""
    layers = sorted({row["layer"] for row in rows}, reverse=True)
    n_positions = 1 + max(row["position"] for row in rows)
    return layers.index(layer) * n_positions + position


def test_it_opens_with_all_models_and_the_study_s_threshold(explorer, finished_mini):
    page = explorer()
    assert set(page.locator("#model option").all_text_contents()) == {"tiny", "local"}
    assert page.locator("#tau-value").text_content() == "0.90"
    assert shown_timing(page) == expected_timing(finished_mini, "level-1", 0.9)


def test_a_model_offers_its_own_levels_and_they_their_variables(explorer):
    page = explorer(model="tiny")
    assert page.locator("#task option").all_text_contents() == ["level-1"]
    page.select_option("#model", "local")
    tasks = set(page.locator("#task option").all_text_contents())
    assert tasks == {"level-1", "general", "existing"}
    offered = page.locator("#variable option").all_text_contents()
    assert offered == ["A, operand", "B, the answer"]
    page.select_option("#task", "general")
    offered = page.locator("#variable option").all_text_contents()
    assert offered == ["A, distractor", "B, needed value", "C, the answer"]
    page.select_option("#task", "existing")
    offered = page.locator("#variable option").all_text_contents()
    assert offered == ["A, needed value", "B, the answer"]


@pytest.mark.parametrize("number", [0, 37, -1])
def test_hovering_over_a_value_of_the_map_tells_the_probe_s_row(explorer, finished_mini, number):
    page = explorer(variable="B")
    own = [row for row in probes(finished_mini, "local", "level-1") if row["variable"] == 1]
    row = own[number]
    said = hover(page, "map", place(own, row["layer"], row["position"]))
    assert said["accuracy"] == f"{row['score']:.3f}"
    assert said["95 % interval from"] == f"{row['ci_low']:.3f}"
    assert said["held-out accuracy"].startswith(f"{row['heldout_score']:.3f} ")
    assert said["layer"] == str(row["layer"])
    assert said["equation"] == str(row["equation"])


def test_a_switch_shows_the_held_out_accuracy_in_the_map(explorer, finished_mini):
    page = explorer(variable="B", tau="0.15")
    own = [row for row in probes(finished_mini, "local", "level-1") if row["variable"] == 1]
    page.select_option("#accuracy", "heldout")
    best = best_layers(own, 1, "heldout_score")
    star = first_readable(best, 0.15, "heldout_score")
    summary = page.locator("#map-summary").text_content()
    plain, heldout = summary.split("Held-out accuracy: ")
    assert "★" not in plain
    assert f"t* = {star['relative_position']} (★ layer {star['layer']}" in heldout
    said = page.locator("#map .mark-text.role-mark").first.locator("text").all_text_contents()
    expected = [str(row["heldout_predictions"][0]) for row in best.values()]
    assert said[len(expected) :] == expected
    page.locator("#map").focus()
    page.keyboard.press("ArrowRight")
    assert (
        f"held-out accuracy {star['heldout_score']:.3f}" in page.locator("#reading").text_content()
    )
    # An operand has none.
    page.select_option("#variable", "A")
    assert page.locator("#accuracy option").all_text_contents() == ["accuracy"]
    assert page.locator("#no-heldout").is_visible()


def test_moving_the_threshold_moves_t_star_in_map_and_table(explorer, finished_mini):
    """With the keyboard."""
    page = explorer(variable="B")
    rows = probes(finished_mini, "local", "level-1")
    slider, seen = page.locator("#tau"), set()
    slider.focus()
    for _ in range(9):
        for _ in range(10):
            page.keyboard.press("ArrowLeft")
        tau = float(page.locator("#tau-value").text_content())
        assert shown_timing(page) == expected_timing(finished_mini, "level-1", tau)
        star = first_readable(best_layers(rows, 1), tau)
        stars = page.locator("#map svg.marks text", has_text="★")
        if star is None:
            assert stars.count() == 0
            assert "never readable" in page.locator("#map-summary").text_content()
            continue
        assert f"t* = {star['relative_position']} " in page.locator("#map-summary").text_content()
        page.wait_for_function("document.querySelector('#map svg.marks').textContent.includes('★')")
        box = stars.bounding_box()
        number = place(rows, star["layer"], star["position"])
        cell = page.locator(value_of("map")).nth(number).bounding_box()
        middle = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
        assert cell["x"] <= middle[0] <= cell["x"] + cell["width"]
        assert cell["y"] <= middle[1] <= cell["y"] + cell["height"]
        seen.add(star["position"])
    assert len(seen) > 1


def test_arrow_keys_read_the_map_s_values_out(explorer, finished_mini):
    page = explorer(variable="A")
    own = [row for row in probes(finished_mini, "local", "level-1") if row["variable"] == 0]
    page.locator("#map").focus()
    for key in ("ArrowRight", "Home", "ArrowUp", "ArrowUp", "ArrowRight", "ArrowDown"):
        page.keyboard.press(key)
    row = next(row for row in own if (row["layer"], row["position"]) == (2, 1))
    said = page.locator("#reading").text_content()
    assert said.startswith(f"Layer 2, symbol {row['symbol']} ")
    assert f"accuracy {row['score']:.3f}" in said
    assert f"it says {row['predictions'][0]} where {row['answer'][0]} is right" in said
    page.keyboard.press("Escape")
    assert page.locator("#reading").text_content() == ""


def test_models_are_compared_on_the_symbols_and_can_be_left_out(explorer):
    page = explorer()
    lines = page.locator("#curves .mark-line.role-mark path")
    assert lines.count() == 2
    page.locator("#models input[value=local]").uncheck()
    page.wait_for_function("document.querySelectorAll('#curves .mark-line path').length === 1")
    # B has held-out accuracy as well.
    page.select_option("#variable", "B")
    page.wait_for_function("document.querySelectorAll('#curves .mark-line path').length === 2")


def test_the_lines_can_be_a_model_s_variables_in_the_colours_of_their_roles(explorer):
    page = explorer(task="general", lines="variables")
    lines = page.locator("#curves .mark-line.role-mark path")
    # C, A and B have an operator each, hence held-out accuracy.
    assert lines.count() == 6
    colours = {line.get_attribute("stroke").upper() for line in lines.all()}
    assert colours == {ROLE_COLOURS[role][0] for role in (ANSWER, NEEDED, DISTRACTOR)}
    assert "C, the answer" in page.locator("#curves svg.marks").text_content()
    assert not page.locator("#compared").is_visible()


def test_patching_stands_beside_what_probes_can_read(explorer, finished_mini):
    page = explorer(model="tiny")
    rows = [
        row
        for row in read_jsonl(finished_mini.folder / "results/tiny/seed-1/patching/level-1.jsonl")
        if row["kind"] == "sliding" and row["rows"] == "solved" and row["n"]
    ]
    if not rows:
        assert page.locator("#answer option").count() == 0
        assert "no pair is solved" in page.locator("#used-title").text_content()
        return
    edit, answer = rows[0]["edit"], rows[0]["answer_equation"]
    page.select_option("#edit", edit)
    page.select_option("#answer", str(answer))
    own = [r for r in rows if (r["edit"], r["answer_equation"]) == (edit, answer)]
    own.sort(key=lambda row: (-row["layers"][0], row["equation"]))
    said = hover(page, "used", len(own) - 1)
    assert said["value"] == f"{own[-1]['success']:.3f}"
    assert said["n"] == str(own[-1]["n"])


def test_where_nothing_is_patched_the_page_says_so(explorer):
    page = explorer(task="existing")
    assert page.locator("#no-patching").is_visible()
    assert not page.locator("#patching").is_visible()


@pytest.mark.parametrize("name", ["interventions", "forced_answers", "controls/thresholds"])
def test_the_tables_of_the_study_are_shown_as_they_are(explorer, finished_mini, name):
    page = explorer(model="tiny", table=name)
    rows = read_jsonl(finished_mini.folder / f"results/summary/{name}.jsonl")
    rows = [
        {key: value for key, value in row.items() if key not in ("model", "task")}
        for row in rows
        if (row["model"], row["task"]) == ("tiny", "level-1")
    ]
    assert rows
    heading = page.locator("#rows thead th").all_text_contents()
    assert heading == [key.replace("_", " ") for key in rows[0]]
    found = [tr.locator("td").all_text_contents() for tr in page.locator("#rows tbody tr").all()]
    assert found == [list(map(cell_text, row.values())) for row in rows]
    assert page.locator("#table-summary").text_content() == f"tiny, level-1: {len(rows)} rows."
    with page.expect_download() as download:
        page.locator("[data-csv=rows]").click()
    assert len(download.value.path().read_text().splitlines()) == len(rows) + 1
    page.select_option("#model", "local")
    page.select_option("#task", "existing")
    if name == "interventions":
        assert "has no rows of local and existing" in page.locator("#table-summary").text_content()


def cell_text(value):
    if value is None:
        return "–"
    if isinstance(value, float):
        # The page cannot tell 1.0 from 1.
        return f"{value:.3f}" if value % 1 else f"{value:.0f}"
    return str(value)


def test_wrong_results_stand_below_patched_parts(explorer, finished_mini, tmp_path):
    """As if the model had solved some pairs, and followed three quarters of wrong results."""
    page = (finished_mini.folder / "results/summary/explorer.html").read_text()
    start = page.index('id="study">') + len('id="study">')
    end = page.index("</script>", start)
    study = json.loads(page[start:end])
    interval = {"ci_low": 0.1, "ci_high": 0.9}
    for result in study["results"]:
        for part in result["patching"]["whole"] if result["patching"] else []:
            part |= {"n": 5, "score": 0.25, **interval}
    columns = study["tables"]["interventions"]["columns"]
    for row in study["tables"]["interventions"]["rows"]:
        shares = {"n": 5, "changed": 0.75, "changed_ci_low": 0.1, "changed_ci_high": 0.9}
        row[:] = [shares.get(column, value) for column, value in zip(columns, row, strict=True)]
    changed = json.dumps(study).replace("<", "\\u003c")
    (tmp_path / "page.html").write_text(page[:start] + changed + page[end:])
    page = explorer(tmp_path / "page.html", model="tiny", task="level-1")
    page.locator("#whole", has_text="wrong A").wait_for()
    names = page.locator("#whole .role-axis-label text").all_text_contents()
    assert [name for name in names if not name[0].isdigit()][-1] == "wrong A"
    said = hovered(page, page.locator("#whole .mark-symbol.role-mark path").last)
    assert (said["patched"], said["share with the other answer"]) == ("wrong A", "0.750")


def test_the_data_that_is_shown_can_be_downloaded(explorer, finished_mini):
    page = explorer(variable="B")
    own = [row for row in probes(finished_mini, "local", "level-1") if row["variable"] == 1]
    with page.expect_download() as download:
        page.locator("[data-csv=map]").click()
    assert download.value.suggested_filename == "level-1-map.csv"
    with open(download.value.path(), newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert {(int(r["layer"]), int(r["position"])): float(r["score"]) for r in rows} == {
        (row["layer"], row["position"]): pytest.approx(row["score"], abs=5e-5) for row in own
    }
    assert {(int(r["layer"]), int(r["position"])): float(r["heldout_score"]) for r in rows} == {
        (row["layer"], row["position"]): pytest.approx(row["heldout_score"], abs=5e-5)
        for row in own
    }
    for name in ("curves", "timing"):
        with page.expect_download() as download:
            page.locator(f"[data-csv={name}]").click()
        assert len(download.value.path().read_text().splitlines()) > 2


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


def test_it_prints(explorer):
    page = explorer()
    page.emulate_media(media="print")
    assert not page.locator("[data-csv=map]").is_visible()
    assert page.locator("#map svg.marks").is_visible()
    assert len(page.pdf()) > 10_000

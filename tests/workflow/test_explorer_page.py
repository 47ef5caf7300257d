"""The explorer of a study that has run, in a real browser: what is chosen is what is shown."""

import csv

import pytest
from support.explorer import centre, pointed, read_out, study_in, with_study

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


def map_row(rows, layer):
    """The row of a layer in the map: the highest is the first."""
    return sorted({row["layer"] for row in rows}, reverse=True).index(layer)


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
def test_pointing_at_a_value_of_the_map_tells_the_probe_s_row(explorer, finished_mini, number):
    page = explorer(variable="B")
    own = [row for row in probes(finished_mini, "local", "level-1") if row["variable"] == 1]
    row = own[number]
    said = pointed(page, "map", row["position"], map_row(own, row["layer"]))
    interval = f"95 % interval {row['ci_low']:.3f} to {row['ci_high']:.3f}"
    assert said["accuracy"] == f"{row['score']:.3f} ({interval})"
    assert said["held-out accuracy"].startswith(f"{row['heldout_score']:.3f} ")
    assert said["layer"] == str(row["layer"])
    assert said["equation"].endswith(f"({row['equation']})")
    assert said["t"] == str(row["relative_position"])


def test_a_switch_shows_the_held_out_accuracy_in_the_map(explorer, finished_mini):
    page = explorer(variable="B", tau="0.15")
    own = [row for row in probes(finished_mini, "local", "level-1") if row["variable"] == 1]
    page.select_option("#accuracy", "heldout")
    best = best_layers(own, 1, "heldout_score")
    star = first_readable(best, 0.15, "heldout_score")
    assert "★: t* of the held-out accuracy" in page.locator("#map-summary").text_content()
    heldout = page.locator("#map-finding").text_content().split("not trained on, ")[1]
    assert heldout.startswith(f"at t = {star['relative_position']}, ")
    assert f"(layer {star['layer']}, accuracy {star['heldout_score']:.3f})" in heldout
    said = page.locator("#map .example text").all_text_contents()
    expected = [str(row["heldout_predictions"][0]) for row in best.values()]
    assert said[len(expected) :] == expected
    page.locator("#map").focus()
    page.keyboard.press("ArrowRight")
    said = read_out(page, "map")
    assert said["held-out accuracy"].startswith(f"{star['heldout_score']:.3f} ")
    assert said["t"] == str(star["relative_position"])
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
        stars = page.locator("#map .star text")
        finding = page.locator("#map-finding").text_content()
        if star is None:
            assert stars.count() == 0
            assert "probes first decode B, the answer, nowhere" in finding
            continue
        assert f"probes first decode B, the answer, at t = {star['relative_position']}, " in finding
        x, y = centre(page, "map", star["position"], map_row(rows, star["layer"]))
        box = stars.bounding_box()
        assert box["x"] <= x <= box["x"] + box["width"]
        assert box["y"] <= y <= box["y"] + box["height"]
        seen.add(star["position"])
    assert len(seen) > 1


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
        assert "no pair is solved" in page.locator("#patched-title").text_content()
        return
    edit, answer = rows[0]["edit"], rows[0]["answer_equation"]
    page.select_option("#edit", edit)
    page.select_option("#answer", str(answer))
    own = [r for r in rows if (r["edit"], r["answer_equation"]) == (edit, answer)]
    layers = sorted({row["layers"][0] for row in own}, reverse=True)
    equations = sorted({row["equation"] for row in rows})
    row = own[-1]
    place = equations.index(row["equation"]), layers.index(row["layers"][0])
    said = pointed(page, "patched", *place)
    assert said["success rate"].startswith(f"{row['success']:.3f} ")
    assert f"{row['n']} pair" in page.locator("#patched-title").text_content()


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
    counted = "1 row" if len(rows) == 1 else f"{len(rows)} rows"
    assert page.locator("#table-summary").text_content() == f"tiny, level-1: {counted}."
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
    html = (finished_mini.folder / "results/summary/explorer.html").read_text()
    study = study_in(html)
    interval = {"ci_low": 0.1, "ci_high": 0.9}
    for result in study["results"]:
        for part in result["patching"]["whole"] if result["patching"] else []:
            part |= {"n": 5, "score": 0.25, **interval}
    columns = study["tables"]["interventions"]["columns"]
    for row in study["tables"]["interventions"]["rows"]:
        shares = {"n": 5, "changed": 0.75, "changed_ci_low": 0.1, "changed_ci_high": 0.9}
        row[:] = [shares.get(column, value) for column, value in zip(columns, row, strict=True)]
    (tmp_path / "page.html").write_text(with_study(html, study))
    page = explorer(tmp_path / "page.html", model="tiny", task="level-1")
    names = page.locator("#whole .role-axis-label text").all_text_contents()
    names = [name for name in names if not name[0].isdigit()]
    assert names[-1] == "wrong A"
    said = pointed(page, "whole", 0, names.index("wrong A"))
    assert said["patched"] == "wrong A"
    assert said["share of 5 pairs, wrong result"] == "0.750 (95 % interval 0.100 to 0.900)"


def test_the_data_that_is_shown_can_be_downloaded(explorer, finished_mini):
    page = explorer(variable="B")
    own = [row for row in probes(finished_mini, "local", "level-1") if row["variable"] == 1]
    with page.expect_download() as download:
        page.locator("[data-csv=map]").click()
    assert download.value.suggested_filename == "local_seed-1_level-1_B_accuracy-map.csv"
    with open(download.value.path(), newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    identity = {(r["model"], r["seed"], r["task"], r["variable"]) for r in rows}
    assert identity == {("local", "1", "level-1", "B")}
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

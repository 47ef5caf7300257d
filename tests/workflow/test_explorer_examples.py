"""The explorer's examples and clocks in a real browser."""

import csv

import pytest
from support.explorer import centre, pointed, read_out

from think_to_talk.files.jsonl import read_jsonl, read_probe_rows
from think_to_talk.formulas.symbols import variable_symbol
from think_to_talk.pages.explorer.data import result_data, study_data
from think_to_talk.pages.explorer.lanes import LANES
from think_to_talk.pages.explorer.page import explorer_page

pytestmark = pytest.mark.service

IDENTITY = {"model": "local", "seed": 1, "task": "level-1"}
#: The row whose chain `edited` makes wrong; all others are right.
WRONG = 5


def file_of(study, kind, name="level-1.jsonl"):
    return study.folder / f"results/local/seed-1/{kind}/{name}"


@pytest.fixture(scope="module")
def edited(finished_mini, tmp_path_factory):
    """Writes an explorer of the local model's level 1 with other generations."""

    def edited(generations):
        probes = read_probe_rows(file_of(finished_mini, "probes"))
        timing = read_jsonl(file_of(finished_mini, "timing"))
        result = result_data(IDENTITY, probes, timing, generations=generations)
        page = tmp_path_factory.mktemp("edited") / "explorer.html"
        page.write_text(explorer_page(study_data([result], 0.9, {}), {}), encoding="utf-8")
        return page

    return edited


@pytest.fixture(scope="module")
def mostly_right(finished_mini, edited):
    """Gold chains, except that row WRONG writes another last number: 9 less it."""
    rows = read_jsonl(file_of(finished_mini, "generations", "level-1/test.jsonl"))
    for row in rows:
        right = row["row"] != WRONG
        gold = row["scratchpad"]
        wrong = f"{gold[:-1]}{9 - int(gold[-1])}"
        row.update(generation=gold if right else wrong, correct=right, aligned=right, ended=True)
    return edited(rows)


def shown(page, selector="#readings tbody td"):
    """The table's cells, row by row as they are read."""
    return page.locator(selector).all_text_contents()


def expected(study, variable, sample, key="predictions"):
    """Predictions of a variable for a test row, from the highest layer on."""
    rows = [row for row in read_jsonl(file_of(study, "probes")) if row["variable"] == variable]
    rows.sort(key=lambda row: (-row["layer"], row["position"]))
    said = [row[key][sample] if row[key] else -1 for row in rows]
    return ["" if each < 0 else str(each) for each in said]


def test_twenty_test_rows_are_offered_and_wrong_chains_are_marked(explorer, finished_mini):
    page = explorer(variable="B")
    offered = page.locator("#example option").all_text_contents()
    assert len(offered) == 20
    rows = read_jsonl(file_of(finished_mini, "generations", "level-1/test.jsonl"))
    assert not any(row["correct"] for row in rows)
    for number, (label, row) in enumerate(zip(offered, rows, strict=False), start=1):
        assert label == f"{number} of 20, WRONG: row {row['row']}, {row['source']}"
    assert "a wrong chain" in page.locator("#example-summary").text_content()
    assert page.locator("#example-problem").text_content() == rows[0]["source"]
    assert page.locator("#example-written").text_content() == rows[0]["generation"]
    assert page.locator("#example-gold").text_content() == rows[0]["scratchpad"]


@pytest.mark.parametrize(
    ("kind", "key"), [("plain", "predictions"), ("heldout", "heldout_predictions")]
)
def test_the_table_has_the_predictions_for_the_chosen_row(explorer, finished_mini, kind, key):
    page = explorer(variable="B", accuracy=kind)
    for sample in (0, 7, 19):
        page.select_option("#example", str(sample))
        assert shown(page) == expected(finished_mini, 1, sample, key)


def test_a_wrong_chain_s_value_has_another_colour_than_the_gold_value(
    explorer, finished_mini, mostly_right
):
    page = explorer(mostly_right, variable="B")
    first, second = page.locator("#example option").all_text_contents()[:2]
    assert first.startswith(f"1 of 20, WRONG: row {WRONG}, ")
    assert second.startswith("2 of 20, right: row 0, ")
    row = next(row for row in read_jsonl(file_of(finished_mini, "probes")) if row["variable"] == 1)
    gold = row["answer"][WRONG]
    written = 9 - gold
    said = page.locator("#example-summary").text_content()
    assert f"B, the answer, is {gold}; the model wrote {written}." in said
    cells = page.locator("#readings tbody td").all()
    kinds = [cell.get_attribute("class").split()[0] for cell in cells]
    kind_of = {str(gold): "gold", str(written): "written"}
    assert kinds == [kind_of.get(text, "other") for text in expected(finished_mini, 1, WRONG)]
    colours = [
        page.locator(key).evaluate("element => getComputedStyle(element).backgroundColor")
        for key in ("#gold-key", "#written-key")
    ]
    assert len(set(colours)) == 2
    assert page.locator("#written-legend").is_visible()
    assert page.locator("#unaligned").is_visible()
    marked = page.locator("#example-written mark").all_text_contents()
    assert [text[-1] for text in marked] == [str(written)]
    # A right chain needs neither.
    page.locator("#next-example").click()
    for hidden in ("#written-legend", "#example-gold", "#unaligned"):
        assert not page.locator(hidden).is_visible()


def test_text_stands_at_the_positions_of_its_symbols(explorer, finished_mini, mostly_right):
    """In the table and below the map, which shows the same row."""
    page = explorer(mostly_right, variable="B", example="0")
    row = read_jsonl(file_of(finished_mini, "generations", "level-1/test.jsonl"))[0]
    symbols = [*(row["source"] + row["scratchpad"]).replace(" ", ""), "⏎"]
    for texts in (
        shown(page, "#readings thead th")[1:],
        shown(page, "#map .example text")[: page.locator("#readings thead th").count() - 1],
    ):
        assert [text for text in texts if text != "␣"] == symbols


def test_examples_are_stepped_through_with_the_keyboard(explorer):
    page = explorer()
    chosen = page.locator("#example")
    page.locator("#previous-example").focus()
    page.keyboard.press("Enter")
    assert chosen.input_value() == "19"
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.keyboard.press("Enter")
    assert chosen.input_value() == "1"
    assert "example=1" in page.url
    chosen.focus()
    page.keyboard.press("ArrowDown")
    assert chosen.input_value() == "2"
    assert "Row 2: " in page.locator("#example-summary").text_content()


def test_without_generations_one_line_says_so(explorer, edited):
    page = explorer(edited([]))
    assert page.locator("#no-examples").is_visible()
    assert not page.locator("#examples-shown").is_visible()
    assert page.locator("#no-clocks").is_visible()
    assert not page.locator("#clocks-shown").is_visible()


def test_examples_and_clocks_can_be_downloaded(explorer, finished_mini):
    page = explorer(variable="B")
    tables = {}
    for name in ("examples", "clocks"):
        with page.expect_download() as download:
            page.locator(f"[data-csv={name}]").click()
        with open(download.value.path(), newline="", encoding="utf-8") as file:
            tables[name] = list(csv.DictReader(file))
    assert [row["prediction"] for row in tables["examples"]] == expected(finished_mini, 1, 0)
    assert [row["variable"] for row in tables["clocks"]] == ["A", "B"]


def clocks(study):
    rows = read_jsonl(study.folder / "results/local/seed-1/clocks.jsonl")
    return [row for row in rows if row["task"] == "level-1"]


def place(study, lane, t, variable):
    """(column, row) of a date in the chart of clocks."""
    rows = read_jsonl(file_of(study, "probes"))
    start = min(row["position"] for row in rows if row["relative_position"] == 0)
    return start + t, 2 * list(LANES).index(lane) + variable


def test_a_lane_per_clock_with_its_definition(explorer, finished_mini):
    page = explorer()
    for lane, (label, definition) in LANES.items():
        assert page.locator("#clocks .role-axis-label", has_text=label.split()[0]).count() == 1
        said = pointed(page, "clocks", *place(finished_mini, lane, 0, 0))
        assert (said["clock"], said["definition"]) == (label, definition)
    sentences = page.locator("#clock-sentences li").all_text_contents()
    assert sentences == [row["sentence"] for row in clocks(finished_mini)]


def test_a_mark_says_its_date(explorer, finished_mini):
    page = explorer()
    dated = [
        (lane, label, row["variable"], row[lane])
        for lane, (label, _) in LANES.items()
        for row in clocks(finished_mini)
        if row[lane] is not None
    ]
    assert dated
    names = page.locator("#clocks .date-name text").all_text_contents()
    assert names == [variable_symbol(variable) for _, _, variable, _ in dated]
    marks = page.locator("#clocks .date path")
    for number, (lane, label, variable, t) in enumerate(dated):
        column, row = place(finished_mini, lane, t, variable)
        said = pointed(page, "clocks", column, row)
        assert (said["clock"], said["date"]) == (label, f"t = {t}")
        assert said["variable"].startswith(variable_symbol(variable))
        box = marks.nth(number).bounding_box()
        x, y = centre(page, "clocks", column, row)
        assert box["x"] <= x <= box["x"] + box["width"]
        assert box["y"] <= y <= box["y"] + box["height"]


def test_never_and_not_measured_are_told_apart_in_words(explorer, finished_mini):
    page = explorer()
    texts = page.locator("#clocks .note text").all_text_contents()
    operand, answer = clocks(finished_mini)
    # An operand is not asked for, and has no held-out accuracy.
    assert operand["cuts"] is None
    assert answer["cuts"]
    assert texts.count("A: not measured") >= 2
    assert texts.count("not measured") == (not answer["pairs"] and not operand["pairs"])
    assert answer["t_star"] is answer["t_star_heldout"] is None
    lanes = ["t_star", "t_star_heldout", "t_said", *(["t_used"] if answer["pairs"] else [])]
    assert texts.count("B: never") == sum(answer[lane] is None for lane in lanes)


def test_the_keyboard_reads_out_definitions_and_dates(explorer, finished_mini):
    page = explorer()
    page.locator("#clocks").focus()
    page.keyboard.press("ArrowDown")
    label, definition = LANES["t_text"]
    operand, answer = clocks(finished_mini)
    said = {"clock": label, "definition": definition}
    date = f"t = {operand['t_text']}"
    assert read_out(page, "clocks") == {**said, "variable": "A, operand", "date": date}
    page.keyboard.press("ArrowDown")
    assert read_out(page, "clocks")["date"] == f"t = {answer['t_text']}"
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    label, definition = LANES["t_star"]
    said = {"clock": label, "definition": definition, "variable": "B, the answer", "date": "never"}
    assert read_out(page, "clocks") == said
    page.keyboard.press("Escape")
    assert read_out(page, "clocks") == {}

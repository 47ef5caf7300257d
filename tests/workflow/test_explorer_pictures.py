"""What the explorer looks like: on screens, in print, in pictures, and to a screen reader."""

import re
import struct

import pytest
from axe_playwright_python.sync_playwright import Axe
from support.browser import busy, opened
from support.explorer import BY_POSITION, CHARTS, large_study

from think_to_talk.pages.explorer.page import explorer_page

pytestmark = pytest.mark.service

#: Pixels that A4 has between the margins of 11 mm, upright and across.
A4 = {"upright": (710, 1040), "across": (1040, 710)}
WHITE = "rgb(255, 255, 255)"
PHONE = {"size": (390, 844), "has_touch": True, "is_mobile": True}


@pytest.fixture(scope="module")
def large(finished_mini, tmp_path_factory):
    """The explorer of nine models with 65 layers each and five levels."""
    page = tmp_path_factory.mktemp("large") / "explorer.html"
    page.write_text(explorer_page(large_study(finished_mini), {}), encoding="utf-8")
    return page


def saved(page, kind, name):
    """A downloaded file: its name and its bytes."""
    with page.expect_download() as download:
        page.locator(f"[data-{kind}={name}]").click()
    return download.value.suggested_filename, download.value.path().read_bytes()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [(1440, 900), (390, 844)])
def test_axe_finds_no_violation(explorer, scheme, size):
    window = {"size": size, "color_scheme": scheme}
    page = explorer(window=window, model="tiny", variable="B", cursor="map,5,1")
    # All of it is to be seen.
    page.add_style_tag(content="#readings-scroller { content-visibility: visible !important }")
    page.evaluate("document.querySelectorAll('details').forEach((each) => (each.open = true))")
    found = Axe().run(page)
    assert [(each["id"], each["nodes"][0]["html"]) for each in found.response["violations"]] == []


def test_the_dark_scheme_has_light_text_on_dark_ground(explorer):
    page = explorer(window={"color_scheme": "dark"})
    ground, ink, label = (
        page.locator(selector).first.evaluate(f"(element) => getComputedStyle(element).{key}")
        for selector, key in (
            ("body", "backgroundColor"),
            ("body", "color"),
            ("#map .role-axis-label text", "fill"),
        )
    )
    light = {
        name: sum(map(int, re.findall(r"\d+", colour)[:3]))
        for name, colour in {"ground": ground, "ink": ink, "label": label}.items()
    }
    assert light["ground"] < 150
    assert light["ink"] > 600
    assert light["label"] > 600


def test_right_and_wrong_differ_in_more_than_colour(explorer):
    page = explorer(model="tiny", variable="A")
    text = page.locator("#map .example text")
    filled = text.evaluate_all(
        "(all) => all.filter((each) => each.getAttribute('fill') === 'white')"
    )
    boxes = page.locator('#map .mark-rect path[fill="#0072b2"]').count()
    assert boxes == len(filled) > 0
    # In the table, the gold value is filled.
    gold = page.locator("#readings td.gold")
    assert gold.count() > 0
    assert gold.first.evaluate("(td) => getComputedStyle(td).fontWeight") == "600"


@pytest.mark.parametrize("chart", CHARTS)
def test_a_chart_is_saved_with_its_title_in_three_times_its_size(explorer, chart):
    page = explorer(model="tiny", variable="B")
    name, content = saved(page, "png", chart)
    assert re.fullmatch(r"(tiny_seed-1_)?level-1_.*\.png", name)
    width, height = struct.unpack(">II", content[16:24])
    seen = page.locator(f"#{chart} svg.marks").evaluate(
        "(svg) => [+svg.getAttribute('width'), +svg.getAttribute('height')]"
    )
    assert width >= 3 * seen[0]
    # The title is above the chart.
    assert height > 3 * seen[1]
    name, content = saved(page, "svg", chart)
    assert name.endswith(".svg")
    svg = content.decode()
    assert 'class="mark-text role-title-text"' in svg
    if chart in ("map", "curves", "clocks"):
        finding = page.locator(f"#{chart}-finding").text_content().split()
        shown = " ".join(re.findall(r">([^<]+)</t(?:ext|span)>", svg))
        assert " ".join(finding[:4]) in shown
    if chart != "clocks":
        assert "role-legend" in svg


def test_files_are_named_by_what_they_show(explorer):
    page = explorer(model="local", task="level-1", variable="B", lines="models")
    names = {saved(page, "png", chart)[0] for chart in BY_POSITION}
    page.select_option("#accuracy", "heldout")
    page.select_option("#lines", "variables")
    names |= {saved(page, "svg", chart)[0] for chart in ("map", "curves")}
    assert names == {
        "local_seed-1_level-1_B_accuracy-map.png",
        "level-1_B_accuracy-of-models.png",
        "local_seed-1_level-1_clocks.png",
        "local_seed-1_level-1_B_held-out-accuracy-map.svg",
        "local_seed-1_level-1_accuracy-of-variables.svg",
    }


def test_it_prints(explorer):
    page = explorer()
    page.emulate_media(media="print")
    assert not page.locator("[data-csv=map]").is_visible()
    assert page.locator("#map svg.marks").is_visible()
    assert len(page.pdf()) > 10_000


def colours_in_print(page, scheme):
    """Each element's ground, ink, fill and line on paper."""
    page.emulate_media(media="print", color_scheme=scheme)
    return page.evaluate(
        """() => Array.from(document.querySelectorAll("*"), (element) => {
            const { backgroundColor, color, fill, stroke, accentColor } = getComputedStyle(element);
            return [element.tagName, backgroundColor, color, fill, stroke, accentColor];
        })"""
    )


def test_from_a_dark_screen_it_prints_light(explorer):
    """As from a light one: the same ground, text, lines and controls."""
    page = explorer(window={"color_scheme": "dark"}, lines="models", cursor="map,5,1")
    assert page.locator("body").evaluate("(it) => getComputedStyle(it).backgroundColor") != WHITE
    dark, light = (colours_in_print(page, scheme) for scheme in ("dark", "light"))
    assert dark == light
    assert page.locator("body").evaluate("(it) => getComputedStyle(it).backgroundColor") == WHITE


def test_a_picture_saved_from_a_dark_screen_is_for_white_paper(explorer):
    saved_in = {
        scheme: saved(explorer(window={"color_scheme": scheme}, lines="models"), "svg", "curves")
        for scheme in ("light", "dark")
    }
    assert saved_in["dark"] == saved_in["light"]


@pytest.mark.parametrize("orientation", A4)
def test_print_cuts_nothing_off(explorer, orientation):
    width, height = A4[orientation]
    page = explorer(model="tiny", variable="B")
    page.emulate_media(media="print")
    page.set_viewport_size({"width": width, "height": height})
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    for chart in CHARTS:
        texts = page.locator(f"#{chart} svg.marks text").all()
        assert texts
        right = max(
            box["x"] + box["width"] for box in (each.bounding_box() for each in texts) if box
        )
        assert right <= width, chart
        # What is cut off above is the legend.
        svg = page.locator(f"#{chart} svg.marks").bounding_box()
        assert min(each.bounding_box()["y"] for each in texts) >= svg["y"] - 1


def test_on_a_phone_columns_are_wide_enough_and_scrolled_together(explorer):
    page = explorer(window=PHONE, task="general", variable="C")
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    for chart in BY_POSITION:
        column = page.locator(f"#{chart}").evaluate(
            "(each) => each.style.getPropertyValue('--column')"
        )
        assert float(column.removesuffix("px")) >= 14
    page.locator("#map").evaluate("(map) => (map.parentElement.scrollLeft = 200)")
    page.wait_for_function(
        "['curves', 'clocks'].every((each) =>"
        " document.getElementById(each).parentElement.scrollLeft === 200)"
    )


def legend_marks(page, n):
    """[(colour, marker)] of the first lines of the curves' legend."""
    marks = page.locator("#curves .role-legend-symbol path").evaluate_all(
        "(all) => all.map((each) => [getComputedStyle(each).fill, each.getAttribute('d')])"
    )
    return [tuple(mark) for mark in marks[:n]]


def test_nine_models_have_nine_colours_and_markers(browser, large):
    page, complaints = opened(browser, large, "body[data-ready]", "#lines=models")
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        marks = legend_marks(page, 9)
        assert len({colour for colour, _ in marks}) == len({marker for _, marker in marks}) == 9
    # A model keeps its colour and marker when others are left out.
    page.locator("#models input").first.uncheck()
    assert set(legend_marks(page, 8)) == set(marks[1:])
    assert complaints == []
    page.close()


def test_nine_models_with_all_layers_are_small_and_quick(browser, large):
    """Times of the processor, since other processes may be running."""
    assert large.stat().st_size < 8_000_000
    page, complaints = opened(browser, large, "body[data-ready]", "#lines=models")
    assert busy(page) < 2
    page.locator("#map").focus()
    page.keyboard.press("Home")
    before = busy(page)
    for key in ("ArrowRight", "ArrowUp", "ArrowRight", "ArrowDown") * 5:
        page.keyboard.press(key)
        page.wait_for_timeout(30)
    assert (busy(page) - before) / 20 < 0.05
    assert complaints == []
    page.close()

"""`snakemake --report`: what is in it, looked at in a real browser."""

import json
import re
import zipfile

import pytest
from jinja2 import Template
from support.browser import EXPLORER, opened
from support.repository import REPOSITORY

from think_to_talk.controls.kinds import CONTROLS

#: What Snakemake's own page says of its style sheet and of its charts.
OF_SNAKEMAKE = ("cdn.tailwindcss.com should not be used", "The input spec uses Vega-Lite v3")
#: Where the browser has opened the report: its introduction.
READY = "text=Think-to-Talk"


@pytest.fixture(scope="module")
def report(finished_mini, tmp_path_factory):
    file = tmp_path_factory.mktemp("report") / "report.html"
    finished_mini.snakemake("--report", str(file))
    return file


@pytest.fixture
def page(browser, report):
    page, complaints = opened(browser, report, READY)
    yield page
    page.close()
    assert [text for text in complaints if not any(own in text for own in OF_SNAKEMAKE)] == []


def choose(page, *names):
    for name in names:
        page.get_by_text(name, exact=True).first.click()


def view(page, result):
    page.locator("tr", has_text=result).locator("a").first.click()


@pytest.mark.service
def test_it_opens_on_what_was_found_and_one_figure(page):
    """At the top of the window, though the text is longer than it."""
    question = page.locator(".document p").first
    assert "When does a language model come up with each answer" in question.text_content()
    assert question.bounding_box()["y"] >= 0
    assert page.get_by_text("These are observations of one seed").count() == 1
    figures = page.locator(".document svg")
    assert figures.count() == 1
    assert figures.bounding_box()["width"] > 400


@pytest.mark.service
@pytest.mark.parametrize("model", ["tiny", "local"])
def test_figures_are_grouped_by_model_and_level_and_can_be_looked_at(page, model):
    choose(page, model)
    assert page.get_by_text("all levels", exact=True).count() == 1
    choose(page, "level-1")
    view(page, "accuracy of probes")
    image = page.locator("img[src*='filename=level-1.svg']")
    image.wait_for()
    assert image.bounding_box()["width"] > 200


@pytest.mark.documented("snakemake --report report.html")
def test_captions_say_what_to_conclude_and_a_figure_s_its_model_level_and_seed(report):
    captions = re.findall(r'"caption": "((?:[^"\\]|\\.)*)"', report.read_text())
    shown = {json.loads(f'"{caption}"') for caption in captions}
    assert any("general, local, seed 1:" in caption for caption in shown)
    assert [caption for caption in shown if "What to conclude" not in caption] == []


@pytest.mark.parametrize("caption", ["control", "control_table"])
@pytest.mark.parametrize("control", CONTROLS)
def test_each_control_s_caption_says_what_to_conclude(caption, control):
    text = (REPOSITORY / "report" / f"{caption}.rst").read_text(encoding="utf-8")
    named = {"wildcards": {"control": control, "model": "tiny"}}
    assert Template(text).render(snakemake=named).count("What to conclude:") == 1


@pytest.mark.service
def test_the_timing_table_the_configuration_and_versions_can_be_read(page, finished_mini):
    choose(page, "Tables")
    view(page, "timing")
    table = page.frame_locator("iframe").locator("table")
    assert "t*eq" in table.locator("th").all_text_contents()
    rows = (finished_mini.folder / "results/summary/timing.jsonl").read_text().splitlines()
    assert table.locator("tbody tr").count() == len(rows)
    choose(page, "Results", "Study")
    view(page, "configuration, machine and software")
    study = page.frame_locator("iframe")
    assert "general:" in study.locator("pre").text_content()
    made_with, devices = (
        [row.locator("td").all_text_contents() for row in table.locator("tbody tr").all()]
        for table in study.locator("table").all()
    )
    assert {"Commit", "Processor", "Python", "torch", "snakemake"} <= {
        what for what, _ in made_with
    }
    # A model of config.yaml comes before those of an overlay.
    assert [device[:2] for device in devices] == [["tiny", "1"], ["local", "1"]]


@pytest.mark.service
def test_the_explorer_works_inside_of_it(page):
    choose(page, "Study")
    view(page, "explorer")
    explorer = page.frame_locator("iframe")
    explorer.locator(EXPLORER).wait_for()
    explorer.locator("#model").select_option("local")
    explorer.locator("#tau").fill("0.3")
    assert "at τ = 0.30" in explorer.locator("#map-summary").text_content()


@pytest.mark.service
def test_it_tells_how_long_jobs_took(page):
    choose(page, "Statistics")
    charts = page.locator("svg.marks, canvas.marks")
    charts.first.wait_for()
    assert charts.count() == 2


@pytest.mark.service
def test_it_can_be_a_zip_archive(browser, finished_mini, tmp_path):
    finished_mini.snakemake("--report", str(tmp_path / "report.zip"))
    zipfile.ZipFile(tmp_path / "report.zip").extractall(tmp_path)
    page, _ = opened(browser, tmp_path / "report/report.html", READY)
    choose(page, "tiny", "all levels")
    view(page, "overview")
    page.locator("img[src*='overview.svg']").wait_for()

"""The explorer's page: the study in it, another study in its place, and its charts."""

import base64
import gzip
import json
import re

from think_to_talk.files.jsonl import read_jsonl, read_probe_rows
from think_to_talk.pages.explorer.data import result_data, study_data
from think_to_talk.pages.explorer.examples import examples_each

#: Charts whose columns are token positions, and all charts.
BY_POSITION = ("map", "curves", "clocks")
CHARTS = (*BY_POSITION, "readable", "patched", "whole")

_STUDY = re.compile('(id="study">)([^<]*)')


def study_in(page):
    """The study that a page, as HTML, shows."""
    return json.loads(gzip.decompress(base64.b64decode(_STUDY.search(page)[2])))


def with_study(page, study):
    """The page with another study."""
    packed = base64.b64encode(gzip.compress(json.dumps(study).encode())).decode()
    return _STUDY.sub(lambda found: found[1] + packed, page)


def read_out(page, chart):
    """What the panel beside a chart says, as {what: value}."""
    panel = page.locator(f"#{chart}-reading")
    terms, values = (panel.locator(each).all_text_contents() for each in ("dt", "dd"))
    return dict(zip(terms, values, strict=True))


def centre(page, chart, column, row):
    """The middle of a place of a chart, on the screen."""
    return page.locator(f"#{chart}").evaluate(
        """(chart, [column, row]) => {
            chart.scrollIntoView({block: "center"});
            const {x, y} = chart.getBoundingClientRect();
            const of = (key) => parseFloat(chart.style.getPropertyValue(`--${key}`));
            const middle = (edge, size, number) => of(edge) + (number + 0.5) * of(size);
            return [x + middle("left", "column", column), y + middle("top", "row", row)];
        }""",
        [column, row],
    )


def pointed(page, chart, column, row):
    """What the panel beside a chart says where the pointer is at a place of it."""
    page.mouse.move(*centre(page, chart, column, row))
    said = read_out(page, chart)
    page.mouse.move(0, 0)
    return said


def large_study(study, n_models=9, n_layers=65, n_levels=5):
    """What the explorer shows of many models, layers and levels: repeated rows of a small study.

    study: one that has run, with the model `local` and the task `general` of three variables.
    """
    folder = study.folder / "results/local/seed-1"
    probes, timing, generations = (
        folder / kind
        for kind in (
            "probes/general.jsonl",
            "timing/general.jsonl",
            "generations/general/test.jsonl",
        )
    )
    small = read_probe_rows(probes)
    saved = len({row["layer"] for row in small})
    rows = [
        {**row, "layer": layer, **_of_other_rows(row, layer)}
        for layer in range(n_layers)
        for row in small
        if row["layer"] == layer % saved
    ]
    clocks = [row for row in read_jsonl(folder / "clocks.jsonl") if row["task"] == "general"]
    result = result_data(
        {"model": "", "seed": 1, "task": ""},
        rows,
        read_jsonl(timing),
        clocks=clocks,
        generations=read_jsonl(generations),
        n_examples=examples_each(n_models * n_levels),
    )
    results = [
        {**result, "model": f"model-{model}", "task": f"level-{level}"}
        for model in range(n_models)
        for level in range(n_levels)
    ]
    return study_data(results, 0.9, {})


def _of_other_rows(row, layer):
    """A probe row's predictions, of other test rows in each layer, so that layers are not alike."""
    keys = ("predictions", "heldout_predictions")
    return {
        key: row[key] and [*row[key][layer % len(row[key]) :], *row[key][: layer % len(row[key])]]
        for key in keys
    }

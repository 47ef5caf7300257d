"""How figures are saved, the same bytes for the same input, and how variables are drawn."""

import hashlib
import xml.etree.ElementTree as ET

from support.figures import timing

from think_to_talk.figures.heatmap import draw_heatmap
from think_to_talk.figures.overview import draw_overview
from think_to_talk.figures.style import save, variable_styles
from think_to_talk.timing.roles import ANSWER, DISTRACTOR, NEEDED


def draw_both(probe_rows, folder):
    paths = [folder / f"{name}.{kind}" for name in ("map", "view") for kind in ("png", "svg")]
    save(draw_heatmap(probe_rows, timing(probe_rows)), paths[:2])
    save(draw_overview({"level-1": probe_rows, "level-2": probe_rows}, 0.9, "tiny"), paths[2:])
    return paths


def test_identical_input_gives_identical_files(probe_rows, tmp_path):
    digests = []
    for name in ("first", "second"):
        paths = draw_both(probe_rows, tmp_path / name)
        digests.append([hashlib.sha256(path.read_bytes()).hexdigest() for path in paths])
    assert digests[0] == digests[1]
    for path in paths:
        content = path.read_bytes()
        assert b"Matplotlib" not in content[:2000].replace(b"matplotlib.org", b"") or (
            path.suffix == ".svg"
        )
        assert len(content) > 5000
        if path.suffix == ".svg":
            ET.fromstring(content)


def test_variables_of_one_role_are_told_apart_by_shade_and_marker():
    level_4 = variable_styles({0: DISTRACTOR, 1: NEEDED, 2: ANSWER})
    level_5 = variable_styles({0: NEEDED, 1: NEEDED, 2: ANSWER})
    assert level_4[2] == level_5[2]
    assert level_4[1].colour == level_5[0].colour
    assert len({style.colour for style in level_5.values()}) == 3
    assert len({style.marker for style in level_5.values()}) == 3
    assert [style.label for style in level_5.values()] == [
        "A, needed value",
        "B, needed value",
        "C, the answer",
    ]

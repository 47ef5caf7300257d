"""All figures as they are printed, 13 cm wide: letters, titles, marks and panels, measured."""

import inspect
import itertools
from importlib import import_module
from pkgutil import iter_modules

import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text
from support.printed import printed_figures

from think_to_talk import figures as package

#: Figures of marks, of which none may hide another.
MARKED = ("draw_effects", "draw_clocks", "draw_steering", "draw_control thresholds")


@pytest.fixture(scope="module")
def drawn():
    """{name: (figure, renderer)}, laid out."""
    found = {}
    for name, figure in printed_figures().items():
        canvas = FigureCanvasAgg(figure)
        canvas.draw()
        found[name] = figure, canvas.get_renderer()
    return found


def tick_labels(axis):
    """The labels of ticks that are drawn: those within the view."""
    low, high = sorted(axis.get_view_interval())
    return [tick.label1 for tick in axis.get_major_ticks() if low <= tick.get_loc() <= high]


def unseen(figure):
    """The labels of ticks that are not drawn."""
    axes = [axis for panel in figure.axes for axis in (panel.xaxis, panel.yaxis)]
    every = {tick.label1 for axis in axes for tick in axis.get_major_ticks()}
    return every - {label for axis in axes for label in tick_labels(axis)}


def texts(figure):
    found = figure.findobj(lambda artist: isinstance(artist, Text) and artist.get_visible())
    hidden = unseen(figure)
    return [text for text in found if text.get_text().strip() and text not in hidden]


def boxes(found, renderer):
    """(words, box) of texts, without those that have no words or are switched off."""
    shown = (text for text in found if text.get_visible() and text.get_text().strip())
    return [(text.get_text(), text.get_window_extent(renderer)) for text in shown]


def overlap(one, other, slack=0.5):
    """Whether two boxes have more than a slack of pixels in common, both ways."""
    across = min(one.x1, other.x1) - max(one.x0, other.x0)
    down = min(one.y1, other.y1) - max(one.y0, other.y0)
    return across > slack and down > slack


def test_every_figure_function_is_measured(drawn):
    functions = set()
    for module in iter_modules(package.__path__):
        found = vars(import_module(f"{package.__name__}.{module.name}"))
        functions |= {
            name
            for name, value in found.items()
            if inspect.isfunction(value)
            and value.__module__.endswith(module.name)
            and inspect.signature(value).return_annotation == "Figure"
        }
    # The curves of controls are drawn by `draw_control`.
    assert functions - {"draw_curves"} == {name.partition(" ")[0] for name in drawn}


def test_every_figure_is_13_cm_wide_and_fits_a_page(drawn):
    for name, (figure, _) in drawn.items():
        width, height = figure.get_size_inches() * 2.54
        assert width == pytest.approx(13), name
        assert height < 25, name


def test_no_letters_are_smaller_than_6_points(drawn):
    for name, (figure, _) in drawn.items():
        small = [text.get_text() for text in texts(figure) if text.get_fontsize() < 6]
        assert not small, name


def test_all_words_are_within_the_figure(drawn):
    for name, (figure, renderer) in drawn.items():
        width, height = figure.bbox.width, figure.bbox.height
        cut = [
            text
            for text, box in boxes(texts(figure), renderer)
            if box.x0 < 0 or box.y0 < 0 or box.x1 > width or box.y1 > height
        ]
        assert not cut, name


def words_of(panel):
    """Groups of a panel's words that must not overlap: each axis's, and those above it."""
    legend = panel.get_legend()
    titles = [panel.title, panel._left_title, panel._right_title]
    return [
        [*tick_labels(panel.xaxis), panel.xaxis.label],
        [*tick_labels(panel.yaxis), panel.yaxis.label],
        [*titles, *(legend.get_texts() if legend else [])],
    ]


def test_no_words_overlap(drawn):
    for name, (figure, renderer) in drawn.items():
        groups = [boxes(group, renderer) for panel in figure.axes for group in words_of(panel)]
        named = [text for legend in figure.legends for text in legend.get_texts()]
        around = boxes([*figure.texts, *named], renderer)
        inside = [word for group in groups for word in group]
        pairs = [pair for group in (*groups, around) for pair in itertools.combinations(group, 2)]
        hidden = [
            (one[0], other[0])
            for one, other in (*pairs, *itertools.product(around, inside))
            if overlap(one[1], other[1])
        ]
        assert not hidden, name


def marks(panel):
    """The centres and sizes of a panel's marks, in points."""
    to_points = 72 / panel.figure.dpi
    for line in panel.lines:
        if line.get_marker() in ("None", None, "", "none"):
            continue
        size = line.get_markersize()
        for x, y in line.get_transform().transform(line.get_xydata()):
            yield x * to_points, y * to_points, size


@pytest.mark.parametrize("name", MARKED)
def test_no_mark_hides_another(drawn, name):
    """Marks of one size stand at least that size apart, though their values coincide."""
    figure, _ = drawn[name]
    n_marks = 0
    for panel in figure.axes:
        found = list(marks(panel))
        n_marks += len(found)
        for (x, y, size), (u, v, other) in itertools.combinations(found, 2):
            assert max(abs(x - u), abs(y - v)) >= 0.95 * (size + other) / 2, (x, y, u, v)
    assert n_marks > 10


def test_no_panel_is_empty(drawn):
    """All panels have cells, lines or an image; what was not measured has none."""
    for name, (figure, _) in drawn.items():
        assert isinstance(figure, Figure)
        for panel in figure.axes:
            assert panel.axison, name
            assert panel.has_data(), name

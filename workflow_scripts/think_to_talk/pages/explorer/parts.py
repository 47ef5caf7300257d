"""The files of the explorer's page that are not Python modules."""

#: One program; the last begins it.
SCRIPTS = (
    "study.js",
    "address.js",
    "views.js",
    "readers.js",
    "downloads.js",
    "words.js",
    "map.js",
    "curves.js",
    "clocks.js",
    "examples.js",
    "timing.js",
    "patching.js",
    "tables.js",
    "page.js",
)

STYLES = ("page.css", "charts.css")

#: All of them.
PARTS = ("page.html", "chart.html", "glossary.html", *STYLES, *SCRIPTS)

"""The page of findings, in Markdown and HTML: the sentences of `findings.table`, per model.

A finding holds in every one of at least five seeds. With fewer seeds the page says that its
sentences are observations.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from html import escape
from itertools import groupby
from operator import itemgetter
from typing import Any

from think_to_talk.pages.tables import html_page

#: Seeds in which a finding must hold.
LEAST_SEEDS = 5

_TITLE = "Findings"


def findings_markdown(rows: Sequence[Mapping[str, Any]], machine: str) -> str:
    """The page in Markdown.

    rows: of `findings.table`.
    machine: the processor that the page is made on.
    """
    lines = [f"# {_TITLE}", "", *(line + "\n" for line in _introduction(rows, machine))]
    for model, sections in _by_model(rows):
        lines.append(f"## {model}\n")
        for heading, sentences in sections:
            lines += [f"### {heading}\n", *(f"- {sentence}" for sentence in sentences), ""]
    return "\n".join(lines).rstrip() + "\n"


def findings_html(rows: Sequence[Mapping[str, Any]], machine: str) -> str:
    """The page in HTML; rows, machine: as of `findings_markdown`."""
    parts = [f"<p>{escape(line)}</p>\n" for line in _introduction(rows, machine)]
    for model, sections in _by_model(rows):
        parts.append(f"<h2>{escape(model)}</h2>\n")
        for heading, sentences in sections:
            items = "".join(f"<li>{escape(sentence)}</li>\n" for sentence in sentences)
            parts.append(f"<h3>{escape(heading)}</h3>\n<ul>\n{items}</ul>\n")
    return html_page(_TITLE, *parts)


def _introduction(rows: Sequence[Mapping[str, Any]], machine: str) -> Iterator[str]:
    seeds = rows[0]["seeds"]
    listed = f"seed{'s' if len(seeds) > 1 else ''} {', '.join(map(str, seeds))}"
    yield f"Made on {machine}, with {listed}. A model trained on another processor can differ."
    yield "A probe decodes a value if its accuracy on test problems exceeds the threshold of t*."
    if len(seeds) < LEAST_SEEDS:
        times = "one seed" if len(seeds) == 1 else f"{len(seeds)} seeds"
        yield (
            f"These are observations of {times}, not findings: a finding holds in every one of at "
            f"least {LEAST_SEEDS} seeds. Of a model that the study trains, each seed is another "
            "training."
        )
    else:
        yield (
            "A finding holds in every seed. What does not hold in every seed says so, and is an "
            "observation."
        )


def _by_model(
    rows: Sequence[Mapping[str, Any]],
) -> Iterator[tuple[str, list[tuple[str, list[str]]]]]:
    """(model, [(heading, sentences)]) in the order of the rows."""
    for model, of_model in groupby(rows, itemgetter("model")):
        sections = []
        for _, group in groupby(of_model, itemgetter("finding")):
            found = list(group)
            heading = "{finding}: {measured} {criterion}".format_map(found[0])
            sections.append((heading, [row["sentence"] for row in found]))
        yield model, sections

"""The page of findings, in Markdown and HTML: the sentences of `findings.table`, per model.

A finding holds in every one of at least five seeds. With fewer seeds the page says that its
sentences are observations. The report opens on those that answer the study's question.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from html import escape
from itertools import groupby
from operator import itemgetter
from typing import Any

from think_to_talk.findings.kinds import FINDINGS
from think_to_talk.pages.tables import html_page

#: Seeds in which a finding must hold.
LEAST_SEEDS = 5

_TITLE = "Findings"

#: The findings that answer the study's question.
_OPENING = ("answer-not-before", "answer-in-chain")


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


def findings_opening(rows: Sequence[Mapping[str, Any]]) -> str:
    """When the answers become readable, in reStructuredText, with which the report opens.

    rows: of `findings.table`. What does not hold in every seed is left to the page of findings.
    """
    claims = {finding.key: finding.claim for finding in FINDINGS}
    paragraphs = []
    for model, of_model in groupby(rows, itemgetter("model")):
        found = [row for row in of_model if row["finding"] in _OPENING and row["holds"]]
        for key, group in groupby(found, itemgetter("finding")):
            of_key = list(group)
            tasks = ", ".join(f"``{row['task']}``" for row in of_key)
            claim = claims[key].format(variable="").replace("  ", " ")
            ends = min(row["low"] for row in of_key), max(row["high"] for row in of_key)
            shares = " to ".join(dict.fromkeys(f"{end:.3f}" for end in ends))
            measured = f"{of_key[0]['measured']}: {shares}"
            paragraphs.append(f"- ``{model}``: {claim} in {tasks} ({measured}).")
    *_, kind = _introduction(rows, "")
    return "\n".join([*paragraphs, "", kind, ""])


def _introduction(rows: Sequence[Mapping[str, Any]], machine: str) -> Iterator[str]:
    if not rows:
        yield (
            "None: findings are about problems of templates and datasets in symbols, and this "
            "study has free text alone."
        )
        return
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

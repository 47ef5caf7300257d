"""Rows of free text for tests: problems in words of any length, with marked spans."""

import json
import random

from support.repository import REPOSITORY
from think_to_talk.study.configuration import load_schema

SCHEMA = load_schema("free_text_row", REPOSITORY / "schemas")

NAMES = ["Ana", "Bogdan", "Zoë", "Chen 陈", "Guadalupe"]

SETTINGS = {"answer_pattern": "answer is ([0-9]+)"}

#: (label, equation) of each span of the problem and of the chain of thought.
PROBLEM = [("who", -2), ("A", -2), ("#", -2), ("now?", -1)]
CHAIN = [("A", 0), ("±", 0), ("#", 0), ("B", 0), ("B", 1)]


def marked(text, written, parts, places):
    """Spans of the parts of a text, found from left to right."""
    spans, end = [], 0
    for part, (label, equation) in zip(parts, places, strict=True):
        start = written.index(part, end)
        end = start + len(part)
        place = {"start": start, "end": end, "label": label, "equation": equation}
        spans.append({"text": text, **place})
    return spans


def free_text_row(name="Ana", has=3, more=5):
    """A row as its researcher writes it."""
    a, b, total = str(has), str(more), str(has + more)
    source = f"{name} owns {a} shells, and finds {b} more. How many are there now?"
    target = f" {a} plus {b} is {total}. The answer is {total}.\n"
    return {
        "source": source,
        "target": target,
        "answer": total,
        "targets": {"A": has, "B": has + more},
        "spans": [
            *marked("source", source, [name, a, b, "now?"], PROBLEM),
            *marked("target", target, [a, "plus", b, total, total], CHAIN),
        ],
    }


def free_text_rows(n_rows, seed=0, highest=60):
    """Rows of names and numbers of one token and of several."""
    draw = random.Random(seed)
    return [
        free_text_row(draw.choice(NAMES), draw.randint(0, highest), draw.randint(0, highest))
        for _ in range(n_rows)
    ]


def write_rows(path, rows):
    """Write rows as a file from elsewhere."""
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path

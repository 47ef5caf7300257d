"""What became of each bad input or fault that tests tried, for tables at the end of the output."""

from collections import Counter

#: {title of a table: {what was tried: {outcome: cases}}}
TABLES = {}
#: {title of a table of many cases: its columns}; in others, the outcome is said in words.
COLUMNS = {}


def record(title, what, outcome):
    """Count one case. what: the kind of input or fault. outcome: what became of it."""
    TABLES.setdefault(title, {}).setdefault(what, Counter())[outcome] += 1


def taken():
    """All that was recorded, as plain values that another process can add to its own."""
    return [
        (title, COLUMNS.get(title), what, outcome, cases)
        for title, rows in TABLES.items()
        for what, outcomes in rows.items()
        for outcome, cases in outcomes.items()
    ]


def add(recorded):
    """Add what another process recorded."""
    for title, columns, what, outcome, cases in recorded:
        if columns:
            COLUMNS[title] = columns
        TABLES.setdefault(title, {}).setdefault(what, Counter())[outcome] += cases


def tables():
    """(title, rows of cells, the first its heading) of each table."""
    for title, rows in TABLES.items():
        if title in COLUMNS:
            yield title, _counted(rows, COLUMNS[title])
        else:
            said = [(what, "; ".join(outcomes)) for what, outcomes in rows.items()]
            yield title, [("what was tried", "outcome"), *said]


def _counted(rows, columns):
    """A column per outcome."""
    total = sum(rows.values(), Counter())
    outcomes = list(dict.fromkeys([*columns, *total]))
    counts = [
        (what, str(count.total()), *(str(count[outcome]) for outcome in outcomes))
        for what, count in [*rows.items(), ("all", total)]
    ]
    return [("what was tried", "cases", *outcomes), *counts]

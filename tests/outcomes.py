"""What became of each bad input or fault that tests tried, for a table at the end of the output."""

from collections import Counter

#: {title of a table: {what was tried: {outcome: cases}}}
TABLES = {}
#: {title of a table: outcomes that have a column even if there was none}
COLUMNS = {}


def record(table_title, what, outcome):
    """Count one case. what: the kind of input or fault. outcome: what became of it."""
    TABLES.setdefault(table_title, {}).setdefault(what, Counter())[outcome] += 1


def lines():
    """The tables as text: a line per kind of input, a column per outcome."""
    for title, rows in TABLES.items():
        total = sum(rows.values(), Counter())
        outcomes = list(dict.fromkeys([*COLUMNS.get(title, ()), *total]))
        columns = ["cases", *outcomes]
        table = [
            [what, counts.total(), *(counts[outcome] for outcome in outcomes)]
            for what, counts in [*rows.items(), ("all", total)]
        ]
        first = max(len(title), *(len(row[0]) for row in table))
        yield f"{title:{first}}" + "".join(f"  {column}" for column in columns)
        for what, *numbers in table:
            yield f"{what:{first}}" + "".join(
                f"  {number:{len(column)}}" for column, number in zip(columns, numbers, strict=True)
            )

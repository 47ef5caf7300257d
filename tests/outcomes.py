"""What tests tried and what came of it, for tables at the end of pytest's output."""

#: {title: rows of (what was tried, outcome)}.
OUTCOMES = {}


def record(title, what, outcome):
    OUTCOMES.setdefault(title, []).append((what, outcome))

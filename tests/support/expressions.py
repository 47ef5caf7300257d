"""Dataset rows for tests of expressions, and the expressions that are read from them."""

from think_to_talk.formulas.expressions import expressions


def row(source, **values):
    return {
        "source": source,
        "intermediate_questions": [f"{name} =" for name in values],
        "intermediate_answers": list(values.values()),
    }


def texts(problem):
    return [found and found.text for found in expressions(problem)]

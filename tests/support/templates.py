"""Templates as config entries, and the sizes of splits."""

PAPER_SIZES = {"train": 100, "valid": 2000, "test": 2000, "probing_train": 10_000}


SMALL_SIZES = {"train": 10, "valid": 20, "test": 30, "probing_train": 40}


KEYS = [
    "source",
    "target",
    "original_answer",
    "intermediate_questions",
    "intermediate_answers",
    "scratchpad",
]


def template(equations, order="reversed", **entry):
    defaults = {"operators": ["+", "-"], "values": [0, 9], "letters": 26, "ask": "last"}
    defaults |= {"names": "letters"}
    defaults |= {"draw": "even", "chain": "full", "shots": 3}
    return {**defaults, "equations": equations, "order": order, **entry}

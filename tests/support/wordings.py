"""Wordings of tasks, as config entries."""

NAMES = ["Alice", "Bob", "Carol", "Dave", "Erin"]

#: As in `studies/wording.yaml`.
APPLES = {
    "equation": {
        "+": "{x} has {b} more apples than {a}",
        "-": "{x} has {b} fewer apples than {a}",
    },
    "step": {"+": "{x} has {a} plus {b} apples", "-": "{x} has {a} minus {b} apples"},
    "number": "{x} has {value} apples",
    "question": "How many apples does {x} have?",
    "separator": ". ",
}

#: Every key, signs as operators, a comma between sentences, and signs beside placeholders.
LEDGER = {
    "equation": "{x}'s sum (in $): {a} {op} {b}",
    "step": "{x}'s sum: {a} {op} {b}",
    "number": "{x}'s sum: {value}$",
    "answer": "so {x}'s is {value}$",
    "copy": "{x}'s sum is as large as {a}'s",
    "question": "What is {x}'s?",
    "separator": ", ",
}

WORDINGS = {"apples": APPLES, "ledger": LEDGER}

"""Prompts of forced answers, written by hand."""

from think_to_talk.formulas.cuts import cut_examples
from think_to_talk.formulas.rows import first_shots

IDENTITY = {"model": "m", "seed": 3, "task": "t"}


def prompt_texts(row, shots, end=""):
    """Per cut, what the model is given, written by hand; `end` follows the last `=`."""
    examples = cut_examples(first_shots(row["few_shot_context"], shots), IDENTITY["seed"])
    *equations, answer = row["scratchpad"].split(" , ")
    name = answer.split()[0]
    chains = [" ".join(["", " , ".join(equations[:n])]).rstrip() for n in range(len(equations) + 1)]
    return [f"{examples}{row['source']}{chain} ; {name} ={end}" for chain in chains]

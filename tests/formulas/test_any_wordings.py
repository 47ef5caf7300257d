"""Any wording is refused in one line, or reads back each problem and chain that it writes."""

import random

from hypothesis import given
from hypothesis import strategies as st
from support.bad_input import accepted_or_refused, cases
from support.templates import template
from support.wordings import NAMES

from think_to_talk.formulas.ceilings import ceilings
from think_to_talk.formulas.sampling import ProblemSpace
from think_to_talk.formulas.symbols import text_symbols
from think_to_talk.formulas.templates import Template
from think_to_talk.study.worded_tasks import check_read_back

WORDS = [
    "has",
    "is",
    "plus",
    "minus",
    "+",
    "-",
    "=",
    "Bob",
    "A",
    "7",
    ".",
    ",",
    "'s",
    "{x}",
    "#",
    "é",
]
PLACEHOLDERS = {
    "number": ["{x}", "{value}"],
    "answer": ["{x}", "{value}"],
    "copy": ["{x}", "{a}"],
    "equation": ["{x}", "{a}", "{op}", "{b}"],
    "step": ["{x}", "{a}", "{op}", "{b}"],
    "question": ["{x}"],
}
EQUATIONS = ["v0 = num | num ± num", "v1 = v0 | v0 ± num / num ± v0"]


#: Zeros are drawn more often than other numbers.
RARELY = st.integers(0, 19).map(lambda number: number == 13)


@st.composite
def texts(draw, key, without=()):
    """Placeholders, mostly all and mostly in order, with words between them."""
    placeholders = [each for each in PLACEHOLDERS[key] if each not in without]
    if draw(RARELY):
        placeholders = draw(st.permutations(placeholders))
    if draw(RARELY):
        placeholders = placeholders[1:]
    parts = []
    for placeholder in placeholders:
        likely = st.sampled_from(WORDS if draw(RARELY) else ["has", "is", "as", "=", "'"])
        parts += [placeholder, *draw(st.lists(likely, min_size=1, max_size=2))]
    if key == "question":
        parts.append("?")
    return ("" if draw(RARELY) else " ").join(parts)


@st.composite
def operations(draw, key):
    """A text with the operator, or one for each operator, which mostly differ in a word."""
    if draw(st.booleans()):
        return draw(texts(key))
    if draw(RARELY):
        return {op: draw(texts(key, ["{op}"])) for op in "+-"}
    text = draw(texts(key, ["{op}"]))
    return {"+": f"{text} more", "-": f"{text} less"}


@st.composite
def wordings(draw):
    """A wording as the schema accepts it."""
    wording = {key: draw(texts(key)) for key in ("number", "question", "copy")}
    wording["equation"] = draw(operations("equation"))
    if draw(st.booleans()):
        wording["step"] = draw(operations("step"))
    if draw(st.booleans()):
        wording["answer"] = draw(texts("answer"))
    separators = [". ", ", ", ";", " . ", "", "and", "., "] if draw(RARELY) else [". ", " ; "]
    return {**wording, "separator": draw(st.sampled_from(separators))}


@cases(100)
@given(wordings(), st.integers(0, 10**6))
def test_a_wording_is_refused_or_reads_back_what_it_writes(wording, seed):
    rng = random.Random(seed)
    with accepted_or_refused("wordings", r"wording|names"):
        entry = template(EQUATIONS, names=NAMES, wording=wording, values=[0, 3])
        read = Template.from_config(entry)
        n_symbols = len(ceilings(read, 0))
        for variant, _ in read.variants():
            space = ProblemSpace(variant)
            problems = [space[rng.randrange(space.size)] for _ in range(5)]
            for problem in problems:
                check_read_back(problem)
            symbols = {len(text_symbols(problem.source)) for problem in problems}
            assert len(symbols) == 1
            assert max(symbols) <= n_symbols

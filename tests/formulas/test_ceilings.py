"""Ceilings: what the best reader of the text can know, against lists of all problems."""

import string
from collections import Counter, defaultdict
from fractions import Fraction

import pytest
import yaml
from support.repository import REPOSITORY
from support.templates import template

from think_to_talk.formulas.ceilings import ceiling_rows, ceilings
from think_to_talk.formulas.sampling import ProblemSpace, draw_problems
from think_to_talk.formulas.symbols import text_symbols
from think_to_talk.formulas.templates import Template

LEVELS = {
    level: template(entry["equations"], entry["order"])
    for level, entry in yaml.safe_load((REPOSITORY / "config.yaml").read_text())["tasks"].items()
}
#: The symbol of the number or operator that determines each variable, counted from 0.
DETERMINED = {
    "level-1": [8, 8],
    "level-2": [4, 9],
    "level-3": [10, 10],
    "level-4": [16, 10, 10],
    "level-5": [16, 16, 16],
}


def symbols(problem):
    """The symbols of a problem and its chain, letters renamed as they first appear."""
    row = problem.row()
    names = {}
    return tuple(
        names.setdefault(symbol, string.ascii_uppercase[len(names)])
        if symbol in string.ascii_lowercase
        else symbol
        for symbol in (row["source"] + row["target"]).replace(" ", "")
    )


def listed_ceilings(weights, variable):
    """The ceiling after each symbol of problem and chain: all prefixes of all texts are grouped.

    weights: {problem: probability}.
    """
    texts = [
        (symbols(problem), problem.values[variable], weight) for problem, weight in weights.items()
    ]
    found = []
    for end in range(1, max(len(text) for text, _, _ in texts) + 1):
        groups = defaultdict(Counter)
        for text, value, weight in texts:
            groups[text[:end]][value] += weight
        found.append(sum(max(values.values()) for values in groups.values()))
    return found


def all_problems(entry):
    """{problem: its probability in one draw}."""
    weights = Counter()
    for variant, weight in Template.from_config(entry).variants():
        space = ProblemSpace(variant)
        if entry["draw"] == "rejection":
            weight *= Fraction(space.share_in_range).limit_denominator(10**6)
        for index in range(space.size):
            weights[space[index]] += weight / space.size
    total = sum(weights.values())
    return {problem: weight / total for problem, weight in weights.items()}


@pytest.mark.parametrize(
    "entry",
    [
        *({**LEVELS[level], "letters": 2} for level in ("level-1", "level-2", "level-3")),
        {**LEVELS["level-4"], "letters": 3, "values": [0, 2]},
        {**LEVELS["level-5"], "letters": 3, "values": [0, 3]},
        template(["v0 = num ± num", "v1 = v0 - num"], values=[2, 5], letters=3),
        # The same layout from alternatives of different weight.
        template(
            ["v0 = num + num | num - num | num ± num", "v1 = v0 + num"], values=[0, 3], letters=2
        ),
        # Texts of different lengths, and operands that a letter tells apart.
        template(
            ["v0 = num", "v1 = v0 | num ± v0", "v2 = v0 - v1 | v1 | num"], values=[0, 2], letters=3
        ),
        # Weights: two forms share a place, and what is seldom in range is rarer.
        template(
            ["v0 = num | num ± num", "v1 = num ± v0 / v0 ± num | num"], values=[0, 2], letters=2
        ),
        template(
            ["v0 = num | num ± num", "v1 = num ± v0 / v0 ± num | num"],
            values=[0, 2],
            letters=2,
            draw="rejection",
        ),
        template(["v0 = num", "v1 = v0 + v0", "v2 = v0 ± v1"], values=[0, 5], letters=3),
        # The order, and what is asked, are not known before they are read.
        template(["v0 = num", "v1 = num ± v0"], "shuffled", values=[0, 3], letters=2, ask="any"),
        template(["v0 = num", "v1 = num"], "shuffled", values=[1, 2], letters=2),
        template(["v0 = num | num + num", "v1 = v0 | num"], "shuffled", values=[0, 2], letters=2),
    ],
)
def test_ceilings_are_those_of_a_list_of_all_problems(entry):
    problems = all_problems(entry)
    assert sum(problems.values()) == 1
    for variable in range(len(entry["equations"])):
        expected = listed_ceilings(problems, variable)
        found = ceilings(Template.from_config(entry), variable)
        # No symbol of the chain says more than the problem.
        found += [found[-1]] * (len(expected) - len(found))
        assert found == list(map(float, expected))


@pytest.mark.parametrize("level", LEVELS)
def test_each_variable_of_a_level_is_determined_by_its_last_number_or_operator(level):
    task = Template.from_config(LEVELS[level])
    for variable, symbol in enumerate(DETERMINED[level]):
        found = ceilings(task, variable)
        assert found.index(1) == symbol
        assert found == sorted(found)
        assert min(found) >= 0.1


@pytest.mark.parametrize("draw", ["even", "rejection"])
def test_ceilings_are_those_of_drawn_problems(draw):
    """The distribution is that of the rows of a dataset, whatever letters they have."""
    entry = template(["v0 = num | num ± num", "v1 = num ± v0"], values=[0, 4], draw=draw)
    problems = draw_problems(Template.from_config(entry), 1, set())
    n = 10_000
    weights = {next(problems): 1 / n for _ in range(n)}
    for variable in range(2):
        found = ceilings(Template.from_config(entry), variable)
        listed = listed_ceilings(weights, variable)[: len(found)]
        assert found == pytest.approx(listed, abs=0.03)


def test_rows_have_a_ceiling_per_symbol_and_variable():
    rows = list(ceiling_rows(Template.from_config(LEVELS["level-1"])))
    # `a=#±b,b=#;a=?`
    assert [(row["symbol_index"], row["variable"]) for row in rows] == [
        (symbol, variable) for symbol in range(13) for variable in range(2)
    ]
    assert [row["ceiling"] for row in rows if row["symbol_index"] == 8] == [1, 1]
    # The most frequent value before anything is read: 20 of 110 problems have v0 = 0.
    assert rows[0]["ceiling"] == pytest.approx(20 / 110)


def test_ten_equations_take_seconds():
    equations = ["v0 = num ± num", *(f"v{i} = num ± v{i - 1}" for i in range(1, 10))]
    found = ceilings(Template.from_config(template(equations)), 9)
    assert found.index(1) == len(found) - 5


def test_a_template_without_problems_has_no_ceilings():
    entry = template(["v0 = num + num"], values=[6, 9])
    assert ceilings(Template.from_config(entry), 0) == []


@pytest.mark.parametrize("equations", [["v0 = num ± num"], ["v0 = num", "v1 = v0 ± num"]])
def test_ceilings_of_digits_are_those_of_listed_problems(equations):
    """A number is one symbol; a reader guesses the digit that most of the problems have."""
    entry = template(equations, "in_order", values=[8, 21], letters=len(equations))
    weights = all_problems(entry)
    rows = list(ceiling_rows(Template.from_config(entry), digits=2))
    n_variables = len(equations)
    targets = [v + 26 * place for place in range(3) for v in range(n_variables)]
    assert [row["variable"] for row in rows[: len(targets)]] == targets
    assert [row for row in rows if row["variable"] < 26] == list(
        ceiling_rows(Template.from_config(entry))
    )
    for row in rows:
        variable, digit = row["variable"] % 26, row["variable"] // 26 - 1
        groups = defaultdict(Counter)
        for problem, weight in weights.items():
            value = problem.values[variable]
            label = value if digit < 0 else int(f"{value:02}"[1 - digit])
            names = {}
            text = tuple(
                names.setdefault(symbol, len(names)) if symbol.isalpha() else symbol
                for symbol in text_symbols(problem.row()["source"])
            )
            groups[text[: row["symbol_index"] + 1]][label] += weight
        expected = sum(max(of_text.values()) for of_text in groups.values())
        assert row["ceiling"] == pytest.approx(float(expected), abs=1e-12)

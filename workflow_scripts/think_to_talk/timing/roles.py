"""Roles of variables: what the asked answer has to do with each variable of a problem.

Roles are read from the symbols of the problem, which probe rows name (`timing.symbol_axis`), so
that generated tasks and existing datasets are treated alike. `figures` and `pages` colour variables
by role.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from think_to_talk.formulas.symbols import NUMBER, SEPARATORS, is_digit, variable_symbol
from think_to_talk.timing.symbol_axis import on_symbol_axis

#: The variable that the question asks for.
ANSWER = "answer"

#: A variable that the answer depends on, and whose equation has an operator or copies a variable.
NEEDED = "needed value"

#: A variable that the answer depends on, and whose equation is a plain number.
OPERAND = "operand"

#: A variable that the answer does not depend on.
DISTRACTOR = "distractor"

#: All roles, in the order of legends.
ROLES = (ANSWER, NEEDED, OPERAND, DISTRACTOR)

#: {role: colours of its first and second variable}, mostly of Okabe and Ito's palette; None if the
#: role is not known. The figures for print and the explorer share them.
ROLE_COLOURS = {
    ANSWER: ("#D55E00", "#F0A060"),
    NEEDED: ("#0072B2", "#56B4E9"),
    OPERAND: ("#009E73", "#7CCDB6"),
    DISTRACTOR: ("#CC79A7", "#E3B5CF"),
    None: ("#666666", "#A6A6A6"),
}

#: Colours of digits of values, which have no role of their own, in turn.
_DIGIT_COLOURS = ("#332288", "#882255", "#117733", "#999933", "#661100", "#6699CC")

#: The role of each variable of a task; None where it is not known, and of digits.
Roles = Mapping[int, str | None]

#: A symbol that no token completes, so that probe rows do not name it.
_HIDDEN = "?hidden"


def variable_roles(probe_rows: Sequence[Mapping[str, Any]]) -> dict[int, str | None]:
    """{variable: its role}, of all variables of a task.

    probe_rows: of a task, with any layers.
    All roles are None where the rows do not show every variable of the problem's equations, as when
    a token completes two of them, or where a variable has several equations.
    """
    variables = sorted({row["variable"] for row in probe_rows})
    problem = _read_problem(probe_rows)
    if problem is None:
        return dict.fromkeys(variables)
    equations, asked = problem
    needed = _needed(equations, asked)
    if needed is None:
        return dict.fromkeys(variables)
    return {v: _role(variable_symbol(v), equations, asked, needed) for v in variables}


def role_ranks(roles: Roles) -> dict[int, int]:
    """{variable: how many variables with the same role come before it}."""
    seen: Counter[str | None] = Counter()
    ranks = {}
    for variable in sorted(roles):
        ranks[variable] = seen[roles[variable]]
        seen[roles[variable]] += 1
    return ranks


def role_colours(roles: Roles) -> dict[int, str]:
    """{variable: the colour that its role has in every task}; variables of one role take turns."""
    colours = {}
    values = {variable: role for variable, role in roles.items() if not is_digit(variable)}
    for variable, rank in role_ranks(values).items():
        of_role = ROLE_COLOURS[roles[variable]]
        colours[variable] = of_role[rank % len(of_role)]
    for rank, variable in enumerate(sorted(filter(is_digit, roles))):
        colours[variable] = _DIGIT_COLOURS[rank % len(_DIGIT_COLOURS)]
    return colours


def of_values(rows: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The rows without those of digits of variables' values."""
    return [row for row in rows if not is_digit(row.get("variable"))]


def role_label(variable: int, role: str | None) -> str:
    """A variable's name with its role, as legends write it: `B, the answer`."""
    name = variable_symbol(variable)
    if role is None:
        return name
    return f"{name}, the answer" if role == ANSWER else f"{name}, {role}"


def _role(
    name: str, equations: Mapping[str, Sequence[str]], asked: str, needed: set[str]
) -> str | None:
    """The role of the variable with this name; None if the problem has no equation of it."""
    if name == asked:
        return ANSWER
    if name not in equations:
        return None
    if name not in needed:
        return DISTRACTOR
    return OPERAND if list(equations[name]) == [NUMBER] else NEEDED


def _needed(equations: Mapping[str, Sequence[str]], asked: str) -> set[str] | None:
    """The variables that the asked one depends on, itself among them.

    None if one of them has no equation.
    """
    needed, open_names = set(), [asked]
    while open_names:
        name = open_names.pop()
        if name not in equations:
            return None
        needed.add(name)
        terms = (term for term in equations[name] if term != NUMBER)
        open_names += [term for term in terms if term not in needed]
    return needed


def _read_problem(
    probe_rows: Iterable[Mapping[str, Any]],
) -> tuple[dict[str, list[str]], str] | None:
    """({variable: the terms of its equation}, the asked variable) of the problem's symbols.

    None where a symbol that must be known is hidden, or where a variable has several equations.
    """
    in_problem = [row for row in on_symbol_axis(probe_rows) if row["relative_position"] < 0]
    symbols = {row["symbol_index"]: row["symbol"] for row in in_problem}
    number_of = {row["symbol_index"]: row["equation"] for row in in_problem}
    equations: dict[str, list[str]] = {}
    is_worded = any(symbol.isalpha() and not _is_variable(symbol) for symbol in symbols.values())
    start = 0
    for index in range(1 + max(symbols, default=-1)):
        symbol = symbols.get(index, _HIDDEN)
        if symbol not in (*SEPARATORS, "?"):
            continue
        written = [symbols.get(i, _HIDDEN) for i in range(start, index)]
        numbers = {number_of[i] for i in range(start, index + 1) if i in number_of}
        # A hidden separator would join two equations, which have different numbers.
        if len(numbers) > 1:
            return None
        name, terms = _read_sentence(written) if is_worded else _read_equation(written)
        if symbol == "?":
            is_question = name.isalpha() and (is_worded or len(written) == 2) and not terms
            return (equations, name) if is_question else None
        if not name.isalpha() or name in equations or not terms:
            return None
        if not all(term == NUMBER or term.isalpha() for term in terms):
            return None
        equations[name] = terms
        start = index + 1
    return None


def _read_equation(written: list[str]) -> tuple[str, list[str]]:
    """The variable and the terms of symbols such as `B = # ± A`.

    Terms stand at even places; `=` and operators, which may be hidden, at odd ones.
    """
    return (written[0] if written else _HIDDEN), written[2::2]


def _read_sentence(written: list[str]) -> tuple[str, list[str]]:
    """The variable that a sentence is about, which it names first, and the terms of its value."""
    if _HIDDEN in written:
        return _HIDDEN, []
    named = [symbol for symbol in written if symbol == NUMBER or _is_variable(symbol)]
    return (named[0] if named else _HIDDEN), named[1:]


def _is_variable(symbol: str) -> bool:
    """Whether a symbol is the name of a variable on the symbol axis, and no word of a sentence."""
    return len(symbol) == 1 and "A" <= symbol <= "Z"

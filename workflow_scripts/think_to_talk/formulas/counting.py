"""Whether ceilings (`formulas.ceilings`) of a template can be counted in minutes."""

from __future__ import annotations

from math import factorial

from think_to_talk.formulas.symbols import N_CLASSES
from think_to_talk.formulas.templates import Form, Template

#: The most texts, about, that are counted of values beyond single digits: minutes.
_MOST_TEXTS = 5_000_000


def are_countable(template: Template) -> bool:
    """Whether ceilings are counted in minutes, as those of single digits always are.

    template: of a task's problems.
    """
    n_values = template.high - template.low + 1
    return n_values <= N_CLASSES or _n_texts(template, n_values) <= _MOST_TEXTS


def _n_texts(template: Template, n_values: int) -> int:
    """The texts, about, of which weights are counted for one variable.

    What is known after a text is a value of each variable that is still needed, or how two of them
    differ or add up.
    """
    n = len(template.alternatives)
    total = 0
    for variant, _ in template.variants():
        equations = [forms for (forms,) in variant.alternatives]
        order = range(n)[::-1] if template.order == "reversed" else range(n)
        states = 1
        for step, variable in enumerate(order):
            forms = equations[variable]
            texts = sum(n_values ** form.operands.count(None) for form in forms)
            read = {*order[: step + 1]}
            unread_use = {v for i in read for v in variables_of(equations[i])} - read
            later_use = {v for i in order[step + 1 :] for v in variables_of(equations[i])} & read
            total += states * texts
            live = max(1, len(unread_use | later_use))
            most = (4 * (step + 1) if unread_use else 1) * n_values**live
            states = min(states * texts, most)
    return total * (factorial(n) if template.order == "shuffled" else 1)


def variables_of(forms: tuple[Form, ...]) -> tuple[int, ...]:
    """The variables that an equation uses, each once; its forms differ in the operator alone."""
    return tuple(dict.fromkeys(name for name in forms[0].operands if name is not None))

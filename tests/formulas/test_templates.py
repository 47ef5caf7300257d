"""Templates: those that no problem can satisfy are errors."""

import time

import pytest
from support.templates import PAPER_SIZES, SMALL_SIZES, template

from think_to_talk.errors import InputError
from think_to_talk.study import contradictions


@pytest.mark.parametrize(
    ("entry", "sizes", "message"),
    [
        (template(["v0 = num", "v1 = num ± v0"], letters=2), PAPER_SIZES, "220 distinct problems"),
        (template(["v0 = num + num"], values=[6, 9]), SMALL_SIZES, "0 distinct problems"),
        (template(["v0 = num", "v1 = num"], letters=1), SMALL_SIZES, "only 1 allowed"),
        (template(["v0 = num + v1", "v1 = num"]), SMALL_SIZES, "'v1' in equation"),
        (template(["v0 = num * num"]), SMALL_SIZES, r"operator '\*'"),
        (template(["v1 = num"]), SMALL_SIZES, "must read 'v0 = ...'"),
        (template(["v0 = num + num + num"]), SMALL_SIZES, "one operand, or two"),
        (template(["v0 = num"], values=[5, 2]), SMALL_SIZES, "is empty"),
        (template(["v0 = num", "v1 = v0"], names=["kiwi"]), SMALL_SIZES, "only 1 allowed"),
        (template(["v0 = num"], names=["Kiwi", "kiwi"]), SMALL_SIZES, "'Kiwi' and 'kiwi' differ"),
        (template(["v0 = num ± num"], shots=11), SMALL_SIZES, "only 10 rows"),
    ],
)
def test_an_unsatisfiable_template_is_an_error_at_once(entry, sizes, message):
    started = time.perf_counter()
    with pytest.raises(InputError, match=message):
        contradictions.check_satisfiable(entry, sizes)
    assert time.perf_counter() - started < 1

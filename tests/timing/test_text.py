"""Ceilings of symbols, on the positions of tokens."""

import pytest
from support.ceilings import leaking

from think_to_talk.timing.text import determined_from, position_ceilings

#: `A=#;A=?` and the begin of a chain.
CEILINGS = [
    {"symbol_index": symbol, "variable": variable, "ceiling": ceiling}
    for symbol, values in enumerate([(0.1, 0.2)] * 2 + [(1.0, 0.2)] * 2 + [(1.0, 0.5)] * 3)
    for variable, ceiling in enumerate(values)
]


def rows(*symbols):
    """Probe rows of two layers; symbols: per position the symbol that its token completes."""
    return [
        {"relative_position": t, "symbol_index": symbol, "layer": layer}
        for layer in (4, 0)
        for t, symbol in enumerate(symbols, start=-5)
    ]


def test_a_position_has_the_ceiling_of_the_last_symbol_that_is_complete():
    # Lone spaces before `A` and `#`, one token for `;A`, one for `=?`.
    found = position_ceilings(rows(None, 0, 1, None, 2, 4, 6, 7, None), CEILINGS, 0)
    assert found == dict(zip(range(-5, 4), [0.1] * 4 + [1.0] * 5, strict=True))
    assert determined_from(found) == -1
    # In the chain, the ceiling of the question stays.
    found = position_ceilings(rows(0, 1, 2, 4, 6, 7, 8), CEILINGS, 1)
    assert list(found.values()) == [0.2, 0.2, 0.2, 0.5, 0.5, 0.5, 0.5]
    assert determined_from(found) is None


def test_a_token_of_several_symbols_determines_what_its_last_symbol_does():
    # `A=#;` is one token.
    assert determined_from(position_ceilings(rows(3, 4, 6), CEILINGS, 0)) == -5


def test_without_ceilings_nothing_is_known():
    assert position_ceilings(rows(0, 1), [], 0) == {}
    assert determined_from({}) is None


@pytest.mark.parametrize(("score", "found"), [(0.1, 0), (0.13, 0), (0.16, 1), (None, 0)])
def test_an_accuracy_above_the_ceiling_beyond_its_interval_is_found(score, found):
    """The check that is made of every study that the tests run."""
    places = rows(0, 1, 2)[:3]
    probes = [{**row, "variable": 0, "n_test": 1000, "score": 1.0} for row in places]
    # The last position determines the variable: nothing is above 1.
    probes[0]["score"], probes[1]["score"] = 0.1, score
    assert leaking(probes, CEILINGS) == probes[1:2] * found

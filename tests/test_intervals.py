"""Intervals of means, against values by hand; those of shares are tested where they are used."""

import pytest

from think_to_talk.intervals import mean


def test_the_interval_of_a_mean_is_student_s():
    # t of 0.975 with three degrees of freedom is 3.1824, the standard deviation 0.1291.
    found = mean("p", [0.2, 0.3, 0.4, 0.5])
    assert found["p"] == pytest.approx(0.35)
    assert found["p_ci_low"] == pytest.approx(0.35 - 3.1824 * 0.1291 / 2, abs=1e-4)
    assert found["p_ci_high"] == pytest.approx(0.35 + 3.1824 * 0.1291 / 2, abs=1e-4)


def test_it_stays_within_0_and_1_and_one_value_has_none():
    assert mean("p", [0.0, 0.1, 0.9])["p_ci_low"] == 0
    assert mean("p", [1.0, 0.9, 0.1])["p_ci_high"] == 1
    assert mean("p", [0.4]) == {"p": 0.4, "p_ci_low": None, "p_ci_high": None}
    assert mean("p", []) == {"p": None, "p_ci_low": None, "p_ci_high": None}

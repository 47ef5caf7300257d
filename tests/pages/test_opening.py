"""The view that the explorer opens on."""

import pytest

from think_to_talk.pages.explorer.opening import opening_view


@pytest.mark.parametrize(
    ("dates", "opening"),
    [
        # (dates of A and of B in a first result, of A and of B in a second one)
        (([-5, 0], [-5, 3], [-5, 9], None), ("level-2", "A")),
        (([-5, None], [-5, 3], [2], [-2, 6, 1]), ("level-1", "B")),
        ((None, None, None, None), ("level-1", "A")),
    ],
)
def test_the_page_opens_on_the_variable_with_most_between_its_dates(dates, opening):
    variables = [
        {"name": "AB"[number % 2], "clocks": None if each is None else dict(enumerate(each))}
        for number, each in enumerate(dates)
    ]
    results = [
        {
            **{"model": "tiny", "seed": 1, "task": f"level-{number + 1}"},
            "positions": {"symbol": list("A=#;")},
            "variables": variables[2 * number : 2 * number + 2],
        }
        for number in range(2)
    ]
    task, variable = opening
    expected = {"model": "tiny", "seed": 1, "task": task, "variable": variable}
    assert opening_view(results) == expected


def test_dates_of_a_long_problem_are_not_further_apart_for_its_length_alone():
    short, long = (
        {
            **{"model": "tiny", "seed": 1, "task": name},
            "positions": {"symbol": ["#"] * length},
            "variables": [{"name": "A", "clocks": {"t_text": 0, "t_star": date}}],
        }
        for name, length, date in (("short", 10, 8), ("long", 100, 20))
    )
    assert opening_view([long, short])["task"] == "short"

"""What a run says of each task's answer when it ends."""

import pytest

from think_to_talk.pages.ending import ending, found


def row(t_star, heldout=None, task="level-1", seed=1, **changes):
    """A row of the clocks; heldout: the held-out date, or False where there is none."""
    return {
        **{"model": "tiny", "seed": seed, "task": task, "variable": 1, "role": "answer"},
        **{"t_star": t_star, "t_star_heldout": heldout or None, "heldout": heldout is not False},
        **changes,
    }


@pytest.mark.parametrize(
    ("dates", "said"),
    [
        ((-2, -1), "B from t = -2 (held out: from t = -1): while the model reads the problem"),
        ((-2, False), "B from t = -2: while the model reads the problem"),
        ((-2, 5), "only for expressions that probes were trained on: perhaps memorised"),
        ((-2, None), "but only for expressions that probes were trained on: perhaps memorised"),
        ((4, 9), "not while the model reads the problem, but while it writes the chain"),
        ((4, None), "while it writes the chain, but only for expressions that probes were trained"),
        ((None, None), "B never: no probe decodes it"),
    ],
)
def test_dates_are_given_with_their_meaning(dates, said):
    [sentence] = found([row(*dates)])
    assert sentence.startswith("tiny, level-1: B ")
    assert said in sentence


def test_only_answers_have_a_sentence():
    assert found([row(1, role="needed value"), row(1, role=None)]) == []


def test_seeds_share_a_sentence_with_the_range_of_their_dates():
    [sentence] = found([row(4, 9, seed=1), row(6, 9, seed=2)])
    assert "B from t = 4 to 6 (held out: from t = 9): not while" in sentence
    [sentence] = found([row(4, 9, seed=1), row(None, seed=2), row(-3, -3, seed=3)])
    assert "from t = -3 to 4, in 2 of 3 seeds" in sentence
    assert "its seeds differ" in sentence


def test_a_large_study_has_no_sentences_and_places_are_in_a_column():
    text = ending(["a"] * 31, {"clocks": "c.md", "the explorer": "e.html"})
    assert text == "\nclocks:       c.md\nthe explorer: e.html"
    assert ending(["a"] * 30, {}).count("  a") == 30


def test_on_a_terminal_sentences_are_broken_between_words():
    text = ending([f"tiny, level-1: {'word ' * 30}end"], {}, columns=80)
    assert max(map(len, text.splitlines())) <= 80
    assert "  tiny, level-1: word" in text
    assert text.split().count("word") == 30

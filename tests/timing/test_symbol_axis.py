"""The symbol axis: positions of tokens that complete a symbol, and the names of equations."""

from think_to_talk.timing.symbol_axis import equation_names, on_symbol_axis


def row(equation, symbol_index, symbol):
    return {"equation": equation, "symbol_index": symbol_index, "symbol": symbol}


#: `A=#;A=?A=#⏎`, whose numbers are two tokens each: a lone space, and then the digit.
TEXT = [
    *((-2, i, symbol) for i, symbol in enumerate("A=#;")),
    *((-1, i, symbol) for i, symbol in enumerate("A=?", start=4)),
    *((0, i, symbol) for i, symbol in enumerate("A=#⏎", start=7)),
]
SPACES = [row(-2, None, None), row(0, None, None)]
ROWS = [row(*symbol) for symbol in TEXT]


def test_tokens_that_complete_no_symbol_are_not_on_the_axis():
    assert on_symbol_axis([*SPACES, *ROWS]) == ROWS


def test_an_equation_is_named_by_its_symbols_as_they_are_written():
    """Whatever the order of the rows; each symbol counts once, whatever layers and variables."""
    assert equation_names([*SPACES, *reversed(ROWS), *ROWS]) == {-2: "A=#", -1: "A=?", 0: "A=#"}


def test_a_sentence_is_named_by_its_words():
    sentence = ["B", "has", "#", "±", "apples", "than", "A", "."]
    rows = [row(-2, i, symbol) for i, symbol in enumerate(sentence)]
    assert equation_names(rows) == {-2: "B has # ± apples than A"}

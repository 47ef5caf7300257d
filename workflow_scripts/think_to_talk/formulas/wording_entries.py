"""Wordings as config entries: read, and refused where a text could not be read back.

A wording is refused if a placeholder is missing, if addition and subtraction have the same text, or
if one of its words is what a variable may be called: figures and `formulas.wordings` could then not
tell which symbol of a text is a name, a number or an operator.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from think_to_talk.errors import InputError
from think_to_talk.formulas.symbols import (
    EITHER_OPERATOR,
    NEWLINE,
    NO_SYMBOL,
    SEPARATORS,
    TEMPLATE,
    text_symbols,
)
from think_to_talk.formulas.symbols import NUMBER as NUMBER_SYMBOL
from think_to_talk.formulas.wordings import (
    ANSWER,
    COPY,
    CUT,
    EQUATION,
    NUMBER,
    STEP,
    Sentence,
    Wording,
    with_operators,
)

#: The placeholders of each text.
_PLACEHOLDERS = {
    NUMBER: ("x", "value"),
    ANSWER: ("x", "value"),
    CUT: ("x", "value"),
    COPY: ("x", "a"),
    EQUATION: ("x", "a", "op", "b"),
    STEP: ("x", "a", "op", "b"),
    "question": ("x",),
}

_PLACEHOLDER = re.compile(r"\{([^{}]*)\}")

#: A placeholder that is a part of a word, number or other placeholder.
_JOINED = re.compile(r"[A-Za-z0-9{}]\{[a-z]+\}|\{[a-z]+\}[A-Za-z0-9{}]")

_SYMBOLS_OF_FIGURES = (NUMBER_SYMBOL, EITHER_OPERATOR, NEWLINE, NO_SYMBOL, TEMPLATE)


def read_wording(entry: Mapping[str, Any], names: Iterable[str], kinds: Iterable[str]) -> Wording:
    """The wording of a config entry.

    entry: `equation`, `number` and `question`, and what else there is of the others.
    names: what variables may be called.
    kinds: of the statements that the problems have.
    Raises InputError, which names the key, if a text could not be read back.
    """
    sentences: dict[tuple[str, str], Sentence] = {}
    for kind, default in (
        (NUMBER, ""),
        (ANSWER, NUMBER),
        (CUT, ""),
        (COPY, ""),
        (EQUATION, ""),
        (STEP, EQUATION),
    ):
        text = entry.get(kind, entry.get(default))
        if text is None and kind in kinds:
            raise InputError(f"wording has no {kind!r}, which the task's equations need: give one")
        if text is not None:
            sentences |= _read_sentences(kind, text)
    _check_text("question", entry["question"])
    wording = Wording(
        sentences=tuple(sentences.items()),
        question=Sentence.of(entry["question"]),
        separator=entry["separator"],
        before_question=entry["separator"],
    )
    _check_symbols(wording, names)
    return wording


def task_words(task: Mapping[str, Any]) -> list[str]:
    """What the texts of a task's config entry have beside letters, digits and signs.

    These are the names of variables, if they are words, and the symbols of the wording.
    """
    names = [] if task["names"] == "letters" else task["names"]
    found = []
    for texts in task.get("wording", {}).values():
        for text in [texts] if isinstance(texts, str) else texts.values():
            found += text_symbols(_PLACEHOLDER.sub(" ", text))
    return [*names, *dict.fromkeys(found)]


def cut_texts(task: Mapping[str, Any]) -> dict[str, str] | None:
    """The texts of the answer of a task's whole chains and of cut ones, for `formulas.cuts`.

    task: its config entry. None if its wording has no text for cut chains, or if it has no wording.
    """
    wording = task.get("wording", {})
    if CUT not in wording:
        return None
    return {ANSWER: wording.get(ANSWER, wording[NUMBER]), CUT: wording[CUT]}


def _read_sentences(kind: str, text: str | Mapping[str, str]) -> dict[tuple[str, str], Sentence]:
    """{(kind, operator or empty): sentence} of an entry: a text, or one for each operator."""
    if isinstance(text, str):
        _check_text(kind, text)
        if kind not in (EQUATION, STEP):
            return {(kind, ""): Sentence.of(text)}
        return with_operators(kind, text, text)
    for op, of_operator in text.items():
        _check_text(kind, of_operator, f"wording.{kind}.{op}", "op")
    plus, minus = (Sentence.of(text[op]) for op in "+-")
    if plus.symbols == minus.symbols:
        raise InputError(
            f"wording.{kind}: + and - write the same text {text['+']!r}, which could not be read "
            "back: give texts that differ in a word"
        )
    shapes = [
        [symbol if is_placeholder else "" for symbol, is_placeholder in sentence.symbols]
        for sentence in (plus, minus)
    ]
    if shapes[0] != shapes[1]:
        raise InputError(
            f"wording.{kind}: {text['+']!r} and {text['-']!r} have their placeholders at other "
            "symbols, expected texts that differ in words alone, so that rows have one layout"
        )
    return with_operators(kind, text["+"], text["-"])


def _check_text(key: str, text: str, where: str = "", without: str = "") -> None:
    """Raise InputError if a text has not what it needs to be read back.

    where: the key for messages. without: a placeholder that it does not have.
    """
    where = where or f"wording.{key}"
    expected = [name for name in _PLACEHOLDERS[key] if name != without]
    shown = ", ".join(f"{{{name}}}" for name in expected)
    found = _PLACEHOLDER.findall(text)
    unknown = [name for name in found if name not in expected]
    if unknown:
        raise InputError(f"{where}: unknown placeholder {{{unknown[0]}}}, expected {shown}")
    for name in expected:
        if found.count(name) != 1:
            times = "no" if name not in found else f"{found.count(name)} times"
            raise InputError(
                f"{where}: {text!r} has {times} {{{name}}}, expected {shown}, each once"
            )
    if found[0] != "x":
        raise InputError(
            f"{where}: {text!r} begins with {{{found[0]}}}, expected {{x}} as the first placeholder"
        )
    if _JOINED.search(text):
        raise InputError(
            f"{where}: {text!r} joins a placeholder with a letter or a digit, expected a space or "
            "another sign between them"
        )
    plain = _PLACEHOLDER.sub("", text)
    if key == "question":
        if not plain.endswith("?"):
            raise InputError(f"{where}: {text!r}, expected a text that ends with '?'")
        plain = plain.removesuffix("?")
    for character in plain:
        if (
            character in f"{SEPARATORS}?{{}}"
            or character.isnumeric()
            or not character.isprintable()
        ):
            raise InputError(
                f"{where}: {text!r} has {character!r}, expected words and signs other than digits, "
                f"braces, '?' and {', '.join(map(repr, SEPARATORS))}, which separate sentences"
            )


def _check_symbols(wording: Wording, names: Iterable[str]) -> None:
    """Raise InputError if a symbol of the wording could be taken for another."""
    symbols = wording.symbols
    if sum(wording.separator.count(mark) for mark in SEPARATORS) != 1 or wording.separator.strip(
        f"{SEPARATORS} "
    ):
        raise InputError(
            f"wording.separator: {wording.separator!r}, expected one of "
            f"{', '.join(map(repr, SEPARATORS))}, and spaces"
        )
    by_case = {symbol.lower(): symbol for symbol in symbols}
    for name in names:
        if name.lower() in by_case:
            raise InputError(
                f"names: {name!r} is a word of the wording, too ({by_case[name.lower()]!r}): "
                "choose other names"
            )
    for symbol in symbols:
        if symbol in _SYMBOLS_OF_FIGURES or (len(symbol) == 1 and "A" <= symbol <= "Z"):
            raise InputError(
                f"wording: figures write {symbol!r} for a variable, a number or a part of a text; "
                "choose another word"
            )
    _check_cut(wording)
    operators = wording.operator_words
    signs = {op for op in "+-" if op in symbols and operators.get(op) != op}
    for words in (signs, *_written_twice(wording)):
        for word in sorted(words):
            raise InputError(
                f"wording: {word!r} stands for an operator and for something else, expected words "
                "that tell + from - wherever they stand"
            )


def _check_cut(wording: Wording) -> None:
    """Raise InputError if nothing tells a cut chain's answer, before it is said, from a step."""
    sentences = dict(wording.sentences)
    cut = sentences.pop((CUT, ""), None)
    if cut is None:
        return
    first, is_placeholder = cut.symbols[0]
    begun = [sentence for sentence in sentences.values() if sentence.symbols[0][0] == first]
    if is_placeholder or begun:
        raise InputError(
            f"wording.{CUT}: its first symbol, {'{x}' if is_placeholder else repr(first)}, also "
            "begins other sentences; expected a word that says at once that the answer is due, "
            "such as 'So {x} has {value} apples'"
        )


def _written_twice(wording: Wording) -> Iterable[set[str]]:
    """The words of each sentence that stand for another operator than the sentence has."""
    operators = wording.operator_words
    for (_, op), sentence in wording.sentences:
        own = [symbol for symbol, is_placeholder in sentence.symbols if not is_placeholder]
        yield {word for word in own if operators.get(word, op) != op}
    yield {word for word, _ in wording.question.symbols if word in operators}

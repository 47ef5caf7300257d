"""Wordings: how the equations of a problem, its question and its chain of thought are written.

The default is symbolic, `z = 4 - o`. A task's `wording` gives other texts, such as sentences, in
which `{x}`, `{a}`, `{op}`, `{b}` and `{value}` stand for names, numbers and operators.
`formulas.wording_entries` reads and checks it. A wording reads back what it writes: each sentence
is found by a regular expression made of the same text.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

from think_to_talk.errors import InputError
from think_to_talk.formulas.symbols import SEPARATORS, text_symbols

#: Kinds of statements: `x = 4` in the problem and in the chain, `x = y`, `x = 4 + y`, `x = 4 + 5`.
NUMBER, ANSWER, COPY, EQUATION, STEP = "number", "answer", "copy", "equation", "step"

#: The kind of the sentence that answers in a cut chain (`formulas.cuts`), which none is read as.
CUT = "cut"

_PLACEHOLDER = re.compile(r"\{(\w*)\}")

#: What each placeholder may be replaced by, as a regular expression.
_READ = {"x": r"[A-Za-z]+", "value": r"[0-9]+", "a": r"[A-Za-z]+|[0-9]+", "b": r"[A-Za-z]+|[0-9]+"}


@dataclass(frozen=True)
class Statement:
    """What a sentence says: a variable is a number, a variable, or two of those with an operator.

    name: of the variable.
    operands: names of variables, and numbers.
    operator: between two operands; empty for one.
    """

    name: str
    operands: tuple[str | int, ...]
    operator: str = ""

    def kind(self, *, in_chain: bool) -> str:
        """The kind of sentence that says so, in a chain of thought or in a problem."""
        has_names = str in map(type, self.operands)
        if self.operator:
            return EQUATION if has_names else STEP
        if has_names:
            return COPY
        return ANSWER if in_chain else NUMBER


@dataclass(frozen=True)
class Sentence:
    """The text of one kind of statement.

    parts: text and placeholders in turn, text first, such as ("", "x", " = ", "value", "").
    """

    parts: tuple[str, ...]

    @classmethod
    def of(cls, text: str) -> Sentence:
        """A text with placeholders in braces."""
        return cls(tuple(_PLACEHOLDER.split(text)))

    @property
    def placeholders(self) -> tuple[str, ...]:
        """In the order of writing."""
        return self.parts[1::2]

    @cached_property
    def symbols(self) -> tuple[tuple[str, bool], ...]:
        """(symbol, whether it is a placeholder) of its symbols."""
        return tuple(
            (symbol, is_placeholder)
            for place, part in enumerate(self.parts)
            for is_placeholder in [place % 2 == 1]
            for symbol in ([part] if is_placeholder else text_symbols(part))
        )

    def write(self, values: Mapping[str, object]) -> str:
        """The text; values: of the placeholders."""
        return self._format.format_map(values)

    @cached_property
    def _format(self) -> str:
        texts = [text.replace("{", "{{").replace("}", "}}") for text in self.parts]
        texts[1::2] = [f"{{{name}}}" for name in self.placeholders]
        return "".join(texts)

    def read(self, text: str) -> dict[str, str] | None:
        """The values of the placeholders; None if the text is another one. Spaces are ignored."""
        match = self._pattern.fullmatch(" ".join(text_symbols(text)))
        return match and match.groupdict()

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        return re.compile(
            " ".join(
                f"(?P<{symbol}>{_READ[symbol]})" if is_placeholder else re.escape(symbol)
                for symbol, is_placeholder in self.symbols
            )
        )


@dataclass(frozen=True)
class Wording:
    """The texts of a task's problems and chains.

    sentences: ((kind, operator or empty), sentence), of every kind that its problems have.
    question: has the placeholder `{x}`.
    separator: between two sentences.
    before_question: between the last equation of a problem and its question.
    """

    sentences: tuple[tuple[tuple[str, str], Sentence], ...]
    question: Sentence
    separator: str
    before_question: str

    @cached_property
    def _sentence_of(self) -> dict[tuple[str, str], Sentence]:
        return dict(self.sentences)

    @cached_property
    def is_symbolic(self) -> bool:
        """Whether it is the default."""
        return self == SYMBOLIC

    @property
    def symbols(self) -> list[str]:
        """All symbols that it writes of its own, each once."""
        texts = [self.question, *(sentence for _, sentence in self.sentences)]
        found = [
            symbol
            for text in texts
            for symbol, is_placeholder in text.symbols
            if not is_placeholder
        ]
        found += text_symbols(self.separator + self.before_question)
        return list(dict.fromkeys(found))

    @cached_property
    def operator_words(self) -> dict[str, str]:
        """{symbol: the operator, + or -, that it stands for}."""
        words: dict[str, str] = {}
        for kind in (EQUATION, STEP):
            texts = {op: self._sentence_of.get((kind, op)) for op in "+-"}
            plus, minus = texts["+"], texts["-"]
            if plus is None or minus is None:
                continue
            for (of_plus, _), (of_minus, _) in zip(plus.symbols, minus.symbols, strict=True):
                if of_plus != of_minus:
                    words |= {of_plus: "+", of_minus: "-"}
        return words

    def write(self, statement: Statement, *, in_chain: bool) -> str:
        """The sentence that says so; in_chain: whether in a chain of thought, or in a problem."""
        kind = statement.kind(in_chain=in_chain)
        values: dict[str, object] = {"x": statement.name}
        if kind in (NUMBER, ANSWER):
            values["value"] = statement.operands[0]
        else:
            values |= zip("ab", statement.operands, strict=False)
        return self._sentence_of[kind, statement.operator].write(values)

    def ask(self, name: str) -> str:
        """The question for a variable."""
        return self.question.write({"x": name})

    def source(self, statements: Iterable[Statement], asked: str) -> str:
        """A problem: its statements, and the question."""
        written = (self.write(statement, in_chain=False) for statement in statements)
        return f"{self.separator.join(written)}{self.before_question}{self.ask(asked)}"

    def chain(self, statements: Iterable[Statement]) -> str:
        """A chain of thought."""
        return self.separator.join(self.write(statement, in_chain=True) for statement in statements)

    def read_source(self, text: str) -> tuple[list[Statement], str]:
        """(the statements, the name that is asked for) of a problem.

        Raises InputError if a sentence is none of the wording's.
        """
        problem, _, question = text.rpartition(self.before_question.strip())
        asked = self.question.read(question)
        if asked is None:
            raise InputError(f"{question.strip()!r} is no question of the wording: {text!r}")
        return self._read(problem, in_chain=False), asked["x"]

    def read_chain(self, text: str) -> list[Statement]:
        """The statements of a chain of thought. Raises as `read_source`."""
        return self._read(text, in_chain=True)

    def _read(self, text: str, *, in_chain: bool) -> list[Statement]:
        sentences = text.split(self.separator.strip())
        return [self._read_sentence(sentence, in_chain=in_chain) for sentence in sentences]

    def _read_sentence(self, text: str, *, in_chain: bool) -> Statement:
        """What a sentence says. Raises InputError unless it is exactly one of the wording's."""
        found = set()
        for (kind, operator), sentence in self.sentences:
            read = sentence.read(text)
            if read is None:
                continue
            name = read.pop("x")
            values = [read[key] for key in ("value", "a", "b") if key in read]
            operands = tuple(int(value) if value.isdigit() else value for value in values)
            statement = Statement(name, operands, operator)
            if statement.kind(in_chain=in_chain) == kind:
                found.add(statement)
        if len(found) != 1:
            what = "is no sentence" if not found else "is more than one sentence"
            raise InputError(f"{text.strip()!r} {what} of the wording")
        return found.pop()


def with_operators(kind: str, plus: str, minus: str) -> dict[tuple[str, str], Sentence]:
    """{(kind, operator): its sentence}; `{op}` in a text is the operator itself."""
    return {
        (kind, op): Sentence.of(text.replace("{op}", op))
        for op, text in (("+", plus), ("-", minus))
    }


_SYMBOLIC_OPERATION = "{x} = {a} {op} {b}"

#: The default: equations as they are, `z = 4 - o , o = 4 ; z =?`.
SYMBOLIC = Wording(
    sentences=(
        ((NUMBER, ""), Sentence.of("{x} = {value}")),
        ((ANSWER, ""), Sentence.of("{x} = {value}")),
        ((COPY, ""), Sentence.of("{x} = {a}")),
        *with_operators(EQUATION, _SYMBOLIC_OPERATION, _SYMBOLIC_OPERATION).items(),
        *with_operators(STEP, _SYMBOLIC_OPERATION, _SYMBOLIC_OPERATION).items(),
    ),
    question=Sentence.of("{x} =?"),
    separator=f" {SEPARATORS[0]} ",
    before_question=f" {SEPARATORS[1]} ",
)

"""Patching specs: which hidden states of one run replace those of another, as data.

Made from a task's layout and the config; `interventions/patched_runs.py` carries them out. All rows
of a task have the same positions, so a spec is the same for all pairs: where positions are symbols,
all tokens of a symbol are replaced (`interventions.tokenized_pairs`). Three kinds: the
sliding grid (windows of layers × equations), directed specs (whole parts of problem or chain in all
layers) and those that the config adds.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from think_to_talk.errors import InputError
from think_to_talk.formulas.symbols import NUMBER, TEMPLATE_EQUATION
from think_to_talk.interventions.tokenized_pairs import RUNS
from think_to_talk.tokens.layout import Layout

#: Tokens of the numbers that take several, where positions are tokens: of none.
ONE_TOKEN: Mapping[int, int] = MappingProxyType({})


@dataclass(frozen=True)
class Spec:
    """One intervention by patching, independent of the pairs that it is tried on.

    name: its name in files and figures.
    kind: `sliding`, `directed` or `own` (from the config).
    source: the run (`base` or `edited`) whose hidden states replace those of the other run.
    layers: 0 is the embedding output, l the output of block l.
    positions: counted from the problem's first token.
    forced: numbers of positions of its own gold chain that the patched run is given before what
        comes next is read; one pass serves all of them.
    """

    name: str
    kind: str
    source: str
    layers: tuple[int, ...]
    positions: tuple[int, ...]
    forced: tuple[int, ...]

    @property
    def target(self) -> str:
        """The run that is patched."""
        return RUNS[1 - RUNS.index(self.source)]

    def described(self, layout: Layout) -> dict[str, Any]:
        """Keys of a row: the spec, and the equation of its positions if they have one in common."""
        touched = {layout.equation_at(position) for position in self.positions}
        return {
            "kind": self.kind,
            "spec": self.name,
            "source": self.source,
            "layers": list(self.layers),
            "positions": list(self.positions),
            "equation": touched.pop() if len(touched) == 1 else None,
        }


@dataclass(frozen=True)
class SpecSettings:
    """Which hidden states are patched: keys of the config's `interventions`.

    window: layers that the sliding grid patches together.
    stride: layers between windows of the grid.
    specs: the study's additional specs, {name: entry}.
    """

    window: int
    stride: int
    specs: Mapping[str, Mapping[str, Any]]

    def all_specs(
        self, layout: Layout, n_layers: int, number_tokens: Mapping[int, int] = ONE_TOKEN
    ) -> list[Spec]:
        """The sliding grid, the directed specs and the study's additional ones.

        number_tokens: as of `answers`.
        """
        return [
            *sliding(layout, n_layers, self.window, self.stride, number_tokens),
            *directed(layout, n_layers, number_tokens),
            *from_config(self.specs, layout, n_layers, number_tokens),
        ]


def of_the_problem(specs: Iterable[Spec], layout: Layout) -> list[Spec]:
    """Those that patch nothing but the problem."""
    return [spec for spec in specs if spec.positions and max(spec.positions) < layout.n_problem]


@dataclass(frozen=True)
class Answer:
    """A number of the chain of thought that is read from a patched run.

    equation: its equation, of which it is the last number.
    forced: positions of the chain before it.
    """

    equation: int
    forced: int


def answers(layout: Layout, number_tokens: Mapping[int, int] = ONE_TOKEN) -> list[Answer]:
    """The last number of each equation of the chain, where a token of its own completes it.

    number_tokens: {symbol: tokens of the number there}, of those that take several positions.
    Raises InputError if the final answer is not among them.
    """
    equations = layout.equations()
    last_numbers = {
        equations[s]: s
        for s, symbol in enumerate(layout.symbols)
        if symbol == NUMBER and equations[s] >= 0
    }
    position_of = {
        symbol: position
        for position, symbol in enumerate(layout.position_symbol)
        if layout.completes[position]
    }
    found = [
        Answer(equation, position_of[symbol] + 1 - number_tokens.get(symbol, 1) - layout.n_problem)
        for equation, symbol in last_numbers.items()
        if symbol in position_of
    ]
    if not found or found[-1].equation != max(last_numbers):
        raise InputError("no token ends with the final answer: patching cannot read it")
    return found


def positions_of(span: Mapping[str, Sequence[float]], layout: Layout) -> tuple[int, ...]:
    """The positions of a span: `{unit: [first, last]}`, both ends included.

    unit: `equations` (0 is the chain's first, -1 the question), `symbols` (places on the symbol
    axis) or `positions` (counted from the problem's first token). Tokens of a chat template stand
    between the question and the chain: a span with both of them has them, too.
    Raises InputError if there is nothing in it.
    """
    ((unit, (first, last)),) = span.items()
    positions = range(layout.n_positions)
    between = layout.n_problem_symbols - 0.5
    values: Sequence[float] = {
        "equations": [layout.equation_at(position) for position in positions],
        "symbols": [between if symbol is None else symbol for symbol in layout.position_symbol],
        "positions": positions,
    }[unit]
    inside = tuple(p for p, value in enumerate(values) if first <= value <= last)
    if not inside:
        raise InputError(
            f"{unit}: [{first}, {last}] holds no position; the task has {unit} "
            f"{min(values)} to {max(values)}"
        )
    return inside


def sliding(
    layout: Layout,
    n_layers: int,
    window: int,
    stride: int,
    number_tokens: Mapping[int, int] = ONE_TOKEN,
) -> Iterator[Spec]:
    """The grid of windows of layers × equations, and a chat template: a spec for each.

    The base run's hidden states replace the edited run's, whose answers are read in the patched
    equation and in all later ones.

    n_layers: number of the model's blocks.
    window: layers per window.
    stride: layers between windows.
    number_tokens: as of `answers`.
    """
    window = min(window, n_layers + 1)
    wanted = answers(layout, number_tokens)
    for equation in dict.fromkeys(map(layout.equation_at, range(layout.n_positions))):
        forced = tuple(answer.forced for answer in wanted if answer.equation >= equation)
        if not forced:
            continue
        positions = positions_of({"equations": [equation, equation]}, layout)
        for first in range(0, n_layers + 2 - window, stride):
            layers = tuple(range(first, first + window))
            part = "template" if equation == TEMPLATE_EQUATION else f"equation {equation}"
            name = f"{part}, layers {layers[0]} to {layers[-1]}"
            yield Spec(name, "sliding", "base", layers, positions, forced)


#: Parts of problem and chain that directed specs patch, all without the position that is read.
DIRECTED = ("problem", "earlier chain", "last equation", "chain", "everything before")


def directed(
    layout: Layout, n_layers: int, number_tokens: Mapping[int, int] = ONE_TOKEN
) -> Iterator[Spec]:
    """All layers of the problem, of the chain or of its parts; the final answer is read.

    The position that the answer is read from is left out: with the last layer patched there, the
    output would be the source's by construction. `last equation` is the last whole equation and
    the part of the answer's equation before that position; `earlier chain` is the chain before it.

    number_tokens: as of `answers`.
    """
    final = answers(layout, number_tokens)[-1]
    reading = layout.n_problem + final.forced - 1
    last = positions_of({"equations": [final.equation - 1, final.equation]}, layout)[0]
    begin = layout.n_problem
    spans = {
        "problem": range(begin),
        "earlier chain": range(begin, last),
        "last equation": range(max(begin, last), reading),
        "chain": range(begin, reading),
        "everything before": range(reading),
    }
    layers = tuple(range(n_layers + 1))
    for name in DIRECTED:
        yield Spec(name, "directed", "base", layers, tuple(spans[name]), (final.forced,))


def from_config(
    entries: Mapping[str, Mapping[str, Any]],
    layout: Layout,
    n_layers: int,
    number_tokens: Mapping[int, int] = ONE_TOKEN,
) -> Iterator[Spec]:
    """The specs of the config.

    entries: {name: {source, layers, span, forced}}; without `forced`, the final answer is read.
    n_layers: number of the model's blocks.
    number_tokens: as of `answers`.
    Raises InputError for layers or positions that the model or task does not have.
    """
    final = answers(layout, number_tokens)[-1].forced if entries else 0
    for name, entry in entries.items():
        try:
            yield _spec_from_config(name, {"forced": final, **entry}, layout, n_layers)
        except InputError as error:
            raise InputError(f"interventions.specs.{name}.{error}") from None


def _spec_from_config(name: str, entry: Mapping[str, Any], layout: Layout, n_layers: int) -> Spec:
    layers = _layers(entry["layers"], n_layers)
    missing = [layer for layer in layers if layer > n_layers]
    if missing:
        raise InputError(f"layers: {missing} do not exist; the model has layers 0 to {n_layers}")
    forced = entry["forced"]
    n_chain = layout.n_positions - layout.n_problem
    if forced >= n_chain:
        raise InputError(
            f"forced: {forced} leaves nothing to read; the chain has {n_chain} positions"
        )
    positions = positions_of(entry["span"], layout)
    return Spec(name, "own", entry["source"], tuple(layers), positions, (forced,))


def _layers(wanted: str | Sequence[int], n_layers: int) -> Sequence[int]:
    """The layers of a spec's entry: `all`, `from 12` or a list; they may not exist."""
    if not isinstance(wanted, str):
        return wanted
    first = 0 if wanted == "all" else int(wanted.removeprefix("from "))
    return range(first, max(n_layers, first) + 1)

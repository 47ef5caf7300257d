"""How probes are fitted: the config's `probes` as the solvers take it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from think_to_talk.formulas.symbols import N_CLASSES
from think_to_talk.probes.heldout import HELDOUT_SOLVERS
from think_to_talk.probes.solvers import SOLVERS

if TYPE_CHECKING:
    from torch import Tensor

    from think_to_talk.probes.linear import Probes

_COMMON_KEYS = ("solver", "train_on", "min_train_rows", "folds")


@dataclass(frozen=True)
class ProbeSettings:
    """How probes are fitted.

    solver: `lbfgs`, `sgd` or `sklearn`.
    train_on: `correct` rows or `all`.
    min_train_rows: with fewer, scores are null.
    folds: parts of a variable's expressions, each held out from one more probe; 0 for none.
    options: further keyword arguments of the solver; `sgd` takes a `seed`.
    n_classes: values that a probe tells apart.
    digits: of each value that are probed, too, from the ones on.
    """

    solver: str
    train_on: str
    min_train_rows: int
    folds: int
    options: Mapping[str, Any]
    n_classes: int = N_CLASSES
    digits: int = 0

    @classmethod
    def from_config(cls, entry: Mapping[str, Any]) -> ProbeSettings:
        """Read the config's `probes` entry, reduced to the keys of its solver."""
        options = {key: value for key, value in entry.items() if key not in _COMMON_KEYS}
        n_classes, digits = options.pop("n_classes", N_CLASSES), options.pop("digits", 0)
        common = {key: entry[key] for key in _COMMON_KEYS}
        return cls(**common, options=options, n_classes=n_classes, digits=digits)

    @property
    def of_digits(self) -> ProbeSettings:
        """How the probes of digits are fitted: as those of values, with ten classes."""
        return replace(self, n_classes=N_CLASSES, digits=0)

    def fit(self, features: Tensor, labels: Tensor, mask: Tensor, numbers: Tensor) -> Probes:
        """Fit probes.

        features: [positions, n, d].
        labels: [variables, n] classes.
        mask: [positions, n] whether a row is used at a position.
        numbers: [positions, variables] of the probes in the published order, which the initial
            weights of `sgd` depend on.
        """
        return SOLVERS[self.solver](features, labels, mask, **self._options(numbers))

    def fit_heldout(
        self,
        features: Tensor,
        labels: Tensor,
        mask: Tensor,
        numbers: Tensor,
        parts: Tensor,
        plain: Probes,
    ) -> Probes:
        """Fit the held-out probes [positions, variables * folds] of plain ones.

        features, labels, mask, numbers: as of `fit`.
        parts: [variables, n] the part of a row's expression.
        plain: [positions, variables], the result of `fit`.
        """
        options = self._options(numbers)
        fit = HELDOUT_SOLVERS[self.solver]
        return fit(features, labels, mask, parts, self.folds, plain, **options)

    def _options(self, numbers: Tensor) -> dict[str, Any]:
        options = {**self.options, "n_classes": self.n_classes}
        return {**options, "numbers": numbers} if self.solver == "sgd" else options

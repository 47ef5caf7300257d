"""Transfers: which probes are tried on hidden states of another task, and what such jobs need.

`study.plan` reads the entries; the rule of `transfer` asks for memory and time.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from think_to_talk.errors import InputError
from think_to_talk.formulas.symbols import variable_number, variable_symbol
from think_to_talk.study import memory
from think_to_talk.study import work as work_
from think_to_talk.study.task_entries import Entry

if TYPE_CHECKING:
    from think_to_talk.study.needs import Needs


@dataclass(frozen=True)
class TransferEntry(Entry):
    """Probes of one task that are tried on the hidden states of another.

    train, test: the two tasks.
    train_model: the model whose probes they are; None for the one whose states are read.
    symbol_map: {variable of `train`: variable of `test`}, by their symbols; None for the same.
    """

    train: str
    test: str
    train_model: str | None = None
    symbol_map: Mapping[str, str] | None = None

    def whose(self, of: str, model: str) -> dict[str, str]:
        """Model and task of the hidden states of one side, `trained` or `tested`.

        model: whose states are tested.
        """
        if of == "tested":
            return {"model": model, "task": self.test}
        return {"model": self.train_model or model, "task": self.train}

    def variables(self, where: str, n_trained: int, n_tested: int) -> dict[int, int]:
        """{variable of the probes: variable of the tested task}, by their numbers.

        where: the entry's key, for messages.
        n_trained, n_tested: variables of the two tasks.
        Raises InputError if the tasks have other variables than that says.
        """
        if self.symbol_map is None:
            if n_trained != n_tested:
                raise InputError(
                    f"{where}: {self.train} has {n_trained} variables, {self.test} {n_tested}; "
                    "set symbol_map, {A: A} for example"
                )
            return {variable: variable for variable in range(n_trained)}
        for symbols, task, n in (
            (self.symbol_map.keys(), self.train, n_trained),
            (self.symbol_map.values(), self.test, n_tested),
        ):
            there = [variable_symbol(variable) for variable in range(n)]
            if unknown := sorted(set(symbols) - set(there)):
                raise InputError(
                    f"{where}.symbol_map: {task} has no variable {', '.join(unknown)}; expected "
                    f"some of {', '.join(there)}"
                )
        return {
            variable_number(trained): variable_number(tested)
            for trained, tested in self.symbol_map.items()
        }


def transfer_entries(config: Mapping[str, Any]) -> dict[str, TransferEntry]:
    """{name: its entry} of the transfers, from the completed configuration."""
    return {name: TransferEntry.from_config(values) for name, values in config["transfer"].items()}


class TransferNeeds:
    """Memory and time of the jobs of transfers.

    needs: sizes and prompts of the models.
    """

    def __init__(self, needs: Needs) -> None:
        self._needs = needs

    def n_bytes(self, model: str, transfer: str) -> int:
        """Main memory: all weights of the probes, and the states and logits of a position."""
        needs, entry = self._needs, self._needs.study.transfers[transfer]
        rows = needs.study.n_rows(entry.test, "test")
        values = rows * (2 * needs.sizes(model).hidden_size + 3 * self._n_scores(model, transfer))
        weights = needs.probe_weight_bytes(**entry.whose("trained", model))
        return memory.CPU_RESERVE + weights + 4 * values

    def minutes(self, model: str, transfer: str) -> int:
        """Time limit of a job."""
        needs, task = self._needs, self._needs.study.transfers[transfer].test
        states = needs.prompt(model, task).stored * len(needs.layers(model))
        products = states * needs.study.n_rows(task, "test") * needs.sizes(model).hidden_size
        return work_.minutes_of_products(2.0 * products * self._n_scores(model, transfer))

    def _n_scores(self, model: str, transfer: str) -> int:
        """Scores that the probes of a layer give one state: of all positions, variables, values."""
        trained = self._needs.study.transfers[transfer].whose("trained", model)
        n_variables = len(self._needs.study.transferred_variables(transfer))
        n_classes = self._needs.study.tasks[trained["task"]].n_classes
        return self._needs.prompt(**trained).stored * n_variables * n_classes

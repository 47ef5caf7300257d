"""The tasks of a completed configuration, read once, and what all entries have in common.

`study.entries` reads the other entries.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Self

from think_to_talk.formulas.altered_chains import intermediate_variables
from think_to_talk.formulas.counting import are_countable
from think_to_talk.formulas.edits import Edit
from think_to_talk.formulas.steered_chains import steered_variables
from think_to_talk.formulas.symbols import N_CLASSES, n_classes
from think_to_talk.formulas.templates import Template
from think_to_talk.formulas.wording_entries import cut_texts, task_words


@dataclass(frozen=True)
class Entry:
    """A part of the configuration, whose fields are its keys."""

    @classmethod
    def from_config(cls, part: Mapping[str, Any], /, **more: Any) -> Self:
        """Read the keys that are fields; the others are read by other classes, or by none.

        part: of the completed configuration.
        more: fields that are no keys, or that are computed from keys.
        """
        keys = {field.name for field in fields(cls)}
        return cls(**{**{key: value for key, value in part.items() if key in keys}, **more})


#: What `formulas.templates` reads of a task.
_TEMPLATE_KEYS = (
    *("equations", "order", "ask", "draw", "operators", "values", "names", "letters"),
    "wording",
)


@dataclass(frozen=True)
class TaskEntry(Entry):
    """A task: a template that problems are drawn from, or the files of an existing dataset.

    values: the whole entry, as jobs receive it.
    shots: examples in the few-shot context of each row.
    edits: {edit: the numbers of a problem that it redraws}.
    ask: the variable that is asked about, `last` or `any`.
    chain: of thought, `full`, `none`, or the equations after which it is cut.
    equations: of the template, one per variable; none for an existing dataset.
    files: {split: file of the existing dataset}; none for a template.
    free_text: of a dataset in any words, how answers are read, and ceilings; None for symbols.
    """

    values: Mapping[str, Any]
    shots: int
    edits: Mapping[str, Sequence[str]]
    ask: str
    chain: str | int
    equations: Sequence[str] = ()
    files: Mapping[str, str] | None = None
    free_text: Mapping[str, Any] | None = None

    @property
    def is_generated(self) -> bool:
        """Whether its problems are drawn from a template."""
        return self.files is None

    @property
    def is_free_text(self) -> bool:
        """Whether its rows are in any words, with marked spans."""
        return self.free_text is not None

    @property
    def given_ceilings(self) -> Mapping[str, Sequence[float]]:
        """{target: its ceiling after each span of the source}, of free text that gives them."""
        return (self.free_text or {}).get("ceilings", {})

    @property
    def read_settings(self) -> dict[str, Any]:
        """What its rows depend on of `free_text`: all except ceilings."""
        settings = self.free_text or {}
        return {key: value for key, value in settings.items() if key != "ceilings"}

    @property
    def existing_files(self) -> list[str]:
        """The files of the existing dataset; none for a template."""
        return list((self.files or {}).values())

    @property
    def n_classes(self) -> int:
        """Classes of its probes."""
        return n_classes(self.values["values"][1])

    @property
    def words(self) -> list[str]:
        """What its texts have beside letters, digits and signs: names, and words of its wording."""
        return task_words(self.values)

    @property
    def is_worded(self) -> bool:
        """Whether its problems are written in other texts than symbols."""
        return "wording" in self.values

    @property
    def can_be_cut(self) -> bool:
        """Whether a sign in its chains of thought says that the answer is due: `;`, or words."""
        return not self.is_free_text and (not self.is_worded or self.cut_texts is not None)

    @property
    def cut_texts(self) -> dict[str, str] | None:
        """The texts of its answers, of whole chains and of cut ones; None of symbols."""
        return cut_texts(self.values)

    @property
    def has_single_characters(self) -> bool:
        """Whether each symbol of its texts is a single character."""
        if self.is_free_text:
            return False
        return self.n_classes == N_CLASSES and all(len(word) == 1 for word in self.words)

    @property
    def template(self) -> Template:
        """The template of its problems. Raises InputError if it cannot be parsed."""
        return Template.from_config(self.values)

    @property
    def has_ceilings(self) -> bool:
        """Whether it is known what the text of its problems says: counted, or given."""
        return self.is_counted or bool(self.given_ceilings)

    @property
    def is_counted(self) -> bool:
        """Whether what the text of its problems says is counted."""
        return self.is_generated and are_countable(self.template)

    @property
    def template_values(self) -> dict[str, Any]:
        """The keys that its problems depend on, and so their ceilings and derivations."""
        values = self.problem_values
        return {key: values[key] for key in _TEMPLATE_KEYS if key in values}

    @property
    def problem_values(self) -> dict[str, Any]:
        """The whole entry except edits and texts of cut chains, on which no problem depends."""
        values = self.training_values
        if not self.is_worded:
            return values
        wording = {key: text for key, text in values["wording"].items() if key != "cut"}
        return {**values, "wording": wording}

    @property
    def training_values(self) -> dict[str, Any]:
        """The whole entry except edits, on which only pairs depend."""
        return {key: value for key, value in self.values.items() if key != "edits"}

    @property
    def has_full_chains(self) -> bool:
        """Whether its problems are drawn from a template, and their chains end with its answer.

        They do not if the chain is cut or left out, or if any variable is asked about.
        """
        return self.is_generated and self.ask != "any" and self.chain == "full"

    @property
    def edits_chains(self) -> bool:
        """Whether an edit changes its chains: those of distractors change none."""
        edits = (Edit.from_config(places, self.template) for places in self.edits.values())
        return any(not edit.is_of_distractors for edit in edits)

    @property
    def intermediate_variables(self) -> list[int]:
        """The variables whose results in the chain of thought the final answer follows from."""
        return intermediate_variables(self.template) if self.has_full_chains else []

    @property
    def steered_variables(self) -> list[int]:
        """The variables that can be steered: those, and the answer, if it is no copy."""
        return steered_variables(self.template) if self.has_full_chains else []


def task_entries(config: Mapping[str, Any]) -> dict[str, TaskEntry]:
    """{task: its entry}, from the completed configuration."""
    return {
        name: TaskEntry.from_config(values, values=values)
        for name, values in config["tasks"].items()
    }

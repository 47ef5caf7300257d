"""What is studied: tasks, models, splits, shards, controls, and the tasks of interventions.

The rules and `study.needs` read it. It is computed from the completed configuration
(`study.configuration`) and, for existing datasets, from the files that the configuration names.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

from think_to_talk.controls.kinds import CONTROLS
from think_to_talk.errors import InputError
from think_to_talk.files.external import count_lines
from think_to_talk.formulas.cuts import shortened
from think_to_talk.formulas.datasets import (
    PROMPTED_SPLITS,
    SPLIT_SEED_OFFSETS,
    task_templates,
)
from think_to_talk.formulas.sampling import draw_rows
from think_to_talk.models.checkpoints import checkpoint_files
from think_to_talk.study.cached_method import cached_method
from think_to_talk.study.entries import (
    InterventionsEntry,
    ProbesEntry,
    SteeringEntry,
    model_entries,
    published_entries,
)
from think_to_talk.study.first_rows import first_row
from think_to_talk.study.task_entries import task_entries
from think_to_talk.study.transfers import transfer_entries
from think_to_talk.study.unread_tasks import is_on, why_unread

#: All splits, in the order in which they are drawn.
SPLITS = list(SPLIT_SEED_OFFSETS)

#: Splits that a model reads; the others serve few-shot prompts and training.
STUDIED_SPLITS = PROMPTED_SPLITS

_MOST_SHARDS = 100_000


class StudyPlan:
    """What a study consists of.

    config: the completed configuration, plain data.
    seeds: of the study.
    tasks, models: its entries by name; untrained copies are among the models.
    published: its entries of published probe rows by name.
    probes: how the probes of trained models are fitted.
    interventions: which interventions there are, and their settings.
    steering: whether models are steered along probes, and how.
    transfers: which probes are tried on states that they were not trained on, by name.
    Methods raise InputError, naming the key, if the configuration asks for something impossible.
    """

    def __init__(self, config: Mapping[str, Any]) -> None:
        self.config = config
        self.seeds: Sequence[int] = config["seeds"]
        self.tasks = task_entries(config)
        self.models = model_entries(config)
        self.published = published_entries(config)
        self.probes = ProbesEntry.from_config(config["probes"])
        self.interventions = InterventionsEntry.from_config(config["interventions"])
        self.steering = SteeringEntry.from_config(config["steering"])
        self.transfers = transfer_entries(config)

    @cached_property
    def controls(self) -> list[str]:
        """The controls that are switched on."""
        return [control for control in CONTROLS if self.config["controls"][control]]

    @cached_property
    def controlled_models(self) -> list[str]:
        """The models that controls are for: all but the untrained copies, which are a control."""
        return [name for name, model in self.models.items() if not model.is_untrained]

    def models_of_kind(self, kind: str) -> list[str]:
        """The models of one kind (`train`, `local` or `hub`), without untrained copies."""
        return [name for name in self.controlled_models if self.models[name].kind == kind]

    def probes_of(self, model: str) -> ProbesEntry:
        """How the model's probes are fitted; those of an untrained copy are trained on all rows."""
        untrained = self.models[model].is_untrained
        return replace(self.probes, train_on="all") if untrained else self.probes

    def tasks_of(self, model: str) -> list[str]:
        """The tasks that a model is studied on, or of which there are published probe rows."""
        if model in self.published:
            return list(self.published[model].files)
        return list(self.models[model].tasks)

    def results(self, tasks: Callable[[str], Sequence[str]] | None = None) -> list[dict[str, Any]]:
        """Model, seed and task of each result, as in the rows of tables.

        tasks: a function that gives the tasks of a model that count; `tasks_of` if left out.
        """
        return [
            {"model": model, "seed": seed, "task": task}
            for model in self.models
            for seed in self.seeds
            for task in (tasks or self.tasks_of)(model)
        ]

    def probed_results(self) -> list[dict[str, Any]]:
        """`results`, then those that are published probe rows."""
        return self.results() + [
            {"model": name, "seed": entry.seed, "task": task}
            for name, entry in self.published.items()
            for task in entry.files
        ]

    def lens_tasks(self, model: str) -> list[str]:
        """The tasks of which the logit lens reads a model's hidden states."""
        return self._read_by("logit_lens", model)

    def forced_tasks(self, model: str) -> list[str]:
        """The tasks whose answers a model is asked for in the middle of its chains."""
        return self._read_by("forced_answers", model)

    def patched_tasks(self, model: str) -> list[str]:
        """The tasks on which a model's hidden states are patched."""
        tasks = self._read_by("interventions.patching", model)
        return [task for task in tasks if self.tasks[task].edits]

    def freely_writing_tasks(self, model: str) -> list[str]:
        """The tasks on which a model writes freely after patches of the problem."""
        tasks = self._read_by("interventions.free_writing", model)
        return [task for task in tasks if self.tasks[task].edits_chains]

    def patched_probe_tasks(self, model: str) -> list[str]:
        """The tasks whose probes are applied to a model's patched runs."""
        return self.patched_tasks(model) if self.interventions.probes else []

    def inconsistent_tasks(self, model: str) -> list[str]:
        """The tasks on which a model is shown chains with a wrong result."""
        tasks = self._read_by("interventions.inconsistent_chains", model)
        return [task for task in tasks if self.has_results(task)]

    def steered_tasks(self, model: str) -> list[str]:
        """The tasks on which a model is steered along the weights of probes."""
        tasks = self._read_by("steering.enabled", model)
        return [task for task in tasks if self.tasks[task].steered_variables]

    def transfers_of(self, model: str) -> list[str]:
        """The transfers in which a model's hidden states are tested."""
        if model not in self.models or self.models[model].is_untrained:
            return []
        return [
            name
            for name, entry in self.transfers.items()
            if entry.test in self.tasks_of(model)
            and entry.train in self.tasks_of(entry.train_model or model)
        ]

    def transfer_results(self) -> list[dict[str, Any]]:
        """Model, seed and transfer of each result."""
        return [
            {"model": model, "seed": seed, "transfer": name}
            for model in self.models
            for seed in self.seeds
            for name in self.transfers_of(model)
        ]

    def transferred_variables(self, transfer: str) -> dict[int, int]:
        """{variable of the probes: variable of the tested task}, by their numbers.

        Raises InputError if the tasks have other variables than that says.
        """
        entry = self.transfers[transfer]
        trained, tested = self.n_variables(entry.train), self.n_variables(entry.test)
        return entry.variables(f"config: transfer.{transfer}", trained, tested)

    def replaces_states(self, model: str) -> bool:
        """Whether hidden states of a model's runs are replaced, by patches or by steering."""
        kinds = self.patched_tasks, self.freely_writing_tasks, self.steered_tasks
        return any(tasks(model) for tasks in kinds)

    def _read_by(self, key: str, model: str) -> list[str]:
        """A model's tasks that a stage reads; none of untrained copies and published rows.

        key: switches the stage on.
        """
        entry = self.models.get(model)
        if entry is None or entry.is_untrained or not is_on(self.config, key):
            return []
        tasks = self.tasks_of(model)
        return [task for task in tasks if why_unread(key, self.tasks[task]) is None]

    def has_results(self, task: str) -> bool:
        """Whether the chains of a task have results that the final answer follows from."""
        return bool(self.tasks[task].intermediate_variables)

    def n_digits(self, task: str) -> int:
        """The digits of each variable that are probed beside its value; none of single digits."""
        largest = self.tasks[task].n_classes - 1
        return len(str(largest)) if self.probes.targets == "digits" and largest > 9 else 0

    def n_variables(self, task: str) -> int:
        """Variables of a task's problems."""
        files = self.tasks[task].files
        if files is None:
            return len(self.tasks[task].equations)
        return len(self.first_row(task)["intermediate_questions"])

    @cached_method
    def first_row(self, task: str) -> dict[str, Any]:
        """The first test row of an existing dataset, of which all others have the layout."""
        entry = self.tasks[task]
        assert entry.files is not None
        return first_row(entry.files["test"], entry.free_text)

    def n_spans(self, task: str) -> int | None:
        """Marked spans of a row of free text; None of other tasks."""
        return len(self.first_row(task)["spans"]) if self.tasks[task].is_free_text else None

    def folds(self, task: str) -> int:
        """Folds of a task's held-out probes; none of free text whose rows give no expressions."""
        if self.tasks[task].is_free_text and not self.first_row(task).get("expressions"):
            return 0
        return self.probes.folds

    @cached_method
    def n_rows(self, task: str, split: str) -> int:
        """Rows of a split: as configured, or as many as the existing dataset has."""
        files = self.tasks[task].files
        if files is None:
            return self.config["splits"][split]
        return count_lines(files[split])

    @property
    def rows_per_shard(self) -> int:
        """Rows of each shard but a split's last."""
        return self.config["hidden_states"]["shard_rows"]

    def shards(self, task: str, split: str) -> list[str]:
        """The numbers of a split's shards, as they stand in file names.

        Raises InputError if there are more than five digits can number.
        """
        n_shards = max(1, -(-self.n_rows(task, split) // self.rows_per_shard))
        if n_shards > _MOST_SHARDS:
            raise InputError(
                f"config: hidden_states.shard_rows: {self.rows_per_shard} rows per shard make "
                f"{n_shards} shards of tasks.{task}, split {split}; expected at most {_MOST_SHARDS}"
            )
        return [f"{i:05d}" for i in range(n_shards)]

    def n_shard_rows(self, task: str, split: str, shard: str) -> int:
        """Rows of one shard."""
        earlier = int(shard) * self.rows_per_shard
        return min(self.rows_per_shard, self.n_rows(task, split) - earlier)

    def shard_jobs(self, model: str) -> list[tuple[str, int]]:
        """(task, rows) of each of the model's hidden-state jobs, for one seed."""
        return [
            (task, self.n_shard_rows(task, split, shard))
            for task, split in itertools.product(self.tasks_of(model), STUDIED_SPLITS)
            for shard in self.shards(task, split)
        ]

    @cached_method
    def sample(self, task: str) -> tuple[str, str, str]:
        """The few-shot context, problem and chain of one row of a task."""
        entry = self.tasks[task]
        if entry.files is not None:
            row = self.first_row(task)
        else:
            problems, examples = task_templates(entry.values)
            seed = self.seeds[0]
            shots = draw_rows(examples, entry.shots, seed, set())
            row = draw_rows(problems, 1, seed, set())[0]
            row["few_shot_context"] = "".join(shot["source"] + shot["target"] for shot in shots)
        row = shortened(row, entry.chain)
        return row["few_shot_context"], row["source"], row["target"]

    def trusted_models(self) -> list[str]:
        """The models whose own code may be run; untrained copies are named by their model."""
        return [name for name in self.controlled_models if self.models[name].trust_remote_code]

    def checkpoint_files(self, model: str) -> list[Path]:
        """The files of the existing checkpoint of a model of kind `local`."""
        return checkpoint_files(self.models[model].path)

    def existing_files(self) -> list[str | Path]:
        """The datasets and checkpoints that exist before the study."""
        files: list[str | Path] = []
        for task in self.tasks.values():
            files += task.existing_files
        for published in self.published.values():
            files += published.files.values()
        for model in self.models_of_kind("local"):
            files += self.checkpoint_files(model)
        return files

"""The jobs of a study and what each needs, known from its completed configuration alone."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import replace
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from think_to_talk import hub, requirements
from think_to_talk.architecture import Architecture, read_architecture
from think_to_talk.configuration import complete
from think_to_talk.counterfactuals import intermediate_variables
from think_to_talk.datasets import PROMPTED_SPLITS, task_templates
from think_to_talk.errors import InputError
from think_to_talk.formulas import Template, draw_rows
from think_to_talk.jsonl import count_lines, read_foreign
from think_to_talk.models import check_code, checkpoint_files, saved_layers
from think_to_talk.prompts import SYMBOLS, first_shots
from think_to_talk.requirements import Placement, Prompt, Work, expected_tokens
from think_to_talk.snapshots import cached_folder

#: The controls for probes, by their keys in the config.
CONTROLS = ("labels", "untrained", "wrong_rows", "thresholds", "seeds")
#: Steps in which converged probes are done.
_USUAL_STEPS = 400
_MOST_SHARDS = 100_000


def plan_study(config: Mapping[str, Any], schema: Mapping[str, Any]) -> StudyPlan:
    """The plan of a study from its configuration as it is written, completed and checked.

    schema: that of the configuration. Raises InputError, one line that names the key.
    """
    study = StudyPlan(complete(config, schema))
    study.check()
    return study


class StudyPlan:
    """What a study will do: shards, and per model its size, placement and work.

    config: the completed configuration. Methods raise InputError, naming the key, where the
    configuration asks for what cannot be.
    """

    def __init__(self, config: Mapping[str, Any]) -> None:
        self.config = config
        # Cached per instance: asked for by every job of the workflow.
        for method in ("n_rows", "prompt", "architecture", "placement", "work"):
            setattr(self, method, cache(getattr(self, method)))

    @cached_property
    def gpus(self) -> list[requirements.Gpu]:
        """The GPUs that the site has."""
        return requirements.gpus_from_config(self.config["gpus"])

    @cached_property
    def controls(self) -> list[str]:
        """The controls that are switched on."""
        return [control for control in CONTROLS if self.config["controls"][control]]

    @cached_property
    def controlled_models(self) -> list[str]:
        """The models that controls are for: all but the untrained copies, which are a control."""
        models = self.config["models"].items()
        return [name for name, entry in models if "untrained_copy_of" not in entry]

    def checkpoint_owner(self, model: str) -> str:
        """The model whose checkpoint it has: itself, or what it is an untrained copy of."""
        return self.config["models"][model].get("untrained_copy_of", model)

    def is_untrained(self, model: str) -> bool:
        """Whether it is an untrained copy of a model."""
        return self.checkpoint_owner(model) != model

    def probes(self, model: str) -> dict[str, Any]:
        """How the model's probes are fitted; those of an untrained copy are trained on all rows."""
        untrained = {"train_on": "all"} if self.is_untrained(model) else {}
        return {**self.config["probes"], **untrained}

    def tasks(self, model: str) -> list[str]:
        """The tasks that a model is studied on."""
        return self.config["models"][model].get("tasks", list(self.config["tasks"]))

    def patched_tasks(self, model: str) -> list[str]:
        """The tasks on which a model's hidden states are patched."""
        if not self.config["interventions"]["patching"] or self.is_untrained(model):
            return []
        return [task for task in self.tasks(model) if self.config["tasks"][task]["edits"]]

    def inconsistent_tasks(self, model: str) -> list[str]:
        """The tasks on which a model is shown chains with a wrong result."""
        if not self.config["interventions"]["inconsistent_chains"] or self.is_untrained(model):
            return []
        return [task for task in self.tasks(model) if self.has_results(task)]

    def has_results(self, task: str) -> bool:
        """Whether the chains of a task have results that the final answer follows from."""
        entry = self.config["tasks"][task]
        if "files" in entry or entry["ask"] == "any":
            return False
        return bool(intermediate_variables(Template.from_config(entry)))

    def n_rows(self, task: str, split: str) -> int:
        """Rows of a split: as configured, or as many as the existing dataset has."""
        files = self.config["tasks"][task].get("files")
        if files is None:
            return self.config["splits"][split]
        return count_lines(files[split])

    def shards(self, task: str, split: str) -> list[str]:
        """The numbers of a split's shards, as they stand in file names.

        Raises InputError if there are more than five digits can number.
        """
        rows = self.config["hidden_states"]["shard_rows"]
        n_shards = max(1, -(-self.n_rows(task, split) // rows))
        if n_shards > _MOST_SHARDS:
            raise InputError(
                f"config: hidden_states.shard_rows: {rows} rows per shard make {n_shards} shards "
                f"of tasks.{task}, split {split}; expected at most {_MOST_SHARDS}"
            )
        return [f"{i:05d}" for i in range(n_shards)]

    def shard_rows(self, task: str, split: str, shard: str) -> int:
        """Rows of one shard."""
        rows = self.config["hidden_states"]["shard_rows"]
        return min(rows, self.n_rows(task, split) - int(shard) * rows)

    def architecture(self, model: str) -> Architecture:
        """The model's size: as its entry declares, or as its checkpoint or the hub says."""
        model = self.checkpoint_owner(model)
        entry = self.config["models"][model]
        try:
            if "architecture" in entry:
                if entry["kind"] == "hub":
                    self._check_declared(model)
                return Architecture.from_config(entry["architecture"])
            if entry["kind"] == "train":
                return _trained_architecture(entry["training"])
            if entry["kind"] == "local":
                files = checkpoint_files(entry["path"])
                named = [file for file in files if file.name == "config.json"]
                return read_architecture((named or files)[0])
            return read_architecture(
                hub.published_config(model, entry["repository"], entry["revision"])
            )
        except InputError as error:
            place = f"models.{model}"
            message = str(error)
            raise InputError(message if place in message else f"{place}: {message}") from None

    def trusts_code(self, model: str) -> bool:
        """Whether Python code that comes with the model's checkpoint may be run."""
        return self.config["models"][model].get("trust_remote_code", False)

    def trusted_models(self) -> list[str]:
        """The models whose own code may be run; untrained copies are named by their model."""
        return list(filter(self.trusts_code, self.controlled_models))

    def _check_code(self, model: str) -> None:
        """Raise InputError if a model needs code that is not trusted, where its files are there."""
        entry = self.config["models"][model]
        if entry["kind"] == "train":
            return
        if entry["kind"] == "local":
            folder = checkpoint_files(entry["path"])[0].parent
        else:
            folder = cached_folder(entry["repository"], entry["revision"])
        check_code(folder, self.trusts_code(model), f"config: models.{model}.trust_remote_code")

    def _check_declared(self, model: str) -> None:
        """Compare the declared architecture with the model's own, where that is in the cache."""
        entry = self.config["models"][model]
        published = cached_folder(entry["repository"], entry["revision"]) / "config.json"
        if published.exists():
            hub.check_declared(model, entry["architecture"], published)

    def layers(self, model: str) -> list[int]:
        """The layers whose hidden states are stored."""
        n_layers = self.architecture(model).num_hidden_layers
        try:
            return saved_layers(self.config["models"][model]["layers"], n_layers)
        except InputError as error:
            raise InputError(f"models.{model}.{error}") from None

    def prompt(self, model: str, task: str) -> Prompt:
        """How many tokens the rows of a task take; all rows of a task have one layout."""
        context, source, target = self._sample(task)
        try:
            shots = first_shots(context, self.config["models"][model]["shots"])
        except InputError as error:
            raise InputError(f"models.{model}.{error} (tasks.{task})") from None
        return Prompt(*map(expected_tokens, (shots, source, target)))

    def _sample(self, task: str) -> tuple[str, str, str]:
        """The few-shot context, problem and chain of one row of a task."""
        entry = self.config["tasks"][task]
        if "files" in entry:
            row = _first_row(Path(entry["files"]["test"]))
            return row["few_shot_context"], row["source"], row["target"]
        problems, examples = task_templates(entry)
        seed = self.config["seeds"][0]
        shots = draw_rows(examples, entry["shots"], seed, set())
        row = draw_rows(problems, 1, seed, set())[0]
        return (
            "".join(shot["source"] + shot["target"] for shot in shots),
            row["source"],
            row["target"],
        )

    def on_gpu(self, model: str) -> bool:
        """Whether the model's jobs ask for a GPU."""
        return self.config["models"][model]["device"] == "gpu"

    def dtype(self, model: str) -> str:
        """The number format in which the model runs."""
        dtype = self.config["models"][model]["dtype"]
        if dtype != "auto":
            return dtype
        return self.architecture(model).dtype if self.on_gpu(model) else "float32"

    def placement(self, model: str) -> Placement:
        """The model's GPU (or the CPU), batch size and memory.

        Raises InputError with the numbers if the model fits no GPU that the configuration lists.
        """
        entry = self.config["models"][model]
        on_gpu = self.on_gpu(model)
        memory = requirements.decoding_memory(
            self.architecture(model),
            [self.prompt(model, task) for task in self.tasks(model)],
            entry["max_new_tokens"],
            self.dtype(model),
            gpus=entry["gpus_per_job"] if on_gpu else 1,
            reserve=0 if on_gpu else requirements.CPU_RESERVE,
        )
        if on_gpu:
            return requirements.place_on_gpu(
                memory, self.gpus, entry["batch_size"], f"models.{model}", entry["gpus_per_job"]
            )
        return requirements.place_on_cpu(memory, entry["batch_size"])

    def work(self, model: str, task: str, rows: int) -> Work:
        """Decoding so many rows of a task."""
        entry = self.config["models"][model]
        work = requirements.decoding_work(
            self.architecture(model),
            self.prompt(model, task),
            rows,
            entry["max_new_tokens"],
            self.placement(model),
        )
        if entry["cot"] == "gold":
            # Shown whole, it never diverges.
            return replace(work, worst_passes=work.best_passes, worst_seconds=work.best_seconds)
        return work

    def hidden_state_bytes(self, model: str, task: str, rows: int) -> int:
        """Bytes of the hidden states of so many rows of a task."""
        return requirements.hidden_state_bytes(
            self.architecture(model),
            self.prompt(model, task),
            rows,
            len(self.layers(model)),
            self.dtype(model),
        )

    def probe_weight_bytes(self, model: str, task: str) -> int:
        """Bytes of the weights of a task's probes, in fp32."""
        probes = len(self.layers(model)) * self.prompt(model, task).positions
        values = 10 * (self.architecture(model).hidden_size + 1)
        return 4 * probes * self.n_variables(task) * values

    def n_variables(self, task: str) -> int:
        """Variables of a task's problems."""
        entry = self.config["tasks"][task]
        if "equations" in entry:
            return len(entry["equations"])
        return len(_first_row(Path(entry["files"]["test"]))["intermediate_questions"])

    def patching_work(self, model: str, task: str) -> Work:
        """Patching on a task: the sliding grid, of which most passes are part of a row only."""
        interventions, entry = self.config["interventions"], self.config["tasks"][task]
        _, source, target = self._sample(task)
        equations = source.count(",") + target.count(",") + 3
        windows = 1 + self.architecture(model).num_hidden_layers // interventions["stride"]
        runs = interventions["pairs"] * len(entry["edits"]) * equations * windows
        work = self.work(model, task, runs)
        return replace(work, worst_passes=work.best_passes, worst_seconds=work.best_seconds)

    def inconsistent_work(self, model: str, task: str) -> Work:
        """Going on from inconsistent chains of a task, and writing those chains without them."""
        template = Template.from_config(self.config["tasks"][task])
        results = len(intermediate_variables(template))
        return self.work(model, task, 2 * results * self.config["interventions"]["pairs"])

    def intervention_work(self, model: str) -> list[Work]:
        """The work of each of the model's intervention jobs, for one seed."""
        return [
            *(self.patching_work(model, task) for task in self.patched_tasks(model)),
            *(self.inconsistent_work(model, task) for task in self.inconsistent_tasks(model)),
        ]

    def probe_bytes(self, model: str, task: str) -> int:
        """Main memory of fitting the probes of a task."""
        rows = max(self.n_rows(task, split) for split in PROMPTED_SPLITS)
        return requirements.probe_bytes(self.architecture(model), rows, self.n_variables(task))

    def probe_minutes(self, model: str, task: str) -> int:
        """Time limit of the probes of a task."""
        return requirements.probe_minutes(
            self.architecture(model),
            self.prompt(model, task),
            len(self.layers(model)),
            self.n_rows(task, "probing_train"),
            self.n_variables(task),
            self.probe_steps(),
        )

    def probe_steps(self) -> int:
        """Steps that fitting a probe takes: what the solver's settings allow, or usually less."""
        probes = self.config["probes"]
        if probes["solver"] == "sgd":
            return probes["epochs"]
        return min(_USUAL_STEPS, probes["max_iterations"])

    def check(self) -> None:
        """Raise InputError for a model that cannot be run, or a dataset that cannot be read.

        A model may fit no GPU, be of unknown size, have no such layers, or need code that is not
        trusted; a split may have too many shards.
        """
        for task, split in itertools.product(self.config["tasks"], PROMPTED_SPLITS):
            self.shards(task, split)
        for model in self.config["models"]:
            self.placement(model)
            self.layers(model)
        for model in self.controlled_models:
            self._check_code(model)

    def shard_jobs(self, model: str) -> list[tuple[str, int]]:
        """(task, rows) of each of the model's hidden-state jobs, for one seed."""
        return [
            (task, self.shard_rows(task, split, shard))
            for task, split in itertools.product(self.tasks(model), PROMPTED_SPLITS)
            for shard in self.shards(task, split)
        ]


def _trained_architecture(training: Mapping[str, Any]) -> Architecture:
    return Architecture.from_config(
        {
            "num_hidden_layers": training["layers"],
            "hidden_size": training["hidden_size"],
            "intermediate_size": training["intermediate_size"],
            "num_attention_heads": training["heads"],
            "vocab_size": 1 + len(SYMBOLS),
        }
    )


def _first_row(path: Path) -> dict[str, Any]:
    """The first row of an existing dataset, of which all others have the layout."""
    row = next(read_foreign(path))
    row.setdefault("few_shot_context", "")
    wanted = {"source": str, "target": str, "intermediate_questions": list, "few_shot_context": str}
    for key, kind in wanted.items():
        if not isinstance(row.get(key), kind):
            raise InputError(f"{path}, line 1, key {key!r}: expected a {kind.__name__}")
    return row

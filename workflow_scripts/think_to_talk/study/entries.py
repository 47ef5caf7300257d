"""The entries of a completed configuration, read once: tasks, models, and settings of the study.

`study.configuration` gives the configuration, checked and with defaults filled in; `study.plan` and
`study.needs` compute with the entries, and rules read their attributes. A default stands in
schemas/config.schema.yaml alone, which describes every key: a field without a default here is a key
that the completed configuration always has.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Self

from think_to_talk.formulas.altered_chains import intermediate_variables
from think_to_talk.formulas.edits import Edit
from think_to_talk.formulas.steered_chains import steered_variables
from think_to_talk.formulas.symbols import SYMBOLS
from think_to_talk.formulas.templates import Template


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
_TEMPLATE_KEYS = ("equations", "order", "ask", "draw", "operators", "values", "letters")


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
    """

    values: Mapping[str, Any]
    shots: int
    edits: Mapping[str, Sequence[str]]
    ask: str
    chain: str | int
    equations: Sequence[str] = ()
    files: Mapping[str, str] | None = None

    @property
    def is_generated(self) -> bool:
        """Whether its problems are drawn from a template."""
        return self.files is None

    @property
    def existing_files(self) -> list[str]:
        """The files of the existing dataset; none for a template."""
        return list((self.files or {}).values())

    @property
    def template(self) -> Template:
        """The template of its problems. Raises InputError if it cannot be parsed."""
        return Template.from_config(self.values)

    @property
    def template_values(self) -> dict[str, Any]:
        """The keys that its problems depend on, and so their ceilings and derivations."""
        return {key: self.values[key] for key in _TEMPLATE_KEYS}

    @property
    def problem_values(self) -> dict[str, Any]:
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


@dataclass(frozen=True)
class TrainingEntry(Entry):
    """The size of a model that the study trains.

    values: the whole entry, as jobs receive it. tasks: those that it is trained on.
    layers: decoder blocks.
    hidden_size, intermediate_size: widths of the residual stream and of the MLP.
    heads: attention heads.
    cut: share of its steps on chains that end early.
    """

    values: Mapping[str, Any]
    tasks: Sequence[str]
    layers: int
    hidden_size: int
    intermediate_size: int
    heads: int
    cut: float

    @property
    def architecture(self) -> dict[str, Any]:
        """Its sizes as keys of a config, as `models.training.build_model` has it."""
        return {
            "num_hidden_layers": self.layers,
            "hidden_size": self.hidden_size,
            "intermediate_size": self.intermediate_size,
            "num_attention_heads": self.heads,
            "vocab_size": 1 + len(SYMBOLS),
            "tie_word_embeddings": False,
        }


@dataclass(frozen=True)
class ModelEntry(Entry):
    """A model: its checkpoint, and how it is run.

    name: its key in the config's `models`.
    kind: `train`, `local` or `hub`.
    tasks: those that it is studied on.
    shots: few-shot examples per prompt, or `all`.
    bos: before the prompt, `tokenizer` or `none`.
    prompt, system_prompt: `raw` text, or a `chat` by its tokenizer's template; of that, or None.
    layers: the saved layers, as `models.layers.saved_layers` reads them.
    last_layer: of the last layer, the state `before_norm` or `after_norm`.
    device: `cpu` or `gpu`.
    dtype: `auto`, or the number format of its weights.
    gpus_per_job: GPUs that share the model.
    batch_size: rows, or `auto`.
    max_new_tokens: at which a generation ends.
    cot: whose chain of thought it reads, `generated` or `gold`.
    trust_remote_code: whether Python code that comes with the checkpoint may be run.
    architecture: the sizes that the config declares.
    training: of kind `train`, its size and training.
    path: of kind `local`, the checkpoint.
    repository, revision: of kind `hub`, the checkpoint.
    untrained_copy_of: the model that it is an untrained copy of.
    """

    name: str
    kind: str
    tasks: Sequence[str]
    shots: int | str
    bos: str
    prompt: str
    layers: str | int | list[int]
    last_layer: str
    device: str
    dtype: str
    gpus_per_job: int
    batch_size: int | str
    max_new_tokens: int
    cot: str
    system_prompt: str | None = None
    trust_remote_code: bool = False
    architecture: Mapping[str, Any] | None = None
    training: TrainingEntry | None = None
    path: str = ""
    repository: str = ""
    revision: str = ""
    untrained_copy_of: str | None = None

    @property
    def chat(self) -> dict[str, Any] | None:
        """How jobs prompt it by a chat template; None for raw text."""
        return {"system_prompt": self.system_prompt} if self.prompt == "chat" else None

    @property
    def is_untrained(self) -> bool:
        """Whether it is an untrained copy of a model."""
        return self.untrained_copy_of is not None

    @property
    def checkpoint_owner(self) -> str:
        """The model whose checkpoint it has: itself, or what it is an untrained copy of."""
        return self.untrained_copy_of or self.name

    @property
    def runs_on_gpu(self) -> bool:
        """Whether its jobs ask for a GPU."""
        return self.device == "gpu"

    @property
    def training_tasks(self) -> Sequence[str]:
        """The tasks that it is trained on; none unless the study trains it."""
        return self.training.tasks if self.training else ()


@dataclass(frozen=True)
class PublishedEntry(Entry):
    """Probe rows of the published code.

    seed: under which results have them.
    files: {task: the file of its rows}.
    """

    seed: int
    files: Mapping[str, str]


@dataclass(frozen=True)
class ProbesEntry(Entry):
    """How probes are fitted; the fields are the keys of the config's `probes`."""

    solver: str
    penalty: float
    tolerance: float
    max_iterations: int
    learning_rate: float
    epochs: int
    train_on: str
    min_train_rows: int
    folds: int


@dataclass(frozen=True)
class InterventionsEntry(Entry):
    """Interventions; the fields are the keys of the config's `interventions`."""

    patching: bool
    free_writing: bool
    inconsistent_chains: bool
    pairs: int
    window: int
    stride: int
    random_donor: bool
    probes: bool
    specs: Mapping[str, Any]


@dataclass(frozen=True)
class SteeringEntry(Entry):
    """Steering; the fields are the keys of the config's `steering`."""

    enabled: bool
    problems: int
    factors: Sequence[float]
    controls: int


def task_entries(config: Mapping[str, Any]) -> dict[str, TaskEntry]:
    """{task: its entry}, from the completed configuration."""
    return {
        name: TaskEntry.from_config(values, values=values)
        for name, values in config["tasks"].items()
    }


def model_entries(config: Mapping[str, Any]) -> dict[str, ModelEntry]:
    """{model: its entry}, from the completed configuration."""
    return {name: _model_entry(name, config) for name in config["models"]}


def published_entries(config: Mapping[str, Any]) -> dict[str, PublishedEntry]:
    """{name: its entry} of the published probe rows, from the completed configuration."""
    return {
        name: PublishedEntry.from_config(values)
        for name, values in config["published_probes"].items()
    }


def _model_entry(name: str, config: Mapping[str, Any]) -> ModelEntry:
    values = config["models"][name]
    training = values.get("training")
    return ModelEntry.from_config(
        values,
        name=name,
        tasks=values.get("tasks", list(config["tasks"])),
        training=training and TrainingEntry.from_config(training, values=training),
    )

"""The entries of a completed configuration, read once: models, and settings of the study.

`study.configuration` gives the configuration, checked and with defaults filled in; `study.plan` and
`study.needs` compute with the entries, and rules read their attributes. A default stands in
schemas/config.schema.yaml alone, which describes every key: a field without a default here is a key
that the completed configuration always has.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from think_to_talk.formulas.symbols import vocabulary
from think_to_talk.models.checkpoints import checkpoint_files
from think_to_talk.study.task_entries import Entry, task_entries


@dataclass(frozen=True)
class TrainingEntry(Entry):
    """The size of a model that the study trains.

    values: the whole entry, as jobs receive it. tasks: those that it is trained on.
    layers: decoder blocks.
    hidden_size, intermediate_size: widths of the residual stream and of the MLP.
    heads: attention heads.
    cut: share of its steps on chains that end early.
    vocab_size: tokens of its tokenizer.
    """

    values: Mapping[str, Any]
    tasks: Sequence[str]
    layers: int
    hidden_size: int
    intermediate_size: int
    heads: int
    cut: float
    vocab_size: int

    @property
    def architecture(self) -> dict[str, Any]:
        """Its sizes as keys of a config, as `models.training.build_model` has it."""
        return {
            "num_hidden_layers": self.layers,
            "hidden_size": self.hidden_size,
            "intermediate_size": self.intermediate_size,
            "num_attention_heads": self.heads,
            "vocab_size": self.vocab_size,
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

    @cached_property
    def is_unpacked(self) -> bool:
        """Whether its checkpoint is a GGUF file, which a job unpacks before others load it."""
        return self.kind == "local" and checkpoint_files(self.path)[0].suffix == ".gguf"

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
    targets: str


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
    training, tasks = values.get("training"), task_entries(config)
    if training:
        named = [tasks[task] for task in training["tasks"] if task in tasks]
        trained_on = [task for task in named if task.is_generated]
        tokens = vocabulary(
            (word for task in trained_on for word in task.words),
            max((task.values["values"][1] for task in trained_on), default=0),
        )
        training = TrainingEntry.from_config(training, values=training, vocab_size=len(tokens))
    return ModelEntry.from_config(
        values,
        name=name,
        tasks=values.get("tasks", list(config["tasks"])),
        training=training,
    )

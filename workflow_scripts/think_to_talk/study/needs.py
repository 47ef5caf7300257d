"""What the jobs of a study ask for: GPU, memory, batch size, disk, time and threads.

Computed from the study's plan (`study.plan`) and the measured sizes of its models (`models.sizes`),
with the formulas of `study.memory` and `study.work`. The rules declare it as resources;
`study.cost` sums it up.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

from think_to_talk.errors import InputError
from think_to_talk.formulas.rows import first_shots
from think_to_talk.formulas.symbols import N_CLASSES
from think_to_talk.models import hub
from think_to_talk.models.checkpoints import check_code, checkpoint_files
from think_to_talk.models.layers import saved_layers
from think_to_talk.models.sizes import DTYPE_BYTES, Sizes, SizesRequest, measured_sizes
from think_to_talk.models.snapshots import cached_folder
from think_to_talk.study import memory as memory_
from think_to_talk.study import work as work_
from think_to_talk.study.cached_method import cached_method
from think_to_talk.study.configuration import complete
from think_to_talk.study.entries import ModelEntry
from think_to_talk.study.free_text_tasks import check_ceilings
from think_to_talk.study.later_work import LaterWork
from think_to_talk.study.left_out import left_out_notes
from think_to_talk.study.lengths import length_warnings
from think_to_talk.study.memory import Placement, Prompt, expected_tokens
from think_to_talk.study.plan import STUDIED_SPLITS, StudyPlan
from think_to_talk.study.transfers import TransferNeeds
from think_to_talk.study.work import Work

#: The file in a study's folder in which measured sizes of models are kept.
SIZES_CACHE = Path(".snakemake/model_sizes.json")

#: Steps after which probes have usually converged.
_USUAL_STEPS = 400


def plan_study(
    config: Mapping[str, Any], schema: Mapping[str, Any], sizes_cache: Path | None = None
) -> tuple[StudyPlan, Needs]:
    """The plan of a study and what its jobs need, completed and checked.

    config: the configuration as written.
    schema: the configuration's JSON schema.
    sizes_cache: the file in which sizes of models are kept; None for none.
    Raises InputError, one line that names the key.
    """
    study = StudyPlan(complete(config, schema))
    needs = Needs(study, sizes_cache)
    needs.check()
    return study, needs


class Needs:
    """What jobs ask for, per model and task.

    study: what is studied.
    sizes_cache: the file in which sizes of models are kept; None for none.
    warnings: lines about models that can be run, but may not do well; `check` finds them.
    Methods raise InputError, naming the key, if a model cannot run.
    """

    def __init__(self, study: StudyPlan, sizes_cache: Path | None = None) -> None:
        self.study = study
        self._cache = sizes_cache
        self.warnings: list[str] = []

    @cached_property
    def gpus(self) -> list[memory_.Gpu]:
        """The GPUs that the site has."""
        return memory_.gpus_from_config(self.study.config["gpus"])

    @cached_property
    def _all_sizes(self) -> dict[str, Sizes]:
        """The sizes of all models, which are measured together."""
        return measured_sizes(self.sizes_requests(), self._cache)

    def sizes_requests(self) -> dict[str, SizesRequest]:
        """What is to be measured, {model: request}."""
        return {model: self._sizes_request(model) for model in self.study.models}

    def sizes(self, model: str) -> Sizes:
        """The model's sizes, measured from its config."""
        return self._all_sizes[model]

    def _sizes_request(self, model: str) -> SizesRequest:
        """What is to be measured of a model."""
        study, entry = self.study, self.study.models[model]
        owner = study.models[entry.checkpoint_owner]
        prompts = [self.prompt(model, task) for task in study.tasks_of(model)]
        checkpoint = None
        try:
            if owner.kind != "train":
                checkpoint = _config_file(owner)
        except InputError as error:
            place, message = f"models.{owner.name}", str(error)
            raise InputError(message if place in message else f"{place}: {message}") from None
        return SizesRequest(
            memory_.decoded_tokens(prompts, entry.max_new_tokens),
            # On the CPU in fp32, unless the config says otherwise.
            entry.dtype if entry.runs_on_gpu or entry.dtype != "auto" else "float32",
            on_gpu=entry.runs_on_gpu,
            checkpoint=checkpoint,
            declared=owner.training.architecture if owner.training else owner.architecture,
            trust_remote_code=owner.trust_remote_code and checkpoint is not None,
        )

    def layers(self, model: str) -> list[int]:
        """The layers whose hidden states are stored."""
        n_layers = self.sizes(model).num_hidden_layers
        try:
            return saved_layers(self.study.models[model].layers, n_layers)
        except InputError as error:
            raise InputError(f"models.{model}.{error}") from None

    @cached_method
    def prompt(self, model: str, task: str) -> Prompt:
        """How many tokens the rows of a task take; those of a row with the longest numbers."""
        context, source, target = self.study.sample(task)
        chat = self.study.models[model].chat
        try:
            shots = first_shots(context, self.study.models[model].shots)
        except InputError as error:
            raise InputError(f"models.{model}.{error} (tasks.{task})") from None
        digits = len(str(self.study.tasks[task].values["values"][1]))
        prefix, problem, chain = (expected_tokens(t, digits) for t in (shots, source, target))
        prompt = Prompt(prefix, problem, chain, self.study.n_spans(task))
        return prompt.of_a_chat(len(shots.splitlines()), chat) if chat else prompt

    def dtype(self, model: str) -> str:
        """The number format in which the model runs."""
        return self.sizes(model).dtype

    def parameter_bytes(self, model: str) -> int:
        """Bytes of the model's weights in a file, in the format in which it runs."""
        return self.sizes(model).parameters * DTYPE_BYTES[self.dtype(model)]

    def stored_dtype(self, model: str) -> str:
        """The number format in which the model's hidden states are stored."""
        dtype = self.study.config["hidden_states"]["dtype"]
        return self.dtype(model) if dtype == "model" else str(dtype)

    @cached_method
    def placement(self, model: str) -> Placement:
        """The model's GPU (or the CPU), batch size and memory.

        Raises InputError with the numbers if the model fits no GPU that the configuration lists.
        """
        entry = self.study.models[model]
        memory = memory_.decoding_memory(
            self.sizes(model),
            gpus=entry.gpus_per_job if entry.runs_on_gpu else 1,
            reserve=0 if entry.runs_on_gpu else memory_.CPU_RESERVE,
        )
        if entry.runs_on_gpu:
            return memory_.place_on_gpu(
                memory, self.gpus, entry.batch_size, f"models.{model}", entry.gpus_per_job
            )
        return memory_.place_on_cpu(memory, entry.batch_size)

    def work(self, model: str, task: str, rows: int) -> Work:
        """Decoding so many rows of a task."""
        entry = self.study.models[model]
        work = work_.decoding_work(
            self.sizes(model),
            self.prompt(model, task),
            rows,
            entry.max_new_tokens,
            self.placement(model),
        )
        # A gold chain is given whole, and its rows never diverge.
        return work.without_divergence() if entry.cot == "gold" else work

    @cached_property
    def later(self) -> LaterWork:
        """The work of jobs after hidden states that run a model."""
        return LaterWork(self)

    @cached_property
    def transfers(self) -> TransferNeeds:
        """The needs of jobs that try probes on other hidden states."""
        return TransferNeeds(self)

    def hidden_state_bytes(self, model: str, task: str, rows: int) -> int:
        """Bytes of the hidden states of so many rows of a task; ids and flags add a thousandth."""
        values = rows * self.prompt(model, task).stored * len(self.layers(model))
        return values * self.sizes(model).hidden_size * DTYPE_BYTES[self.stored_dtype(model)]

    def probe_weight_bytes(self, model: str, task: str) -> int:
        """Bytes of the weights of a task's probes, in fp32."""
        probes = len(self.layers(model)) * self.prompt(model, task).stored
        values = self._n_weights(task) * (self.sizes(model).hidden_size + 1)
        # A held-out probe per fold beside each plain one.
        folds = self.study.folds(task)
        return 4 * probes * values * (1 + folds)

    def _n_weights(self, task: str) -> int:
        """Rows of the probes' weights at a position: one per variable and class, digits too."""
        classes = self.study.tasks[task].n_classes + N_CLASSES * self.study.n_digits(task)
        return self.study.n_variables(task) * classes

    def probe_bytes(self, model: str, task: str) -> int:
        """Main memory of fitting the probes of a task."""
        rows = max(self.study.n_rows(task, split) for split in STUDIED_SPLITS)
        return memory_.probe_bytes(self.sizes(model), rows, self._n_weights(task))

    def probe_minutes(self, model: str, task: str) -> int:
        """Time limit of the probes of a task."""
        return work_.probe_minutes(
            self.sizes(model),
            self.prompt(model, task),
            len(self.layers(model)),
            self.study.n_rows(task, "probing_train"),
            self._n_weights(task),
            self.probe_steps(),
        )

    def probe_steps(self) -> int:
        """Steps of fitting a probe and its held-out ones: what settings allow, or usually less."""
        probes = self.study.probes
        steps = min(_USUAL_STEPS, probes.max_iterations)
        return (probes.epochs if probes.solver == "sgd" else steps) * (1 + probes.folds)

    def check(self) -> None:
        """Raise InputError for a model that cannot be run, or a dataset that cannot be read.

        A model may fit no GPU, be of unknown size, have no such layers or positions, or need code
        that is not trusted; a split may have too many shards.
        """
        for task, split in itertools.product(self.study.tasks, STUDIED_SPLITS):
            self.study.shards(task, split)
        check_ceilings(self.study)
        for transfer in self.study.transfers:
            self.study.transferred_variables(transfer)
        for model in self.study.models:
            self.placement(model)
            self.layers(model)
        self.warnings = [
            *length_warnings(self.study),
            *self._warnings_of_sizes(),
            *self._warnings_of_ceilings(),
            *left_out_notes(self.study),
        ]

    def _warnings_of_ceilings(self) -> Iterator[str]:
        for name, task in self.study.tasks.items():
            if task.is_generated and not task.has_ceilings:
                yield (
                    f"tasks.{name}.values: too many to count what the text says of them: its "
                    "ceilings are left out, and its t_text is null"
                )

    def _warnings_of_sizes(self) -> Iterator[str]:
        for model in self.study.models:
            if reason := self.sizes(model).assumed:
                yield (
                    f"models.{model}: {reason}, so its memory and time are assumed to be those of "
                    "a plain model of its width and layers"
                )

    def minutes(self, model: str, work: Work) -> int:
        """Time limit of a job that runs the model."""
        return work_.runtime_minutes(work, self.placement(model))


def _config_file(entry: ModelEntry) -> Path | None:
    """The config.json or GGUF file that a model is built from, downloaded if it is nowhere else.

    None for a hub model that is not in the cache, and whose sizes the study declares.
    Raises InputError if it needs code that is not trusted.
    """
    if entry.kind == "local":
        files = checkpoint_files(entry.path)
        file = next((file for file in files if file.name == "config.json"), files[0])
    else:
        file = cached_folder(entry.repository, entry.revision) / "config.json"
        if not file.exists():
            if entry.architecture is not None:
                return None
            file = hub.published_config(
                entry.name, entry.repository, entry.revision, with_code=entry.trust_remote_code
            )
    check_code(
        file.parent, entry.trust_remote_code, f"config: models.{entry.name}.trust_remote_code"
    )
    return file

"""The study's configuration: completed with defaults and checked, each mistake one clear line."""

from __future__ import annotations

import copy
import difflib
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml
from jsonschema import ValidationError
from jsonschema.exceptions import best_match
from jsonschema.validators import extend

from think_to_talk.counterfactuals import check_edits
from think_to_talk.datasets import check_satisfiable
from think_to_talk.errors import InputError
from think_to_talk.models import checkpoint_files, package_folder, saved_layers
from think_to_talk.schemas import StrictValidator
from think_to_talk.yaml_files import check_values

#: The name of a model's untrained copy ends in this.
UNTRAINED_SUFFIX = ".untrained"
#: What there is in `results/` that is not a model's, and figures that are not a task's.
_RESERVED_MODELS = ("benchmarks", "formulas", "logs", "models", "plan.md", "summary")
_RESERVED_TASKS = ("interventions", "overview", "patching")


def load_schema(name: str, folder: str | Path) -> dict[str, Any]:
    """The JSON schema `name` of the folder `schemas/`."""
    return yaml.safe_load((Path(folder) / f"{name}.schema.yaml").read_text(encoding="utf-8"))


def complete(config: Mapping[str, Any], schema: Mapping[str, Any]) -> dict[str, Any]:
    """The configuration with entries set to null removed and defaults filled in, checked.

    Untrained copies of the models are among its models if `controls` asks for them; such an entry
    names the model in `untrained_copy_of`, a key that a configuration as written cannot have.
    Raises InputError, one line that names the key, what was found and what was expected.
    """
    check_values(config, "config")
    completed = _without_nulls(copy.deepcopy(dict(config)))
    error = best_match(_FillingValidator(schema).iter_errors(completed), key=_relevance)
    if error is not None:
        raise InputError(_explain(error))
    _fill_in_dependent_defaults(completed)
    for message in _contradictions(completed):
        raise InputError(f"config: {_cut(message)}")
    if completed["controls"]["untrained"]:
        _add_untrained_copies(completed["models"])
    return completed


def _add_untrained_copies(models: dict[str, Any]) -> None:
    """Add an entry for the untrained copy of each model.

    It is shown the gold chains of thought: what it would write means nothing.
    """
    copies = {
        name + UNTRAINED_SUFFIX: {**model, "cot": "gold", "untrained_copy_of": name}
        for name, model in models.items()
    }
    models |= copies


def _fill_in_dependent_defaults(config: dict[str, Any]) -> None:
    """Defaults that depend on other keys, which a schema cannot say."""
    for name, model in config["models"].items():
        model.setdefault("device", "cpu" if model["kind"] == "train" else "gpu")
        if "package" in model:
            try:
                model["path"] = str(package_folder(model["package"]))
            except InputError as error:
                raise InputError(f"config: models.{name}.package: {error}") from None


def _without_nulls(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    return {key: _without_nulls(entry) for key, entry in value.items() if entry is not None}


def _filling(validate_properties: Any) -> Any:
    """The validator of `properties`, but filling in defaults first (a recipe of jsonschema's)."""

    def validate(
        validator: Any, properties: Mapping[str, Any], instance: Any, schema: Any
    ) -> Iterator[ValidationError]:
        if validator.is_type(instance, "object"):
            for name, subschema in properties.items():
                if "default" in subschema:
                    instance.setdefault(name, copy.deepcopy(subschema["default"]))
        yield from validate_properties(validator, properties, instance, schema)

    return validate


_FillingValidator = extend(
    StrictValidator,
    {"properties": _filling(StrictValidator.VALIDATORS["properties"])},
)


def _relevance(error: ValidationError) -> tuple[bool, int]:
    """Unknown keys first (they explain missing ones), then the deepest error."""
    return (error.validator == "additionalProperties", len(error.absolute_path))


def _parts(error: ValidationError) -> tuple[dict[str, Any], Any, Any]:
    """The schema that was violated, the offending value, and the violated keyword's own value."""
    schema = error.schema if isinstance(error.schema, dict) else {}
    return schema, error.instance, error.validator_value


def _cut(message: str) -> str:
    """A message without the middle of the long value that it quotes."""
    return message if len(message) <= 600 else f"{message[:300]} ... {message[-200:]}"


def _explain(error: ValidationError) -> str:
    where = ".".join(map(str, error.absolute_path))
    schema, instance, value = _parts(error)
    if error.validator == "additionalProperties":
        known = sorted(schema.get("properties", {}))
        unknown = next(key for key in instance if key not in known)
        nearest = difflib.get_close_matches(str(unknown), known, n=1, cutoff=0.5)
        hint = f"did you mean {nearest[0]!r}?" if nearest else f"known keys: {', '.join(known)}"
        return f"config: {f'{where}.' if where else ''}{unknown}: unknown key; {hint}"
    if error.validator == "oneOf" and "files" in schema.get("properties", {}):
        return f"config: {where}: give either a template (equations and order) or files, not both"
    if error.validator == "oneOf" and value == [{"required": ["path"]}, {"required": ["package"]}]:
        return f"config: {where}: give either path or package"
    if error.validator == "not":
        keys = ", ".join(value["required"])
        return f"config: {where}.{keys}: does not go with kind {instance['kind']!r}; remove it"
    message = _cut(" ".join(error.message.split()))
    description = schema.get("description", "")
    return f"config: {where or 'top level'}: {message}" + (
        f" ({' '.join(description.split())})"
        if description and error.validator != "required"
        else ""
    )


def _contradictions(config: Mapping[str, Any]) -> Iterator[str]:
    """What a schema cannot say: references between entries, templates, and files on disk."""
    tasks = config["tasks"]
    for name, task in tasks.items():
        if name in _RESERVED_TASKS:
            yield f"tasks.{name}: this name is taken by a figure; choose another"
        for split, path in task.get("files", {}).items():
            if not os.path.isfile(path):
                yield f"tasks.{name}.files.{split}: {path}: no such file"
        if "files" in task and task["edits"]:
            yield f"tasks.{name}.edits: only problems of a template can be edited; remove it"
        if "equations" in task:
            try:
                check_satisfiable(task, config["splits"])
                check_edits(task)
            except InputError as error:
                yield f"tasks.{name}: {error}"
    for name, model in config["models"].items():
        where = f"models.{name}"
        if name in _RESERVED_MODELS:
            yield f"{where}: this name is taken by a folder of results/; choose another"
        if config["controls"]["untrained"] and name + UNTRAINED_SUFFIX in config["models"]:
            yield (
                f"{where}{UNTRAINED_SUFFIX}: this name is taken by the untrained copy of {name} "
                "(controls.untrained); choose another"
            )
        yield from _unknown_names(model.get("tasks", []), tasks, f"{where}.tasks")
        studied = model.get("tasks", tasks)
        for task in studied:
            if (
                model["shots"] != "all"
                and model["shots"] > tasks[task]["shots"]
                and ("equations" in tasks[task])
            ):
                yield (
                    f"{where}.shots: {model['shots']} examples are asked for, tasks.{task}.shots "
                    f"gives {tasks[task]['shots']}"
                )
        try:
            if model["kind"] == "local":
                checkpoint_files(model["path"])
            elif model["kind"] == "train":
                yield from _training_contradictions(model, tasks, where)
        except InputError as error:
            yield f"{where}: {error}"


def _training_contradictions(
    model: Mapping[str, Any], tasks: Mapping[str, Any], where: str
) -> Iterator[str]:
    training = model["training"]
    yield from _unknown_names(training["tasks"], tasks, f"{where}.training.tasks")
    for task in training["tasks"]:
        if "equations" not in tasks[task]:
            yield f"{where}.training.tasks: {task} has no template to draw problems from"
    if training["hidden_size"] % (2 * training["heads"]):
        yield (
            f"{where}.training: hidden_size {training['hidden_size']} must be a multiple of "
            f"2 x heads ({2 * training['heads']})"
        )
    saved_layers(model["layers"], training["layers"])


def _unknown_names(names: list[str], known: Mapping[str, Any], where: str) -> Iterator[str]:
    for name in names:
        if name not in known:
            nearest = difflib.get_close_matches(name, known, n=1, cutoff=0.0)
            yield f"{where}: unknown task {name!r}; did you mean {nearest[0]!r}?"

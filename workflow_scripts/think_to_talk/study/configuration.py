"""The study's configuration: completed with defaults and checked, each mistake one clear line."""

from __future__ import annotations

import copy
import difflib
import importlib.util
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml
from jsonschema import ValidationError
from jsonschema.exceptions import best_match
from jsonschema.validators import extend

from think_to_talk.errors import InputError
from think_to_talk.files.schemas import StrictValidator
from think_to_talk.study.config_files import check_values
from think_to_talk.study.contradictions import UNTRAINED_SUFFIX, contradictions

#: In C where PyYAML was built with libyaml: ten times as fast.
_SAFE_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def package_folder(package: str) -> Path:
    """The folder of an installed Python package, which is not imported.

    Raises InputError if it is not installed.
    """
    found = importlib.util.find_spec(package)
    if found is None or not found.submodule_search_locations:
        raise InputError(f"no package {package!r} is installed: install it with pip")
    return Path(found.submodule_search_locations[0])


def load_schema(name: str, folder: str | Path) -> dict[str, Any]:
    """The JSON schema `name` of the folder `schemas/`."""
    text = (Path(folder) / f"{name}.schema.yaml").read_text(encoding="utf-8")
    return yaml.load(text, Loader=_SAFE_LOADER)


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
    for message in contradictions(completed):
        raise InputError(f"config: {_cut(message)}")
    if completed["controls"]["untrained"]:
        _add_untrained_copies(completed["models"])
    return completed


def as_written(completed: Mapping[str, Any]) -> dict[str, Any]:
    """A completed configuration without what follows from its other entries.

    It may be completed again, as Snakemake does for each `use rule` of a module: these entries are
    untrained copies of models, and the paths of packages.
    """
    models = {
        name: {key: entry for key, entry in model.items() if key not in _derived(model)}
        for name, model in completed["models"].items()
        if "untrained_copy_of" not in model
    }
    return {**completed, "models": models}


def _derived(model: Mapping[str, Any]) -> set[str]:
    """The keys of a model's entry that follow from others."""
    return {"path"} if "package" in model else set()


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


def _cut(message: str) -> str:
    """A message without the middle of the long value that it quotes."""
    return message if len(message) <= 600 else f"{message[:300]} ... {message[-200:]}"


def _explain(error: ValidationError) -> str:
    """The message of a violated schema: what it says for the violated keyword in `messages`."""
    where = ".".join(map(str, error.absolute_path))
    schema: dict[str, Any] = error.schema if isinstance(error.schema, dict) else {}
    instance: Any = error.instance
    if error.validator == "additionalProperties":
        known = sorted(schema.get("properties", {}))
        unknown = next(key for key in instance if key not in known)
        nearest = difflib.get_close_matches(str(unknown), known, n=1, cutoff=0.5)
        hint = f"did you mean {nearest[0]!r}?" if nearest else f"known keys: {', '.join(known)}"
        return f"config: {f'{where}.' if where else ''}{unknown}: unknown key; {hint}"
    if error.validator in schema.get("messages", {}):
        return f"config: {schema['messages'][error.validator].replace('{where}', where)}"
    message = _cut(" ".join(error.message.split()))
    description = schema.get("description", "")
    return f"config: {where or 'top level'}: {message}" + (
        f" ({' '.join(description.split())})"
        if description and error.validator != "required"
        else ""
    )

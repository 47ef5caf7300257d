"""Strict validation against JSON schemas: an integer is written as 3, not 3.0."""

from __future__ import annotations

from jsonschema import Draft202012Validator
from jsonschema.validators import extend


def _is_integer(_checker: object, value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


StrictValidator = extend(
    Draft202012Validator,
    type_checker=Draft202012Validator.TYPE_CHECKER.redefine("integer", _is_integer),
)

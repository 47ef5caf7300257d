"""Write docs/configuration.md, the reference of all config keys, from schemas/config.schema.yaml.

Whatever is added to the schema is in it: nothing about any key is written here.

    python docs/configuration.py            # write it
    python docs/configuration.py --check    # exit with 1 and one line if it is not current
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

Schema = Mapping[str, Any]

FOLDER = Path(__file__).resolve().parent
SCHEMA = FOLDER.parent / "schemas/config.schema.yaml"
PAGE = FOLDER / "configuration.md"
INTRODUCTION = """\
<!-- Made by docs/configuration.py from schemas/config.schema.yaml: edit that, then `make docs`. -->

# {title}

{description}

A name in braces, as in `models.{{model}}.layers`, stands for one that you choose, and `[i]` for
each entry of a list. A key that is not required and has no default may be left out.
"""
#: What the reference says of a schema, and what it leaves unsaid: any other keyword is an error.
_SAID = (
    {"$schema", "$defs", "$ref", "title", "description", "type", "default", "required"}
    | {"enum", "const", "oneOf", "allOf", "not", "if", "then", "properties", "propertyNames"}
    | {"additionalProperties", "minProperties", "maxProperties", "items", "prefixItems"}
    | {"minItems", "maxItems", "uniqueItems", "minLength", "maxLength", "pattern"}
    | {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "messages"}
)
_CONDITIONS = {"required", "oneOf", "allOf", "not", "messages"}
_LIMITS = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<"}
_PLURALS = {
    **{"boolean": "booleans", "integer": "integers", "number": "numbers", "string": "strings"},
    **{"list": "lists", "mapping": "mappings"},
}


def main(arguments: list[str]) -> None:
    """Write the reference, or check that it is what would be written."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--check", action="store_true", help="write nothing")
    options = parser.parse_args(arguments)
    text = Reference(yaml.safe_load(SCHEMA.read_text(encoding="utf-8"))).page()
    if not options.check:
        PAGE.write_text(text, encoding="utf-8")
    elif not PAGE.is_file() or PAGE.read_text(encoding="utf-8") != text:
        sys.exit(
            "error: docs/configuration.md is not what schemas/config.schema.yaml says; "
            "run `make docs`"
        )


@dataclass(frozen=True)
class Section:
    """A part of the reference: an entry of the config with keys of its own, or a top-level key.

    depth: 0 for a top-level key, 1 for what is right below it.
    """

    path: str
    schema: Schema
    depth: int
    required: bool = False


class Reference:
    """The reference of a configuration's keys, in the order of its schema."""

    def __init__(self, schema: Schema) -> None:
        self.schema = schema

    def page(self) -> str:
        """All of it, as Markdown."""
        head = INTRODUCTION.format(
            title=self.schema["title"], description=_prose(self.schema["description"])
        )
        sections = list(self.sections())
        return "\n".join([head, *_contents(sections), "", *map(self.section, sections)])

    def sections(self) -> Iterator[Section]:
        """One for each top-level key, each entry with keys, and each definition of names."""
        required = self.schema["required"]
        for key, entry in self.schema["properties"].items():
            yield from self._below(Section(key, self.resolved(entry), 0, key in required))
        for name in dict.fromkeys(self._definitions_of_names(self.schema)):
            yield Section(f"{{{name}}}", self.schema["$defs"][name], 0)

    def _below(self, section: Section) -> Iterator[Section]:
        """A section and those of the entries in it that have keys or entries of their own."""
        yield section
        for path, entry, required in self.keys(section):
            if "properties" in entry:
                yield from self._below(Section(path, entry, section.depth + 1, required))
            else:
                for inner, schema in self.entries(path, entry):
                    yield from self._below(Section(inner, schema, section.depth + 1))
        for path, schema in self.entries(section.path, section.schema):
            yield from self._below(Section(path, schema, section.depth + 1))

    def keys(self, section: Section) -> list[tuple[str, Schema, bool]]:
        """The dotted name, the schema and whether it is required, of each key of a section."""
        required = section.schema.get("required", [])
        return [
            (f"{section.path}.{key}", self.resolved(entry), key in required)
            for key, entry in section.schema.get("properties", {}).items()
        ]

    def entries(self, path: str, schema: Schema) -> list[tuple[str, Schema]]:
        """What the entries of a list or of a mapping are, if they have keys of their own."""
        found = []
        if isinstance(entry := schema.get("additionalProperties"), Mapping):
            found.append((f"{path}.{{{_reference(entry) or 'name'}}}", self.resolved(entry)))
        if isinstance(entry := schema.get("items"), Mapping):
            found.append((f"{path}[i]", self.resolved(entry)))
        return [(inner, entry) for inner, entry in found if "properties" in entry]

    def resolved(self, schema: Schema) -> Schema:
        """A schema with what it refers to."""
        if name := _reference(schema):
            schema = {**self.schema["$defs"][name], **schema}
        _check_known(schema, _SAID)
        return schema

    def _definitions_of_names(self, value: Any) -> Iterator[str]:
        """The definitions that names of entries refer to."""
        if isinstance(value, Mapping):
            if name := _reference(value.get("propertyNames", {})):
                yield name
            value = list(value.values())
        if isinstance(value, list):
            for inner in value:
                yield from self._definitions_of_names(inner)

    def section(self, section: Section) -> str:
        """A heading, what holds for all of the entry, and a table of its keys."""
        schema = section.schema
        blocks = [f"{'#' * (section.depth + 2)} `{section.path}`"]
        if "description" in schema:
            blocks.append(_prose(schema["description"]))
        if "properties" not in schema:
            blocks.append(f"Type: {self.type(section.path, schema)}.")
        if section.required:
            blocks.append("Required.")
        elif schema.get("default") == {}:
            blocks.append("All of it may be left out.")
        elif "default" in schema:
            blocks.append(f"Default: {_code(schema['default'])}.")
        if rules := _rules(schema):
            blocks.append("\n".join(f"- {rule}" for rule in rules))
        if rows := [self._row(*key) for key in self.keys(section)]:
            head = [("key", "type", "default", "what it is"), ("---",) * 4]
            blocks.append("\n".join(f"| {' | '.join(cells)} |" for cells in [*head, *rows]))
        return "\n\n".join(blocks) + "\n"

    def _row(self, path: str, schema: Schema, required: bool) -> tuple[str, ...]:
        kind = self.type(path, schema)
        default = _code(schema["default"]) if "default" in schema else ""
        cells = (f"`{path}`", kind, "*required*" if required else default)
        return tuple(cell.replace("|", r"\|") for cell in (*cells, _prose(schema["description"])))

    def type(self, path: str, schema: Schema) -> str:
        """What values there may be, in words."""
        schema = self.resolved(schema)
        if "enum" in schema:
            return f"one of {_codes(schema['enum'])}"
        if "const" in schema:
            return _code(schema["const"])
        if "oneOf" in schema:
            return ", or ".join(self.type(path, option) for option in schema["oneOf"])
        if schema["type"] == "array":
            return self._list(path, schema)
        if schema["type"] == "object":
            return self._mapping(path, schema)
        return " ".join([schema["type"], *_limits(schema)])

    def _list(self, path: str, schema: Schema) -> str:
        kinds = schema.get("prefixItems", [schema.get("items")])
        if any(kind != kinds[0] for kind in kinds):
            return f"list of {', '.join(self.type(path, kind) for kind in kinds)}"
        length = len(kinds) if "prefixItems" in schema else schema.get("maxItems")
        fixed = "prefixItems" in schema or length == schema.get("minItems", 0)
        entries = self.entries(path, {"items": kinds[0]})
        entry = _link(entries[0][0]) if entries else self._plural(path, kinds[0])
        words = [f"list of {length} {entry}"] if fixed else [f"list of {entry}"]
        words += [] if fixed else _counts(schema, "Items")
        words += ["all different"] if schema.get("uniqueItems") else []
        return ", ".join(words)

    def _mapping(self, path: str, schema: Schema) -> str:
        if "properties" in schema:
            return f"[mapping](#{_anchor(path)})"
        entries = self.entries(path, schema)
        entry = schema["additionalProperties"]
        value = _link(entries[0][0]) if entries else self._plural(path, entry)
        definition = _reference(schema.get("propertyNames", {}))
        names = f"[names](#{_anchor(definition)})" if definition else "names"
        return ", ".join([f"mapping of {names} to {value}", *_counts(schema, "Properties")])

    def _plural(self, path: str, schema: Schema) -> str:
        singular = self.type(path, schema)
        if "enum" in schema:
            return singular.removeprefix("one of ")
        first, *rest = singular.split(" ")
        return " ".join([_PLURALS.get(first, first), *rest])


def _check_known(schema: Schema, known: Set[str]) -> None:
    """Stop at a schema that says what the reference would leave out."""
    if unknown := set(schema) - known:
        sys.exit(
            f"error: schemas/config.schema.yaml: {', '.join(sorted(unknown))}: "
            "docs/configuration.py has no words for this; add them"
        )


def _reference(schema: Schema) -> str | None:
    """The name of the definition that a schema refers to."""
    return schema["$ref"].removeprefix("#/$defs/") if "$ref" in schema else None


def _limits(schema: Schema) -> list[str]:
    """The bounds of a number, the length of a string and the pattern that it matches."""
    bounds = [f"{sign} {schema[key]}" for key, sign in _LIMITS.items() if key in schema]
    if {"minimum", "maximum"} <= set(schema):
        bounds = [f"from {schema['minimum']} to {schema['maximum']}"]
    words = [" and ".join(bounds)] if bounds else []
    if lengths := _counts(schema, "Length"):
        words.append(f"({', '.join(lengths)})")
    if "pattern" in schema:
        words.append(f"that matches `{schema['pattern']}`")
    return words


def _counts(schema: Schema, of: str) -> list[str]:
    """How many `Items` or `Properties` there may be, or which `Length` in characters."""
    unit = " characters" if of == "Length" else ""
    least, most = schema.get(f"min{of}", 0), schema.get(f"max{of}")
    words = ["not empty" if least == 1 else f"at least {least}{unit}"] if least else []
    return words if most is None else [*words, f"at most {most}{unit}"]


def _rules(schema: Schema) -> list[str]:
    """What a mapping's keys have to do with each other, beside those that are always required."""
    if "properties" not in schema:
        return []
    rules = []
    least, most = schema.get("minProperties", 0), schema.get("maxProperties")
    if most is not None:
        count = f"Exactly {most}" if least == most else f"From {least} to {most}"
        rules.append(f"{count} of the keys must be given.")
    elif least:
        rules.append(f"At least {least} of the keys must be given.")
    if "oneOf" in schema:
        options = [f"\n  - {_all_of(option)}." for option in schema["oneOf"]]
        rules.append(f"Exactly one of these must hold:{''.join(options)}")
    for case in schema.get("allOf", []):
        conditions = [
            f"`{key}` is {_code(value['const'])}" for key, value in case["if"]["properties"].items()
        ]
        rules.append(f"If {' and '.join(conditions)}: {_all_of(case['then'])}.")
    return rules


def _all_of(condition: Schema) -> str:
    """A condition on which keys there are, in words: those required, then those not allowed."""
    _check_known(condition, _CONDITIONS)
    clauses = []
    if required := condition.get("required"):
        clauses.append(f"{_codes(required, 'and')} {_are(required)} required")
    if options := condition.get("oneOf"):
        alternatives = [key for option in options for key in option["required"]]
        clauses.append(f"exactly one of {_codes(alternatives, 'and')} is required")
    parts = [condition, *condition.get("allOf", [])]
    if forbidden := [key for part in parts for key in _excluded(part)]:
        clauses.append(f"{_codes(forbidden, 'and')} {_are(forbidden)} not allowed")
    return "; ".join(clauses)


def _excluded(condition: Schema) -> list[str]:
    """The keys of which a condition's `not` allows none."""
    excluded = condition.get("not", {"anyOf": []})
    return [key for (key,) in (part["required"] for part in excluded.get("anyOf", [excluded]))]


def _are(keys: Sequence[str]) -> str:
    return "are" if len(keys) > 1 else "is"


def _code(value: Any) -> str:
    """A value as YAML, in one line."""
    text = yaml.safe_dump([value], default_flow_style=True, width=10_000, sort_keys=False)
    return f"`{text.strip()[1:-1]}`"


def _codes(values: Sequence[Any], word: str = "or") -> str:
    """Values in a row, with a word before the last."""
    *most, last = map(_code, values)
    return f"{', '.join(most)} {word} {last}" if most else last


def _prose(text: str) -> str:
    """A description as Markdown: what means something there is escaped, but for code."""
    parts = re.split(r"(`[^`]*`)", " ".join(text.split()))
    parts[::2] = [re.sub(r"[*<\[]", r"\\\g<0>", part) for part in parts[::2]]
    return "".join(parts)


def _anchor(heading: str) -> str:
    """The anchor of a heading: letters, digits, `_` and `-` are kept."""
    return re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")


def _link(path: str) -> str:
    return f"[`{path}`](#{_anchor(path)})"


def _contents(sections: Sequence[Section]) -> list[str]:
    """A line per top-level key, with links to the sections below it."""
    lines: list[list[str]] = []
    for section in sections:
        if section.depth == 0:
            lines.append([])
        lines[-1].append(_link(section.path))
    return [f"- {top}{': ' * bool(below)}{', '.join(below)}" for top, *below in lines]


if __name__ == "__main__":
    main(sys.argv[1:])

"""A config file is a mapping whose keys differ, and its values are what a study can hold."""

import pytest

from think_to_talk.errors import InputError
from think_to_talk.study.config_files import check_file, check_values

#: {content of a file: the message, after the file's name}.
REFUSED = {
    "a: 1\nb: 2\na: 3\n": ", line 3: duplicate key 'a'",
    "a:\n  b: 1\n  b: 2\n": ", line 3: duplicate key 'b'",
    "- a\n": ": expected keys with values, as `seeds: [42]`",
    "__use_yte__: true\n": ": __use_yte__ makes a program of it; expected a configuration",
    "a: [1\n": ", line 2: not YAML",
    "a: &a [*a]\n": ", line 1: an entry holds itself",
    "a: 2024-13-45\n": ": not YAML",
    "a: " + "[" * 30 + "]" * 30: ", line 1: entries within entries, more than 20 deep",
}

#: (value, the message).
BAD_VALUES = [
    ({"a": {"b": float("nan")}}, "config: a.b: nan is not a finite number"),
    ({"a": [0, 10**16]}, "config: a.1: a number beyond 10^15, expected a smaller one"),
    ({"a": -(10**16)}, "config: a: a number beyond 10^15, expected a smaller one"),
    ({"a": "x" * 4097}, "config: a: 4097 characters, expected at most 4096"),
    ({"a": "x\ny"}, r"config: a: 'x\ny' has a line break or control character"),
    ({1: "x"}, "config: top level: the key 1 is no text: put it in quotes"),
    ({"a": {"b\x00": 1}}, r"config: a: the key 'b\x00': 'b\x00' has a line break"),
    ({"a": b"x"}, "config: a: found a bytes: put text in quotes"),
    ({"a": list(range(1001))}, "config: a: 1001 entries, expected at most 1000"),
]


@pytest.mark.parametrize("content", REFUSED)
def test_a_file_that_is_no_configuration_is_refused_with_its_line(tmp_path, content):
    path = tmp_path / "mine.yaml"
    path.write_text(content)
    with pytest.raises(InputError) as error:
        check_file(path)
    assert str(error.value).startswith(f"{path}{REFUSED[content]}")


@pytest.mark.parametrize(
    "content",
    ["a: 1\n", '{"a": 1}', "a: &a {b: 1}\nc: *a\n", "a: &a {b: 1}\nc: {<<: *a, d: 2}\n"],
)
def test_a_mapping_in_yaml_or_json_is_accepted(tmp_path, content):
    (tmp_path / "mine.yaml").write_text(content)
    check_file(tmp_path / "mine.yaml")


def test_a_file_of_more_than_a_megabyte_is_not_read(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text("a: " + "x" * 10**6)
    with pytest.raises(InputError, match="1000003 bytes, expected at most 1000000"):
        check_file(path)


@pytest.mark.parametrize(("values", "message"), BAD_VALUES, ids=range(len(BAD_VALUES)))
def test_a_value_that_no_key_can_have_is_refused_with_its_place(values, message):
    with pytest.raises(InputError) as error:
        check_values(values, "config")
    assert str(error.value).startswith(message)


def test_the_largest_values_are_accepted():
    check_values({"a": 10**15, "b": "x" * 4096, "c": [1] * 1000, "d": None, "e": 0.5}, "config")

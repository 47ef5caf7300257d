"""JSON Lines that were cut are not taken for whole ones."""

import pytest

from think_to_talk.errors import InputError
from think_to_talk.files.jsonl import join_jsonl, read_jsonl, read_probe_rows, write_jsonl

ROWS = [{"a": 1.5}, {"b": "é"}, {"c": None}]


@pytest.fixture
def written(tmp_path):
    write_jsonl(tmp_path / "a.jsonl", ROWS)
    return tmp_path / "a.jsonl"


def test_what_is_written_is_read(written):
    assert read_jsonl(written) == read_jsonl(written, expected=3) == ROWS


@pytest.mark.parametrize(
    ("size", "message"),
    [
        (0, "0 rows, expected 3"),
        (10, "line 1: cut off, without its end"),
        (11, "1 rows, expected 3"),
        (15, "line 2: cut off, without its end"),
    ],
)
def test_a_file_that_was_cut_is_named_with_the_remedy(written, size, message):
    written.write_bytes(written.read_bytes()[:size])
    with pytest.raises(InputError, match=rf"a\.jsonl.*{message}.*: delete the file and run again"):
        read_jsonl(written, expected=3)


def test_a_line_that_is_not_json_is_named(written):
    written.write_bytes(written.read_bytes().replace(b'{"b"', b"{b"))
    with pytest.raises(
        InputError, match=r"a\.jsonl, line 2: not JSON in UTF-8 .*: delete the file"
    ):
        read_jsonl(written)


@pytest.mark.parametrize("missing", [0, 3, 7, 11])
def test_a_file_of_probes_that_lacks_one_is_not_whole(tmp_path, missing):
    rows = [
        {"layer": layer, "position": position, "variable": variable}
        for layer in (0, 4)
        for position in range(3)
        for variable in range(2)
    ]
    path = tmp_path / "level-1.jsonl"
    write_jsonl(path, rows)
    assert read_probe_rows(path) == rows
    write_jsonl(path, rows[:missing] + rows[missing + 1 :])
    with pytest.raises(
        InputError, match=r"11 rows, expected 12, one for each layer, position, var"
    ):
        read_probe_rows(path)


def test_an_empty_file_is_never_whole(written):
    written.write_bytes(b"")
    with pytest.raises(InputError, match="0 rows, expected some"):
        read_jsonl(written)


def test_files_are_joined_row_by_row_but_not_if_one_was_cut(written, tmp_path):
    joined = tmp_path / "joined.jsonl"
    join_jsonl(joined, [written, written])
    assert joined.read_bytes() == 2 * written.read_bytes()
    before = joined.read_bytes()
    written.write_bytes(written.read_bytes()[:15])
    with pytest.raises(InputError, match=r"/a\.jsonl, line 2"):
        join_jsonl(joined, [written, written])
    assert joined.read_bytes() == before

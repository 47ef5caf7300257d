"""JSON Lines that were cut are not taken for whole ones."""

import pytest

from think_to_talk.errors import InputError
from think_to_talk.jsonl import join_jsonl, read_jsonl, write_jsonl

ROWS = [{"a": 1.5}, {"b": "é"}, {"c": None}]


@pytest.fixture
def written(tmp_path):
    write_jsonl(tmp_path / "a.jsonl", ROWS)
    return tmp_path / "a.jsonl"


def test_what_is_written_is_read(written):
    assert read_jsonl(written) == read_jsonl(written, expected=3) == ROWS


@pytest.mark.parametrize(
    ("size", "message"),
    [(0, "0 rows, expected 3"), (11, "1 rows, expected 3"), (15, "line 2: not JSON in UTF-8")],
)
def test_a_file_that_was_cut_is_named_with_the_remedy(written, size, message):
    written.write_bytes(written.read_bytes()[:size])
    with pytest.raises(InputError, match=rf"a\.jsonl.*{message}.*: delete the file and run again"):
        read_jsonl(written, expected=3)


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

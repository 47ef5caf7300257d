"""Files of stages that may have nothing to write."""

import pytest

from think_to_talk.errors import InputError
from think_to_talk.files.jsonl import write_jsonl
from think_to_talk.files.possibly_empty import read_any


@pytest.mark.parametrize("rows", [[], [{"a": 1}, {"a": 2}]])
def test_all_rows_are_read_though_there_be_none(tmp_path, rows):
    write_jsonl(tmp_path / "rows.jsonl", rows)
    assert read_any(tmp_path / "rows.jsonl") == rows


def test_a_line_that_is_cut_off_is_named(tmp_path):
    (tmp_path / "rows.jsonl").write_text('{"a": 1}\n{"a":')
    with pytest.raises(InputError, match=r"rows\.jsonl, line 2: cut off"):
        read_any(tmp_path / "rows.jsonl")

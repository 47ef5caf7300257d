"""Files of stages that may have nothing to write."""

import pytest

from think_to_talk.errors import InputError, UnreadError, located
from think_to_talk.files.jsonl import write_jsonl
from think_to_talk.files.possibly_empty import read_any, read_any_probe_rows, unless_unread


@pytest.mark.parametrize("rows", [[], [{"a": 1}, {"a": 2}]])
def test_all_rows_are_read_though_there_be_none(tmp_path, rows):
    write_jsonl(tmp_path / "rows.jsonl", rows)
    assert read_any(tmp_path / "rows.jsonl") == rows


def test_a_line_that_is_cut_off_is_named(tmp_path):
    (tmp_path / "rows.jsonl").write_text('{"a": 1}\n{"a":')
    with pytest.raises(InputError, match=r"rows\.jsonl, line 2: cut off"):
        read_any(tmp_path / "rows.jsonl")


IDENTITY = {"model": "m", "seed": 1, "task": "t"}


def test_rows_of_probes_are_all_there_or_none(tmp_path):
    probes = [{"layer": layer, "position": 0, "variable": 0} for layer in range(2)]
    for rows in ([], probes):
        write_jsonl(tmp_path / "rows.jsonl", rows)
        assert read_any_probe_rows(tmp_path / "rows.jsonl") == rows
    write_jsonl(tmp_path / "rows.jsonl", [*probes, {**probes[0], "position": 1}])
    with pytest.raises(InputError, match="3 rows, expected 4"):
        read_any_probe_rows(tmp_path / "rows.jsonl")


def test_a_task_that_cannot_be_read_has_no_rows_and_a_warning():
    def rows():
        yield {"a": 1}
        with located("models.m"):
            raise UnreadError("a number takes several tokens")

    with pytest.warns(UserWarning, match=r"^lens leaves out tasks\.t of models\.m: a number"):
        assert unless_unread("lens", IDENTITY, rows) == []
    assert unless_unread("lens", IDENTITY, lambda: iter([{"a": 1}])) == [{"a": 1}]


def test_other_errors_are_no_reason_to_leave_a_task_out():
    def rows():
        raise InputError("a file is damaged")

    with pytest.raises(InputError, match="a file is damaged"):
        unless_unread("lens", IDENTITY, rows)

"""The benchmarks run, in a tiny setting; how fast they find anything is not tested."""

import json
import subprocess
import sys

import pytest
from support.repository import REPOSITORY


def bench(*arguments):
    return subprocess.run(
        [sys.executable, str(REPOSITORY / "benchmarks/run.py"), *arguments],
        capture_output=True,
        text=True,
    )


@pytest.fixture(scope="module")
def everything(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bench")
    run = bench("--tiny", "--folder", str(folder))
    assert run.returncode == 0, run.stderr[-5000:]
    return folder, run.stdout


@pytest.mark.thorough
@pytest.mark.documented("make bench")
def test_all_parts_are_in_one_table(everything):
    folder, printed = everything
    assert (folder / "table.md").read_text() == printed
    found = json.loads((folder / "table.json").read_text())
    assert {row["part"] for row in found["rows"]} == {
        "study",
        "no-op",
        "formulas",
        "hidden states, tiny",
        "hidden states, SmolLM2",
        "probes",
        "sgd",
        "shards",
        "patching",
        "forced answers",
        "steering",
        "growth",
        "paper size",
        "paper scale",
    }
    for row in found["rows"]:
        assert row["ours"] in printed
    assert found["machine"]["matmul"] > 0


@pytest.mark.thorough
def test_the_growth_of_time_and_memory_is_measured_and_drawn(everything):
    folder, _ = everything
    curves = json.loads((folder / "table.json").read_text())["growth"]
    assert list(curves) == ["rows", "positions", "layers", "width"]
    for name, points in curves.items():
        assert points[0][name] < points[-1][name]
        assert all(point["seconds"] > 0 for point in points)
        assert all(point["memory"] > point["memory_before"] / 2 > 0 for point in points)
    assert (folder / "growth.png").read_bytes().startswith(b"\x89PNG")


def test_shards_of_many_rows_are_read_in_their_order(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(REPOSITORY / "benchmarks"))
    import growth

    paths, _ = growth.write_split(
        tmp_path, "test", 10_001, {"positions": 2, "layers": 1, "width": 1}
    )
    assert sorted(tmp_path.glob("test-*.safetensors")) == paths
    assert len(paths) == 6


def test_a_single_part_is_run_alone(tmp_path):
    run = bench("--tiny", "--folder", str(tmp_path), "formulas", "shards")
    assert run.returncode == 0, run.stderr[-3000:]
    found = json.loads((tmp_path / "table.json").read_text())
    assert {row["part"] for row in found["rows"]} == {"formulas", "shards"}


def test_an_unknown_part_is_an_error_that_names_those_there_are():
    run = bench("nonsense")
    assert run.returncode == 2
    assert "no part nonsense; there are study, no-op, formulas" in run.stderr

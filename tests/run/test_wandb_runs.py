"""Runs for W&B: when they are made, that nothing is cut, and that sending never takes longer."""

import json
import os
import subprocess
import sys
import time

import pytest
from support.studies import own_environment
from support.wandb_servers import closed_port, silent_server, taking_server

from think_to_talk.errors import InputError
from think_to_talk.run.packages import package_versions, required_packages
from think_to_talk.run.wandb_runs import (
    PROBE_COLUMNS,
    Table,
    choose_mode,
    is_sent,
    record,
    send,
    summary,
)

KEY = {"WANDB_API_KEY": "0123456789abcdef" * 2 + "01234567"}
ABOUT = {"name": "tiny-seed-1", "project": "p", "entity": None, "group": "tiny"}


@pytest.fixture
def wandb_environment(tmp_path, monkeypatch):
    """Nothing of whoever runs the tests, and files of W&B in a folder of the test."""
    for name in set(os.environ) - set(own_environment()):
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for name, value in KEY.items():
        monkeypatch.setenv(name, value)
    return monkeypatch


DATES = ("t_text", "t_star", "t_star_heldout", "t_said", "t_used")


def recorded(folder, n_probes=1):
    tables = {
        "timing": Table(["task"], [["level-1"]]),
        "probes": Table(["task", "score"], [[f"row {i}", None] for i in range(n_probes)]),
    }
    return record(folder / "wandb", ABOUT, {"model": "tiny"}, {"x": 1}, tables, {})["folder"]


@pytest.mark.parametrize(
    ("configured", "environment", "installed", "mode", "said"),
    [
        (None, {}, True, "disabled", "WANDB_API_KEY is not set"),
        (None, {"WANDB_API_KEY": ""}, True, "disabled", "WANDB_API_KEY is not set"),
        (None, KEY, True, "online", "WANDB_API_KEY is set"),
        (None, KEY, False, "disabled", "make .venv/wandb"),
        ("disabled", KEY, False, "disabled", None),
        ("offline", {}, True, "offline", None),
        ("online", {}, True, "online", None),
    ],
)
def test_the_mode_is_the_configured_one_or_follows_from_the_key(
    configured, environment, installed, mode, said
):
    chosen, notice = choose_mode(configured, environment, installed)
    assert chosen == mode
    if said is None:
        assert notice is None
    else:
        assert said in notice
        assert KEY["WANDB_API_KEY"] not in notice


@pytest.mark.parametrize("mode", ["offline", "online"])
def test_asking_for_w_and_b_without_the_package_is_one_clear_line(mode):
    with pytest.raises(InputError) as error:
        choose_mode(mode, KEY, installed=False)
    assert f"config: wandb.mode: {mode!r} needs the package wandb" in str(error.value)
    assert "make .venv/wandb" in str(error.value)


def test_versions_are_those_of_the_required_packages_that_are_installed(tmp_path):
    file = tmp_path / "requirements.in"
    file.write_text("# comment\n-c other.txt\nnumpy\nno-such-package\nscikit-learn==1.9.1\n")
    packages = required_packages(file)
    assert packages == ["numpy", "no-such-package", "scikit-learn"]
    import numpy
    import sklearn

    assert package_versions(packages) == {
        "numpy": numpy.__version__,
        "scikit-learn": sklearn.__version__,
    }


def test_a_long_table_is_recorded_whole(tmp_path, wandb_environment):
    """W&B itself cuts tables after 10,000 rows."""
    folder = recorded(tmp_path / "results", n_probes=12_345)
    [file] = (tmp_path / folder).glob("files/media/table/probes*.json")
    rows = json.loads(file.read_text())["data"]
    assert [row[0] for row in rows] == [f"row {i}" for i in range(12_345)]


def test_null_scores_are_recorded_as_null(tmp_path, wandb_environment):
    row = {**dict.fromkeys(PROBE_COLUMNS), "variable": 0, "layer": 2}
    table = Table.of(PROBE_COLUMNS, [row, {**row, "score": 0.5, "heldout_score": 0.25, "k": 1}])
    place = {"task": "level-1", "variable": 0}
    numbers = summary(
        [{**place, "cot_accuracy": 0.0}],
        [{**place, **dict.fromkeys(DATES), "t_star_heldout": 3}],
    )
    assert numbers == {
        "cot_accuracy/level-1": 0.0,
        **{f"{date}/level-1/v0": None for date in DATES},
        "t_star_heldout/level-1/v0": 3,
    }
    folder = record(tmp_path / "wandb", ABOUT, {}, numbers, {"probes": table}, {})["folder"]
    [file] = (tmp_path / folder).glob("files/media/table/probes*.json")
    data = json.loads(file.read_text())["data"]
    for column, expected in (("score", [None, 0.5]), ("heldout_score", [None, 0.25])):
        assert [found[PROBE_COLUMNS.index(column)] for found in data] == expected


def test_recording_leaves_the_environment_and_the_home_folder_alone(tmp_path, wandb_environment):
    wandb_environment.setenv("WANDB_MODE", "disabled")
    wandb_environment.setenv("WANDB_PROJECT", "other")
    before = dict(os.environ)
    folder = recorded(tmp_path / "results")
    assert dict(os.environ) == before
    assert list((tmp_path / folder).glob("*.wandb"))
    assert not (tmp_path / "home").exists()


def test_all_runs_are_sent_at_once(tmp_path, wandb_environment):
    folders = [recorded(tmp_path / name) for name in ("a", "b")]
    # Somebody who usually works offline asked for online here.
    wandb_environment.setenv("WANDB_MODE", "offline")
    with taking_server() as server:
        wandb_environment.setenv("WANDB_BASE_URL", server.url)
        assert send(folders, 60, tmp_path / "log") is None
    assert all(map(is_sent, folders))
    tables = [path for path, _ in server.received if "table/probes" in path]
    assert len(tables) == 2


@pytest.mark.parametrize("outage", ["silent", "refused"])
def test_an_outage_costs_the_time_out_once_however_many_runs_there_are(
    tmp_path, wandb_environment, outage
):
    folders = [recorded(tmp_path / name) for name in ("a", "b", "c")]
    with silent_server() as url:
        wandb_environment.setenv("WANDB_BASE_URL", url if outage == "silent" else closed_port())
        start = time.monotonic()
        said = send(folders, 4, tmp_path / "log")
        # Ending W&B's process takes its time on a busy machine; a time-out per run would be twelve.
        assert 4 <= time.monotonic() - start < 12
    assert said.startswith("W&B: 3 of 3 run(s) not sent: no success within 4 s")
    assert said.endswith(f"wandb sync {' '.join(folders)}")
    assert not any(map(is_sent, folders))
    with taking_server() as server:
        # What the warning says to do.
        subprocess.run(
            [sys.executable, "-m", *said.partition("later: ")[2].split()],
            env={**os.environ, "WANDB_BASE_URL": server.url},
            cwd=tmp_path,
            check=True,
        )
    assert all(map(is_sent, folders))


def test_without_a_key_the_runs_are_kept_and_the_reason_is_in_the_log(tmp_path, wandb_environment):
    folder = recorded(tmp_path / "a")
    wandb_environment.delenv("WANDB_API_KEY")
    said = send([folder], 60, tmp_path / "log")
    assert said.startswith("W&B: 1 of 1 run(s) not sent: it ended with exit status 1")
    assert f"see {tmp_path / 'log'}" in said
    assert "API key" in (tmp_path / "log").read_text()

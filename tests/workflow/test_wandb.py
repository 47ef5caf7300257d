"""Runs for W&B of a real study: what is in them, what an outage does, and where keys are not."""

import base64
import json
import re
import shlex
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml
from jsonschema import Draft202012Validator
from support.key_watch import KeyWatch
from support.repository import REPOSITORY
from support.studies import SECRETS, own_environment
from support.wandb_servers import silent_server, taking_server

from think_to_talk.files.jsonl import read_jsonl
from think_to_talk.run.packages import package_versions
from think_to_talk.run.wandb_runs import PROBE_COLUMNS
from think_to_talk.timing import clocks
from think_to_talk.timing.table import COLUMNS

KEY = SECRETS["WANDB_API_KEY"]
# As they are, and the key as it goes to the server.
TRACES = [
    *(secret.encode() for secret in SECRETS.values()),
    base64.b64encode(f"api:{KEY}".encode()),
]
REPORTS = {model: f"results/{model}/seed-1/wandb.json" for model in ("tiny", "local")}
#: Of each model, beside one per task and one per task whose problems are edited.
FIGURES = {"overview", "clocks", "logit_lens", "forced_answers", "interventions"}
RUNS = {("wandb_run", report) for report in REPORTS.values()}


def of_somebody(study):
    """The study, run by somebody with a key and tokens, and with folders of their own beside it."""
    study.environment = dict(SECRETS)
    for variable, name in {"HOME": "home", "TMPDIR": "tmp"}.items():
        folder = study.folder.parent / name
        folder.mkdir()
        study.environment[variable] = str(folder)
    return study


@pytest.fixture
def keyed(mini):
    """The small study of somebody with a key."""
    return of_somebody(mini)


@pytest.fixture(scope="module")
def offline(finished_mini, tmp_path_factory):
    """The same, when it has recorded its runs without sending them. Not to be changed."""
    study = of_somebody(finished_mini.copy(tmp_path_factory.mktemp("offline") / "study"))
    study.configure(wandb={"mode": "offline", "entity": "team"})
    assert study.planned() == RUNS
    run_watched(study)
    return study


def run_watched(study, **options):
    """A run; no command line, no file and nothing that it said holds the key or a token."""
    watch = KeyWatch(TRACES)
    watch.start()
    run = study.snakemake(**options)
    assert watch.stop() == set()
    assert watch.read > 100
    said = run.stdout + run.stderr
    assert not any(trace in said.encode() for trace in TRACES)
    files = [path for path in study.folder.parent.rglob("*") if path.is_file()]
    assert len(files) > 200
    for path in files:
        content = path.read_bytes()
        assert not any(trace in content for trace in TRACES), path
    return run.returncode, said


def report_of(study, model):
    return json.loads((study.folder / REPORTS[model]).read_text())


def is_sent(study, model):
    return any((study.folder / report_of(study, model)["folder"]).glob("*.synced"))


def read_back(study, model):
    """A recorded run, read by W&B's own reader: about the run, its config, its summary."""
    output = subprocess.run(
        [
            *(sys.executable, "-m", "wandb", "leet", "inspect", "--json"),
            study.folder / report_of(study, model)["folder"],
        ],
        env={**own_environment(), **study.environment},
        capture_output=True,
        check=True,
    ).stdout
    about, config, summary = {}, {}, {}
    for record in map(json.loads, output.splitlines()):
        if record["type"] == "run":
            about = record["run"]
            config |= about["config"]["update"]
        elif record["type"] in ("config", "summary"):
            update = record[record["type"]].get("update", {})
            (config if record["type"] == "config" else summary).update(update)
    return about, config, summary


def table(study, model, summary, name):
    """A recorded table as rows by column."""
    files = study.folder / report_of(study, model)["folder"] / "files"
    content = json.loads((files / summary[f"{name}.path"]).read_text())
    return [dict(zip(content["columns"], row, strict=True)) for row in content["data"]]


def without_lists(rows):
    return [key for key in rows[0] if not any(isinstance(row[key], list) for row in rows)]


def by_key(row):
    return json.dumps(row, sort_keys=True)


def test_an_offline_run_can_be_read_back_whole(offline):
    assert offline.planned() == set()

    schema = yaml.safe_load((REPOSITORY / "schemas/wandb_run.schema.yaml").read_text())
    for model, tasks in {"tiny": ["level-1"], "local": ["level-1", "general", "existing"]}.items():
        report = report_of(offline, model)
        Draft202012Validator(schema).validate(report)
        assert not is_sent(offline, model)

        about, config, summary = read_back(offline, model)
        assert about["display_name"] == report["name"] == f"{model}-seed-1"
        assert (about["project"], about["entity"]) == ("think-to-talk", "team")
        assert about["run_group"] == model
        assert not {"host", "git"} & set(about)

        assert (config["model"], config["seed"]) == (model, 1)
        assert config["model_entry"]["kind"] == {"tiny": "train", "local": "local"}[model]
        assert set(config["tasks"]) == set(tasks)
        assert config["splits"]["probing_train"] == 80
        assert config["probes"]["min_train_rows"] == 20
        assert config["timing"] == {"threshold": 0.9}
        assert config["packages"] == package_versions(config["packages"])
        assert {"torch", "transformers", "snakemake", "numpy"} <= set(config["packages"])
        assert config["python"] == sys.version.split()[0]
        # All that is installed, in W&B's own place for it.
        files = offline.folder / report["folder"] / "files"
        installed = (files / "requirements.txt").read_text()
        for package, version in config["packages"].items():
            name = re.sub(r"[-_]", "[-_]", package)
            assert re.search(
                rf"^{name}=={re.escape(version)}$", installed, re.MULTILINE | re.IGNORECASE
            )

        results = offline.folder / f"results/{model}/seed-1"
        timing = [row for task in tasks for row in read_jsonl(results / f"timing/{task}.jsonl")]
        recorded = table(offline, model, summary, "timing")
        assert list(recorded[0]) == list(COLUMNS)
        assert sorted(recorded, key=str) == sorted(timing, key=str)
        for row in timing:
            assert summary[f"cot_accuracy/{row['task']}"] == row["cot_accuracy"]
        dates = read_jsonl(results / "clocks.jsonl")
        for row in dates:
            for date in ("t_star", "t_star_heldout", "t_said", "t_used"):
                assert summary[f"{date}/{row['task']}/v{row['variable']}"] == row[date]
        assert table(offline, model, summary, "clocks") == dates
        assert list(dates[0]) == list(clocks.COLUMNS)

        for name in ("probes", "forced_answers", "patching", "inconsistent_chains"):
            rows = [
                {"task": file.stem, **row}
                for file in (results / name).glob("*.jsonl")
                for row in read_jsonl(file)
            ]
            columns = PROBE_COLUMNS if name == "probes" else without_lists(rows)
            rows = [{column: row[column] for column in columns} for row in rows]
            recorded = table(offline, model, summary, name)
            assert sorted(map(by_key, recorded)) == sorted(map(by_key, rows))

        # All figures of the model.
        figures = offline.folder / f"results/summary/figures/{model}/seed-1"
        names = {str(path.relative_to(figures))[:-4] for path in figures.rglob("*.png")}
        assert {*tasks, *FIGURES, "patching/level-1"} == names
        for name in names:
            image = files / summary[f"figures/{name}.path"]
            assert image.read_bytes() == (figures / f"{name}.png").read_bytes()
        assert len(list(files.rglob("*.png"))) == len(names)

    # Nothing of W&B's is anywhere but below the study's results.
    home = Path(offline.environment["HOME"])
    assert not [path for path in home.rglob("*") if "wandb" in path.name]
    assert not (offline.folder / "wandb").exists()


def test_with_a_key_and_no_mode_runs_are_sent_which_is_said_once(keyed):
    with taking_server() as server:
        keyed.environment["WANDB_BASE_URL"] = server.url
        _, said = run_watched(keyed)
        assert said.count("W&B: online, as WANDB_API_KEY is set") == 1
        assert said.count("W&B: 2 run(s) sent") == 1
        assert all(is_sent(keyed, model) for model in REPORTS)
        received = {path for path, _ in server.received}
        for table_name in ("timing", "probes", "clocks", "forced_answers"):
            assert sum(f"table/{table_name}" in path for path in received) == 2
        # Both study and patch level 1; one of them has two more tasks.
        assert sum(path.endswith(".png") for path in received) == 2 * (2 + len(FIGURES)) + 2

        # There is nothing to do, nor to send, any more.
        server.received.clear()
        keyed.snakemake()
        assert server.received == []


def test_an_outage_neither_fails_the_study_nor_delays_it_by_more_than_the_time_out(keyed):
    """A server that never answers; tests/run has one that is not there, too."""
    keyed.configure(wandb={"mode": "online", "timeout": 4})
    with silent_server() as url:
        keyed.environment["WANDB_BASE_URL"] = url
        status, said = run_watched(keyed, check=False)
    assert status == 0
    assert "W&B: sending 2 run(s), for at most 4 s" in said
    [command] = re.findall(r"this sends them later: (wandb sync .*)", said)
    assert set(shlex.split(command)[2:]) == {report_of(keyed, m)["folder"] for m in REPORTS}
    # The study's own end comes first.
    assert said.index("tables and figures:") < said.index("not sent")
    assert (keyed.folder / "results/logs/wandb_sync.log").stat().st_size > 0
    assert not any(is_sent(keyed, model) for model in REPORTS)
    assert keyed.planned() == set()
    assert helpers_of(keyed) == []


def helpers_of(study, patience=5):
    """W&B's helper processes that the study left running."""
    mark = f"TMPDIR={study.environment['TMPDIR']}".encode()
    deadline = time.monotonic() + patience
    while True:
        left = []
        for process in Path("/proc").glob("[0-9]*"):
            try:
                if mark in (process / "environ").read_bytes().split(b"\0"):
                    left.append((process / "cmdline").read_bytes())
            except OSError:
                continue
        if not left or time.monotonic() > deadline:
            return left
        time.sleep(0.1)


def test_runs_that_are_complete_are_sent_though_another_model_s_job_failed(keyed):
    dataset = keyed.folder / "data/b.jsonl"
    dataset.write_text(dataset.read_text() + "no JSON\n")
    with taking_server() as server:
        keyed.environment["WANDB_BASE_URL"] = server.url
        status, said = run_watched(keyed, check=False)
    assert status != 0
    assert "W&B: 1 run(s) sent" in said
    assert is_sent(keyed, "tiny")
    assert not (keyed.folder / REPORTS["local"]).exists()


def test_only_w_and_b_s_own_jobs_depend_on_its_settings(offline, tmp_path):
    study = of_somebody(offline.copy(tmp_path / "study"))
    study.configure(wandb__timeout=7)
    assert study.planned() == set()
    for changes in (
        {"wandb__project": "other"},
        {"wandb__project": "think-to-talk", "wandb__group": "all"},
        # They are recorded again, and so sent at the end.
        {"wandb__group": None, "wandb__mode": "online"},
    ):
        study.configure(**changes)
        assert study.planned() == RUNS
    study.configure(wandb__mode="disabled")
    assert study.planned() == set()


def test_without_a_key_it_is_said_once_that_w_and_b_is_disabled(mini):
    said = mini.snakemake("--dry-run")
    assert (said.stdout + said.stderr).count("W&B: disabled, as WANDB_API_KEY is not set") == 1


def test_nothing_is_said_if_the_config_disables_w_and_b(keyed):
    keyed.configure(wandb={"mode": "disabled"})
    said = keyed.snakemake("--dry-run")
    assert "W&B" not in said.stdout + said.stderr
    assert keyed.planned() == set()


@pytest.fixture(scope="module")
def packages_without_wandb(tmp_path_factory):
    """What is installed here, but for wandb."""
    packages = tmp_path_factory.mktemp("packages")
    for entry in Path(yaml.__file__).parents[1].iterdir():
        if not entry.name.startswith("wandb"):
            (packages / entry.name).symlink_to(entry)
    return packages


@pytest.mark.parametrize(
    ("mode", "status", "message"),
    [
        (None, 0, "W&B: disabled, as the package wandb is not installed, though WANDB_API_KEY"),
        ("online", 1, "config: wandb.mode: 'online' needs the package wandb"),
        ("disabled", 0, "Nothing to be done"),
    ],
)
def test_a_study_without_the_extra(keyed, packages_without_wandb, mode, status, message):
    if mode:
        keyed.configure(wandb={"mode": mode})
    # -S: without the folder in which everything is installed.
    start = f"import sys; sys.path.append({str(packages_without_wandb)!r}); "
    run = subprocess.run(
        [
            *(sys.executable, "-S", "-c", start + "from snakemake.cli import main; main()"),
            *("--dry-run", "--configfile", keyed.overlay),
        ],
        cwd=keyed.folder,
        env={**own_environment(), **keyed.environment},
        capture_output=True,
        text=True,
    )
    said = run.stdout + run.stderr
    assert run.returncode == status, said
    assert said.count(message) == 1
    assert "Traceback" not in said

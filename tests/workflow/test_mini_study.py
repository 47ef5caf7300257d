"""A whole small study: every file it must make, and that each fits its schema."""

import itertools
import json
import re
import subprocess
import sys
import time
from operator import itemgetter

import pytest
import yaml
from jsonschema import Draft202012Validator
from safetensors import safe_open
from support.ceilings import above_ceiling
from support.repository import REPOSITORY
from support.studies import SECRETS

from think_to_talk.files.jsonl import read_jsonl

JSONL = {
    "dataset_row": "results/formulas/*/*/[tvp]*.jsonl",
    "ceiling_row": "results/formulas/ceilings/*.jsonl",
    "pair_row": "results/formulas/*/*/*pairs*/**/*.jsonl",
    "generation_row": "results/*/seed-*/generations/**/*.jsonl",
    "probe_row": "results/*/seed-*/probes/*.jsonl",
    "timing_row": "results/summary/timing.jsonl",
    "clock_row": "results/summary/clocks.jsonl",
    "patching_row": "results/*/seed-*/patching/*.jsonl",
    "inconsistent_chain_row": "results/*/seed-*/inconsistent_chains/*.jsonl",
    "intervention_row": "results/summary/interventions.jsonl",
    "finding_row": "results/summary/findings.jsonl",
}


def validator(name):
    path = REPOSITORY / f"schemas/{name}.schema.yaml"
    return Draft202012Validator(yaml.safe_load(path.read_text()))


def test_jobs_begin_with_their_libraries_loaded(finished_mini):
    """A fork of a process that has torch starts in much less time than importing it takes here."""
    logs = (finished_mini.folder / "results/logs").glob("hidden_states/**/*.log")
    start_up = [
        float(re.findall(r"after (\S+) s of start-up", log.read_text())[-1]) for log in logs
    ]
    assert len(start_up) > 5
    began = time.monotonic()
    subprocess.run([sys.executable, "-c", "import torch, transformers"], check=True)
    # The fastest of them all: others may have waited for a core.
    assert min(start_up) < (time.monotonic() - began) / 3


@pytest.mark.parametrize("name", JSONL)
def test_json_lines_fit_their_schema(finished_mini, name):
    check = validator(name)
    files = sorted(finished_mini.folder.glob(JSONL[name]))
    assert files
    for file in files:
        for row in read_jsonl(file):
            check.validate(row)


def test_each_variable_has_its_clocks(finished_mini):
    summary = finished_mini.folder / "results/summary"
    timing, clocks = (read_jsonl(summary / f"{name}.jsonl") for name in ("timing", "clocks"))
    key = itemgetter("model", "task", "variable")
    assert sorted(map(key, clocks)) == sorted(map(key, timing))
    for row in clocks:
        # The existing dataset and the general few-shot set have no pairs.
        assert (row["pairs"] is not None) == (row["task"] == "level-1"), row["sentence"]
        # Only the answer is asked for in the middle of a chain.
        assert (row["cuts"] is not None) == (row["role"] == "answer"), row["sentence"]


def test_each_model_is_checked_and_nothing_is_found_about_it(finished_mini):
    files = sorted(finished_mini.folder.glob("results/*/seed-1/model_check.json"))
    assert [file.parts[-3] for file in files] == ["local", "tiny"]
    for file in files:
        found = json.loads(file.read_text())
        validator("model_check").validate(found)
        assert not found["notes"]
        assert found["measured"]["rows_different"] == 0


def test_hidden_state_shards_hold_what_the_schema_says(finished_mini):
    check = validator("hidden_states")
    folder = finished_mini.folder / "results/local/seed-1/hidden_states"
    shards = sorted(folder.glob("*/*/*.safetensors"))
    # 40 + 80 rows twice, 30 + 90 rows once, 80 rows per shard.
    assert len(shards) == 2 * 2 + 3
    for path in shards:
        with safe_open(path, "pt") as shard:
            metadata = shard.metadata()
            check.validate(metadata)
            assert json.loads(metadata["layers"]) == [0, 2, 4]
            rows, positions, hidden = shard.get_slice("layer.2").get_shape()
            assert hidden == 32
            assert positions == len(json.loads(metadata["layout"])["position_symbol"])
            assert shard.get_slice("input_ids").get_shape() == [rows, positions]
            for name in ("input_length", "correct", "row"):
                assert shard.get_slice(name).get_shape() == [rows]


def test_generations_of_all_shards_are_joined_in_order(finished_mini):
    folder = finished_mini.folder / "results/local/seed-1/generations/existing"
    dataset = finished_mini.folder / "results/formulas/seed-1/existing"
    for split, n in (("test", 30), ("probing_train", 90)):
        rows = read_jsonl(folder / f"{split}.jsonl")
        assert [row["row"] for row in rows] == list(range(n))
        sources = [row["source"] for row in read_jsonl(dataset / f"{split}.jsonl")]
        assert [row["source"] for row in rows] == sources


def test_an_existing_dataset_is_studied_like_a_generated_one(finished_mini):
    rows = read_jsonl(finished_mini.folder / "results/local/seed-1/probes/existing.jsonl")
    assert {row["n_test"] for row in rows} == {30}
    assert {row["n_train"] for row in rows} == {90}
    assert all(row["score"] is not None for row in rows)


def test_no_probe_reads_more_than_the_text_says(finished_mini):
    assert above_ceiling(finished_mini.folder) == []


def test_dates_of_the_text_are_known_of_generated_tasks_alone(finished_mini):
    rows = read_jsonl(finished_mini.folder / "results/summary/timing.jsonl")
    known = {row["task"] for row in rows if row["t_text"] is not None}
    assert known == {"level-1", "general"}
    for row in rows:
        if row["t_text"] is not None:
            # Before the question.
            assert row["t_text"] < -1


def test_the_table_and_figures_of_all_models_are_there(finished_mini):
    summary = finished_mini.folder / "results/summary"
    table = read_jsonl(summary / "timing.jsonl")
    studied = {(row["model"], row["task"]) for row in table}
    assert studied == {("tiny", "level-1")} | {
        ("local", task) for task in ("level-1", "general", "existing")
    }
    for model, task in studied:
        for figure in (task, "overview", "clocks"):
            for kind in ("png", "svg"):
                assert (summary / f"figures/{model}/seed-1/{figure}.{kind}").stat().st_size > 5000
    figures = ["patching/level-1", "interventions"]
    for model, figure in itertools.product(("tiny", "local"), figures):
        for kind in ("png", "svg"):
            assert (summary / f"figures/{model}/seed-1/{figure}.{kind}").stat().st_size > 5000
    effects = {
        (row["model"], row["task"], row["intervention"])
        for row in read_jsonl(summary / "interventions.jsonl")
    }
    # An existing dataset has no template from which to make pairs.
    assert effects == {
        ("tiny", "level-1", "patching"),
        ("local", "level-1", "patching"),
        ("tiny", "level-1", "inconsistent_chain"),
        ("local", "level-1", "inconsistent_chain"),
        ("local", "general", "inconsistent_chain"),
    }
    shown = finished_mini.output.stdout + finished_mini.output.stderr
    for model in ("tiny", "local"):
        assert f"  {model}, level-1: B " in shown


def test_every_job_has_a_log_and_a_benchmark(finished_mini):
    results = finished_mini.folder / "results"
    jobs = finished_mini.planned("--forceall")
    logs = list((results / "logs").rglob("*.log"))
    benchmarks = list((results / "benchmarks").rglob("*.tsv"))
    # And those of the page that says how the study is configured.
    assert len(logs) == len(benchmarks) == len(jobs) + 1


@pytest.mark.parametrize(
    ("log", "said"),
    [
        ("train/tiny/seed-1.log", "training, seed 1: 100%"),
        (
            "hidden_states/local/seed-1/general/test/00000.log",
            "decoding local, seed 1, general test",
        ),
        ("probes/local/seed-1/general.log", "probing local, seed 1, general: 100%"),
        ("patching/local/seed-1/level-1.log", "patching local, seed 1, level-1: 100%"),
    ],
)
def test_long_jobs_say_in_plain_lines_how_far_they_are_and_how_long_they_take(
    finished_mini, log, said
):
    lines = (finished_mini.folder / "results/logs" / log).read_text().splitlines()
    line = next(line for line in lines if said in line and "100%" in line)
    # Time taken and left, and the rate.
    assert re.search(r"\[\d\d:\d\d<\d\d:\d\d, +[\d.]+\w+/s", line)
    assert "\r" not in "".join(lines)


def test_keys_and_tokens_of_the_environment_are_in_no_file_and_not_shown(finished_mini):
    secrets = [secret.encode() for secret in SECRETS.values()]
    shown = finished_mini.output.stdout + finished_mini.output.stderr
    assert not any(secret in shown.encode() for secret in secrets)
    files = [path for path in finished_mini.folder.rglob("*") if path.is_file()]
    assert any(".snakemake" in path.parts for path in files)
    for path in files:
        content = path.read_bytes()
        assert not any(secret in content for secret in secrets), path


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"probs": {}}, "config: probs: unknown key; did you mean 'probes'?"),
        ({"models__local__path": "no/such"}, "config: models.local: no/such: no such folder"),
    ],
)
def test_a_mistake_in_the_config_is_shown_without_a_traceback(mini, change, message):
    mini.configure(**change)
    run = mini.snakemake("--dry-run", check=False)
    shown = run.stdout + run.stderr
    assert run.returncode != 0
    assert message in shown
    assert "Traceback" not in shown


def test_a_malformed_dataset_is_named_with_line_and_key(mini):
    path = mini.folder / "data/a.jsonl"
    lines = path.read_text().splitlines()
    lines[4] = lines[4].replace('"intermediate_answers": [', '"intermediate_answers": ["x", ')
    path.write_text("\n".join(lines) + "\n")
    run = mini.snakemake(check=False)
    shown = run.stdout + run.stderr
    assert run.returncode != 0
    assert "data/a.jsonl, line 5, key 'intermediate_answers', key 0: 'x' is not" in shown
    # Its last lines and the likely cause end the run.
    ending = shown[shown.index("1 job(s) failed.") :]
    assert "results/logs/dataset/seed-1/existing/test.log\n    likely cause: data/a.jsonl" in ending
    assert "likely cause: data/a.jsonl, line 5" in ending


def test_rows_that_cannot_be_aligned_stop_before_hidden_states(mini):
    path = mini.folder / "data/a.jsonl"
    lines = path.read_text().splitlines()
    row = json.loads(lines[7])
    # A chain that is true, but repeats its first step.
    first_step = row["scratchpad"].split(" , ")[0]
    for key in ("target", "scratchpad"):
        row[key] = row[key].replace(first_step, f"{first_step} , {first_step}", 1)
    lines[7] = json.dumps(row)
    path.write_text("\n".join(lines) + "\n")
    run = mini.snakemake(check=False)
    shown = run.stdout + run.stderr
    assert run.returncode != 0
    assert "1 of 120 rows have other positions" in shown
    assert row["source"] in shown
    assert "rule hidden_states" not in shown

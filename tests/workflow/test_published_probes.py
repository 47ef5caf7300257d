"""Probe rows of the published code beside a study's own models."""

import pytest
from support.explorer import study_in

from think_to_talk.files.jsonl import read_jsonl, write_jsonl

KEYS = (
    *("layer", "position", "intermediate_answer", "score", "token"),
    *("predictions", "answer", "sample_ids"),
)
TASKS = ("level-1", "general", "existing")


@pytest.fixture
def with_published_rows(mini):
    """A finished small study, and its local model's probes as the published code writes them."""
    for task in TASKS:
        rows = read_jsonl(mini.folder / f"results/local/seed-1/probes/{task}.jsonl")
        end = max(row["position"] for row in rows)
        write_jsonl(
            mini.folder / f"published/{task}.jsonl",
            ({key: row[key] for key in KEYS} for row in rows if row["position"] < end),
        )
    files = {task: f"published/{task}.jsonl" for task in TASKS}
    mini.configure(published_probes={"theirs": {"files": files, "seed": 7}})
    return mini


def test_published_rows_stand_beside_the_study_s_own(with_published_rows):
    """Only what shows them is made: their own rows, dates and figures, and pages of all models."""
    study = with_published_rows
    study.snakemake()
    timing = read_jsonl(study.folder / "results/summary/timing.jsonl")
    by_model = {
        model: {(r["task"], r["variable"]): r for r in timing if r["model"] == model}
        for model in ("local", "theirs")
    }
    assert set(by_model["theirs"]) == {key for key in by_model["local"] if key[0] in TASKS}
    for key, row in by_model["theirs"].items():
        own = by_model["local"][key]
        assert row["seed"] == 7
        assert row["cot_accuracy"] is None
        for column in ("t_star", "t_star_equation", "acc_before", "t_text", "n_test"):
            assert row[column] == own[column], (key, column)
    figures = study.folder / "results/summary/figures/theirs/seed-7"
    assert {path.stem for path in figures.glob("*.svg")} == {*TASKS, "overview", "clocks"}
    page = (study.folder / "results/summary/explorer.html").read_text()
    shown = {result["task"] for result in study_in(page)["results"] if result["model"] == "theirs"}
    assert shown == set(TASKS)


def test_published_rows_rerun_nothing_of_the_study_s_models(with_published_rows):
    rules = {rule for rule, _ in with_published_rows.planned()}
    assert rules == {
        *("published_probes", "timing", "heatmap", "overview"),
        *("clocks", "clocks_overview", "clocks_table"),
        *("timing_table", "findings", "explorer"),
    }


def test_a_missing_file_and_a_name_that_is_taken_are_named(with_published_rows):
    study = with_published_rows
    study.configure(published_probes__theirs__files={"level-1": "published/no.jsonl"})
    run = study.snakemake("--dry-run", check=False)
    where = "published_probes.theirs.files.level-1: published/no.jsonl: no such file"
    assert where in run.stdout + run.stderr
    study.configure(published_probes={"local": {"files": {"level-1": "published/level-1.jsonl"}}})
    run = study.snakemake("--dry-run", check=False)
    assert "published_probes.local: this name is taken by a model" in run.stdout + run.stderr

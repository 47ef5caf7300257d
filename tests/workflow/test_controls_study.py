"""Controls for probes: a small study with all of them."""

import re

import pytest
import yaml
from jsonschema import Draft202012Validator
from support.configs import ALL_CONTROLS, level_1_study
from support.repository import REPOSITORY
from support.studies import Study, study_of

from think_to_talk.files.jsonl import read_jsonl

pytestmark = pytest.mark.thorough

SEEDS = [1, 2]
STUDY = {
    **level_1_study(SEEDS, 100),
    "controls": ALL_CONTROLS,
}


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A small study that has run with all controls on, over two seeds."""
    study = study_of(tmp_path_factory.mktemp("controls") / "study", STUDY)
    study.snakemake("--configfile", "studies/controls.yaml", study.overlay)
    return study


def table(study, control):
    return read_jsonl(study.folder / f"results/summary/controls/{control}.jsonl")


@pytest.mark.documented("snakemake --cores 2 --configfile studies/controls.yaml")
@pytest.mark.parametrize("control", ALL_CONTROLS)
def test_every_control_has_a_table_that_fits_its_schema_and_a_figure(finished, control):
    schema = yaml.safe_load((REPOSITORY / f"schemas/controls/{control}.schema.yaml").read_text())
    rows = table(finished, control)
    for row in rows:
        Draft202012Validator(schema).validate(row)
    if control != "seeds":
        assert {row["seed"] for row in rows} == set(SEEDS)
    # The untrained copy is a control, and has none.
    assert {(row["model"], row["task"], row["variable"]) for row in rows} == {
        ("tiny", "level-1", 0),
        ("tiny", "level-1", 1),
    }
    summary = finished.folder / "results/summary"
    for kind in ("csv", "md"):
        lines = (summary / f"controls/{control}.{kind}").read_text().splitlines()
        assert len(lines) == len(rows) + {"csv": 1, "md": 2}[kind]
    for kind in ("png", "svg"):
        assert (summary / f"figures/tiny/{control}.{kind}").stat().st_size > 5000


def test_control_probes_are_probes_of_the_same_rows_with_other_labels(finished):
    folder = finished.folder / "results/tiny/seed-1"
    real = read_jsonl(folder / "probes/level-1.jsonl")
    control = read_jsonl(folder / "control_probes/level-1.jsonl")
    schema = yaml.safe_load((REPOSITORY / "schemas/probe_row.schema.yaml").read_text())
    same = ("layer", "position", "variable", "n_train", "n_test", "sample_ids", "solver")
    for row, beside in zip(real, control, strict=True):
        Draft202012Validator(schema).validate(beside)
        assert [row[key] for key in same] == [beside[key] for key in same]
        assert row["answer"] != beside["answer"]
    assert (folder / "control_probes/level-1.safetensors").exists()
    assert max(row["score"] for row in control) < 0.9


def scores(study, model, seed, variable):
    """{(layer, t): accuracy} of a variable's probes on level 1."""
    rows = read_jsonl(study.folder / f"results/{model}/seed-{seed}/probes/level-1.jsonl")
    return {
        (row["layer"], row["relative_position"]): row["score"]
        for row in rows
        if row["variable"] == variable
    }


def test_an_untrained_copy_shows_what_is_written_but_not_what_must_be_computed(finished):
    """The operand's number token is as readable in its embeddings as in the model's.

    The answer is readable in the model one token before it is written, and not in its copy.
    """
    for seed in SEEDS:
        trained, untrained = (
            {variable: scores(finished, model, seed, variable) for variable in (0, 1)}
            for model in ("tiny", "tiny.untrained")
        )
        # z = 4 - o , o = 4 ; z =?  : the 4 of o is at t = -5; ... , z = 0⏎: the last `=` at 23
        assert trained[0][0, -5] == untrained[0][0, -5] == 1
        assert trained[1][2, 23] > 0.9
        assert untrained[1][2, 23] < trained[1][2, 23] - 0.2
    for row in table(finished, "untrained"):
        assert row["chance"] < 0.3
        if (row["variable"], row["part"]) == (0, "before"):
            assert row["untrained_accuracy"] == 1


def test_an_untrained_copy_is_not_trained_and_stores_no_weights(finished):
    results = finished.folder / "results"
    assert [path.name for path in (results / "models").iterdir()] == ["tiny"]
    copy = results / "tiny.untrained"
    stored = [path for path in copy.rglob("*") if path.is_file()]
    assert {path.relative_to(copy).parts[1] for path in stored} == {
        *("model_check.json", "tokens", "hidden_states", "generations", "probes", "timing"),
        "clocks.jsonl",
    }


def test_all_rows_of_an_untrained_copy_train_its_probes_whatever_the_config_says(finished):
    """Changing which rows the model's probes are trained on does not concern its copy."""
    study = finished
    overlay = yaml.safe_load((study.folder / study.overlay).read_text())
    overlay["probes"]["train_on"] = "correct"
    other = Study(study.folder, "other.yaml")
    (study.folder / other.overlay).write_text(yaml.safe_dump(overlay))
    planned = {output for rule, output in other.planned() if rule == "probes"}
    assert planned == {
        f"results/tiny/seed-{seed}/{folder}/level-1.jsonl"
        for seed in SEEDS
        for folder in ("probes", "control_probes")
    }


def test_after_a_run_there_is_nothing_to_do_and_the_bill_counts_what_was_done(finished):
    assert finished.planned() == set()
    finished.snakemake("plan")
    page = (finished.folder / "results/plan.md").read_text()
    counted = {
        cells[1].strip("* "): int(cells[6])
        for line in page.splitlines()
        if re.match(r"\| (\*\*all|tiny)", line) and (cells := line.split("|"))
    }
    jobs = finished.planned("--forceall")
    # And the page that says how the study is configured.
    assert counted["all"] == len(jobs) + 1
    # Datasets and tables belong to no model; training is the model's own.
    copy = [output for _, output in jobs if "/tiny.untrained/" in output]
    assert counted["tiny.untrained"] == len(copy)
    of_none = ("formulas", "ceilings", "pairs", "inconsistent_pairs", "findings", "explorer")
    shared = [rule for rule, _ in jobs if rule in of_none or rule.endswith("_table")]
    assert counted["tiny"] == len(jobs) - len(copy) - len(shared)


def test_changing_the_thresholds_replans_that_control_alone(finished):
    overlay = yaml.safe_load((finished.folder / finished.overlay).read_text())
    overlay["controls"]["thresholds"] = [0.5, 0.8]
    other = Study(finished.folder, "other.yaml")
    (finished.folder / other.overlay).write_text(yaml.safe_dump(overlay))
    assert other.planned() == {
        ("control", "results/tiny/controls/thresholds.jsonl"),
        ("control_table", "results/summary/controls/thresholds.jsonl"),
        ("explorer", "results/summary/explorer.html"),
    }

"""The paper's study, planned where there is neither a GPU nor a hub."""

import re

import pytest
import yaml
from support.studies import Study, copied_repository

GPUS = {
    "llama-3.1-8b": 40,
    "llama-3.2-3b": 40,
    "mistral-nemo-base-2407": 40,
    "qwen2.5-7b": 40,
    "qwen2.5-math-7b": 40,
    "yi-1.5-9b": 40,
    "qwen2.5-14b": 80,
    "qwen2.5-32b": 80,
    "yi-1.5-34b": 80,
}


#: Rules of interventions that run a model.
INTERVENTIONS = ("patching", "patched_probes", "free_writing", "inconsistent_chains")


@pytest.fixture(scope="module")
def paper(tmp_path_factory):
    """The paper's study."""
    folder = copied_repository(tmp_path_factory.mktemp("paper") / "study")
    study = Study(folder, "studies/paper.yaml")
    study.environment = {"HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path_factory.mktemp("empty"))}
    return study


@pytest.fixture(scope="module", params=["as it is", "with interventions"])
def planned(paper, tmp_path_factory, request):
    """The paper's study, also with interventions switched on."""
    if request.param == "as it is":
        return paper
    study = paper.copy(tmp_path_factory.mktemp("with_interventions") / "study")
    study.environment = paper.environment
    on = yaml.safe_load((study.folder / "studies/interventions.yaml").read_text())
    study.configure(interventions=on["interventions"])
    return study


@pytest.fixture(scope="module")
def jobs(planned):
    """(rule, wildcards, resources) of all jobs of a dry run."""
    output = planned.snakemake("--dry-run").stdout
    found = []
    # Jobs of a group are indented.
    for block in re.split(r"^ *(?=(?:local)?rule )", output, flags=re.MULTILINE)[1:]:
        rule = re.match(r"(?:local)?rule (\S+):", block)[1]
        values = {
            kind: dict(re.findall(r"(\w+)=([^,\n]+)", line[1]))
            for kind in ("wildcards", "resources")
            if (line := re.search(rf"^ +{kind}: (.*)$", block, re.MULTILINE))
        }
        found.append((rule, values.get("wildcards", {}), values.get("resources", {})))
    return found


def test_every_gpu_job_says_what_it_needs(jobs):
    decoding = [job for job in jobs if job[0] == "hidden_states"]
    # Nine models, six tasks, one test shard and five of probing_train.
    assert len(decoding) == 9 * 6 * 6
    for _, wildcards, resources in decoding:
        assert resources["gpu"] == "1"
        assert resources["gpu_model"] == "a100"
        assert int(resources["gpu_mem_mb"]) == 1024 * GPUS[wildcards["model"]]
        for name in ("mem_mb", "runtime", "disk_mb"):
            assert int(resources[name]) > 0


def test_interventions_ask_for_the_gpu_that_their_model_needs(planned, jobs):
    intervening = [job for job in jobs if job[0] in INTERVENTIONS]
    on = yaml.safe_load((planned.folder / planned.overlay).read_text())["interventions"]["patching"]
    # Five levels have edits; the general few-shot prompt's has results, as they have.
    assert len(intervening) == (9 * (3 * 5 + 6) if on else 0)
    for _, wildcards, resources in intervening:
        assert resources["gpu_model"] == "a100"
        assert int(resources["gpu_mem_mb"]) == 1024 * GPUS[wildcards["model"]]
        assert int(resources["runtime"]) > 0


def test_no_other_job_asks_for_a_gpu(jobs):
    on_gpus = ("model_check", "hidden_states", *INTERVENTIONS)
    others = [job for job in jobs if job[0] not in on_gpus]
    assert len(others) > 200
    for rule, _, resources in others:
        assert not any("gpu" in name for name in resources), rule


def test_the_bill_counts_the_jobs_that_are_planned(planned, jobs):
    """Also per model, and it is made before anything else runs."""
    planned.snakemake("plan")
    page = (planned.folder / "results/plan.md").read_text()
    table = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in page.splitlines()
        if line.startswith("|")
    ]
    column = table[0].index("jobs")
    counted = {row[0]: int(row[column].replace(",", "")) for row in table[2:]}
    counting = [job for job in jobs if job[0] != "all"]
    assert counted["**all**"] == len(counting)
    for model, gb in GPUS.items():
        assert counted[model] == sum(job[1].get("model") == model for job in counting)
        row = next(row for row in table if row[0] == model)
        assert row[table[0].index("runs on")] == f"a100 {gb} GB"
    assert not (planned.folder / "results/formulas").exists()


def test_the_pretrained_model_s_study_is_planned_without_a_gpu(paper):
    study = Study(paper.folder, "studies/smollm2.yaml")
    shown = study.snakemake("--dry-run").stdout
    assert len(re.findall(r"^ *rule hidden_states:", shown, re.MULTILINE)) == 4
    assert "gpu" not in shown


def test_a_study_in_a_folder_of_its_own_leaves_this_one_alone(paper, tmp_path):
    """With the repository's configuration, or with one of its own."""
    default = Study(paper.folder)
    default.snakemake("plan")
    page = (paper.folder / "results/plan.md").read_text()
    default.snakemake("plan", "--directory", str(tmp_path))
    assert (tmp_path / "results/plan.md").read_text() == page
    own = yaml.safe_load((paper.folder / "config.yaml").read_text())
    (tmp_path / "config.yaml").write_text(yaml.safe_dump({**own, "seeds": [1, 2]}))
    default.snakemake("plan", "--directory", str(tmp_path))
    assert "Seeds: 2." in (tmp_path / "results/plan.md").read_text()
    assert (paper.folder / "results/plan.md").read_text() == page


def test_its_general_few_shot_set_is_the_one_that_is_shipped_alone(paper):
    alone = yaml.safe_load((paper.folder / "studies/general-few-shot.yaml").read_text())
    whole = yaml.safe_load((paper.folder / "studies/paper.yaml").read_text())
    assert alone["tasks"].items() <= whole["tasks"].items()


def test_a_model_that_fits_no_gpu_fails_at_planning_with_the_numbers(paper, tmp_path):
    overlay = yaml.safe_load((paper.folder / "studies/paper.yaml").read_text())
    overlay["models"]["yi-1.5-34b"]["dtype"] = "float32"
    (tmp_path / "fp32.yaml").write_text(yaml.safe_dump(overlay))
    study = Study(paper.folder, str(tmp_path / "fp32.yaml"))
    run = study.snakemake("--dry-run", check=False)
    shown = run.stdout + run.stderr
    assert run.returncode != 0
    assert re.search(r"models\.yi-1\.5-34b: needs 13\d\.\d GB for a batch of 2 \(weights", shown)
    assert "the largest known is a100 80 GB" in shown
    assert "Traceback" not in shown

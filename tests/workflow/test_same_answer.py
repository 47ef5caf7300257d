"""The same study gives the same results, and nearly so where sums are rounded differently."""

import filecmp

import pytest
from outcomes import record
from safetensors.torch import load_file
from studies import Study, copied_repository

from think_to_talk.jsonl import read_jsonl

TABLE = "the same answer everywhere"
LEVEL = "level-3"
#: How scores may differ: half a point.
NEAR = 0.005
#: Another way to do the same work, as changes of the config and arguments of the command.
OTHERWISE = {
    "two threads": ({}, ["--set-threads", "hidden_states=2", "probes=2"]),
    "shards of 333 rows": ({"hidden_states__shard_rows": 333}, []),
    "batches of 7 rows": ({"models__tiny__batch_size": 7}, []),
}


def test_two_runs_of_the_default_study_are_byte_identical(default_study, tmp_path):
    again = Study(copied_repository(tmp_path / "again"))
    again.snakemake()
    files = default_study.result_files()
    assert again.result_files() == files
    # Hidden states alone are gigabytes: they are not read at once.
    _, differing, unread = filecmp.cmpfiles(
        default_study.folder, again.folder, files, shallow=False
    )
    assert (differing, unread) == ([], [])
    record(TABLE, "run again", f"{len(files)} files byte-identical")


@pytest.fixture(scope="module")
def trained(default_study, tmp_path_factory):
    """The default study with its trained model and datasets, and nothing after them."""
    later = ("hidden_states", "generations", "probes", "timing", "patching", "summary")
    study = default_study.copy(tmp_path_factory.mktemp("trained") / "study", *later)
    study.overlay = "otherwise.yaml"
    (study.folder / study.overlay).write_text(f"models: {{tiny: {{tasks: [{LEVEL}]}}}}\n")
    return study


def outputs(study):
    """What the model wrote, as text and as ids, and {(layer, position, variable): score}."""
    results = study.folder / "results/tiny/seed-42"
    chains = read_jsonl(results / f"generations/{LEVEL}/test.jsonl")
    ids = [
        row
        for split in ("test", "probing_train")
        for shard in sorted((results / f"hidden_states/{LEVEL}/{split}").glob("*.safetensors"))
        for row in load_file(shard)["input_ids"].tolist()
    ]
    rows = read_jsonl(results / f"probes/{LEVEL}.jsonl")
    scores = {(row["layer"], row["position"], row["variable"]): row["score"] for row in rows}
    return chains, ids, scores


@pytest.mark.parametrize("how", OTHERWISE)
def test_what_is_written_is_the_same_and_scores_agree(default_study, trained, tmp_path, how):
    changes, arguments = OTHERWISE[how]
    study = trained.copy(tmp_path / "study")
    study.configure(**changes)
    wanted = f"results/tiny/seed-42/timing/{LEVEL}.jsonl"
    study.snakemake(wanted, *arguments)
    chains, ids, scores = outputs(default_study)
    other_chains, other_ids, other_scores = outputs(study)
    assert other_chains == chains
    assert other_ids == ids
    assert other_scores.keys() == scores.keys()
    deviation = max(abs(other_scores[probe] - scores[probe]) for probe in scores)
    assert deviation <= NEAR
    record(TABLE, how, f"ids identical, scores within {deviation:.4f}")

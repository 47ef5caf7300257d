"""The same study gives the same results, and nearly so where sums are rounded differently.

A second run of a study of every kind of rule is that of `test_as_a_module.py`.
"""

from statistics import fmean

import pytest
from safetensors.torch import load_file
from support.configs import level_1_study
from support.outcomes import record
from support.studies import study_of

from think_to_talk.files.jsonl import read_jsonl

TABLE = "the same answer everywhere"
LEVEL = "level-1"
TIMING = f"results/tiny/seed-1/timing/{LEVEL}.jsonl"
STUDY = level_1_study([1], 200)
#: How scores may differ. A fit stops at a tolerance, so that rows on the border of two digits may
#: fall to the other side: a few of the 200 test rows for one probe, next to none over all probes.
NEAR, NEAR_ON_AVERAGE = 0.0201, 0.001
#: Another way to do the same work, as changes of the config and arguments of the command.
OTHERWISE = {
    "two threads": ({}, ["--set-threads", "hidden_states=2", "probes=2"]),
    "shards of 33 rows": ({"hidden_states__shard_rows": 33}, []),
    "batches of 7 rows": ({"models__tiny__batch_size": 7}, []),
}


@pytest.fixture(scope="module")
def timed(tmp_path_factory):
    """A study of a trained model, up to its timing."""
    study = study_of(tmp_path_factory.mktemp("timed") / "study", STUDY)
    study.snakemake(TIMING)
    return study


def outputs(study):
    """What the model wrote, as text and as ids, and {(layer, position, variable): score}."""
    results = study.folder / "results/tiny/seed-1"
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


@pytest.mark.thorough
@pytest.mark.parametrize("how", OTHERWISE)
def test_what_is_written_is_the_same_and_scores_agree(timed, tmp_path, how):
    changes, arguments = OTHERWISE[how]
    study = timed.copy(tmp_path / "study", "hidden_states", "generations", "probes", "timing")
    study.configure(**changes)
    study.snakemake(TIMING, *arguments)
    chains, ids, scores = outputs(timed)
    other_chains, other_ids, other_scores = outputs(study)
    assert other_chains == chains
    assert other_ids == ids
    assert other_scores.keys() == scores.keys()
    deviations = [abs(other_scores[probe] - scores[probe]) for probe in scores]
    assert max(deviations) <= NEAR
    assert fmean(deviations) <= NEAR_ON_AVERAGE
    same = f"ids identical, {deviations.count(0)} of {len(deviations)} scores too"
    record(TABLE, how, f"{same}, the others within {max(deviations):.4f}")

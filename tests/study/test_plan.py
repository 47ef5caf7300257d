"""What is studied, known from the configuration alone."""

import copy

import pytest

from think_to_talk.study.plan import StudyPlan


@pytest.fixture
def config(default_config):
    return copy.deepcopy(default_config)


def test_rows_are_cut_into_shards(config):
    config["splits"]["test"] = 120
    config["hidden_states"]["shard_rows"] = 50
    study = StudyPlan(config)
    assert study.shards("level-1", "test") == ["00000", "00001", "00002"]
    rows = [
        study.n_shard_rows("level-1", "test", shard) for shard in study.shards("level-1", "test")
    ]
    assert rows == [50, 50, 20]
    assert sum(rows for task, rows in study.shard_jobs("tiny") if task == "level-1") == 120 + 4000

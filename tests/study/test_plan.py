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
    assert sum(rows for task, rows in study.shard_jobs("tiny") if task == "level-1") == 120 + 2000


@pytest.mark.parametrize(
    ("switched", "tasks"), [("patching", ["level-4"]), ("free_writing", []), (None, [])]
)
def test_after_a_distractor_s_edit_there_is_no_other_chain_to_write(config, switched, tasks):
    off = {"patching": False, "free_writing": False}
    config["interventions"] |= off | ({switched: True} if switched else {})
    config["models"]["tiny"]["tasks"] = ["level-4"]
    config["tasks"]["level-4"]["edits"] = {"distractor": ["v0.1"]}
    study = StudyPlan(config)
    assert study.patched_tasks("tiny") + study.freely_writing_tasks("tiny") == tasks
    assert study.replaces_states("tiny") == bool(tasks)


@pytest.mark.parametrize("switched", ["patching", "free_writing", "steering", None])
def test_whatever_replaces_hidden_states_asks_whether_that_is_sound(config, switched):
    config["interventions"] |= {"patching": False, "free_writing": False}
    if switched == "steering":
        config["steering"]["enabled"] = True
    elif switched:
        config["interventions"][switched] = True
    assert StudyPlan(config).replaces_states("tiny") == (switched is not None)

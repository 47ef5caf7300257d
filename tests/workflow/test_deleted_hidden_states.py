"""Hidden states that are deleted when their probes are done, and what that must not rerun."""

import pytest

TIMING = "results/local/seed-1/timing/existing.jsonl"
LENS = "results/local/seed-1/logit_lens/existing.jsonl"
STATES = "results/local/seed-1/hidden_states/existing"


@pytest.fixture(scope="module")
def made_without(finished_mini, tmp_path_factory):
    """A study that has made one task again without keeping its hidden states."""
    study = finished_mini.copy(tmp_path_factory.mktemp("made_without") / "study")
    study.configure(keep_hidden_states=False, models__local__layers=[0])
    study.snakemake(TIMING, LENS)
    return study


@pytest.fixture
def deleted(made_without, tmp_path):
    """A copy of it without the rows of the logit lens, to be changed."""
    study = made_without.copy(tmp_path / "study")
    (study.folder / LENS).unlink()
    return study


def test_whether_they_are_kept_reruns_nothing(mini):
    mini.configure(keep_hidden_states=False)
    assert mini.planned() == set()


def test_deleted_hidden_states_are_missed_by_nothing_but_their_probes(deleted):
    folder = deleted.folder / STATES
    assert list(folder.rglob("*.safetensors")) == []
    # What the model wrote is kept, and so are the hidden states of tasks that did not run.
    assert len(list(folder.rglob("*.jsonl"))) == 3
    assert list((deleted.folder / "results/tiny").rglob("hidden_states/**/*.safetensors"))
    assert deleted.planned(TIMING) == set()

    # A result that does not need them is made again without them.
    deleted.configure(timing__threshold=0.8)
    assert deleted.planned(TIMING) == {("timing", TIMING)}
    deleted.configure(timing__threshold=0.9)
    deleted.configure(keep_hidden_states=True)
    assert deleted.planned(TIMING) == set()

    # New probes need them: they come back, of this task alone, and nothing before them.
    deleted.configure(probes__penalty=0.01)
    planned = deleted.planned(TIMING)
    assert {rule for rule, _ in planned} == {"hidden_states", "probes", "timing", "generations"}
    assert len([rule for rule, _ in planned if rule == "hidden_states"]) == 3


def test_they_stay_until_probes_and_the_logit_lens_have_read_them(made_without):
    assert list((made_without.folder / STATES).rglob("*.safetensors")) == []
    assert made_without.planned(TIMING, LENS) == set()


def test_the_logit_lens_alone_needs_those_of_the_test_rows_alone(deleted):
    planned = deleted.planned(LENS)
    assert {rule for rule, _ in planned} == {"hidden_states", "logit_lens"}
    assert all("/test/" in output for rule, output in planned if rule == "hidden_states")


def test_what_the_logit_lens_alone_made_again_reruns_no_probes(deleted):
    deleted.snakemake(LENS)
    assert list((deleted.folder / STATES).rglob("*.safetensors")) == []
    assert deleted.planned(LENS, TIMING) == set()


def test_a_shard_that_was_deleted_by_hand_is_not_missed_either(mini):
    for path in (mini.folder / STATES).rglob("*.safetensors"):
        path.unlink()
    assert mini.planned() == set()

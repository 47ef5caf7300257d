"""Disk that a study takes: each part by its own measure, and what stays when states are deleted."""

import copy

import pytest
from gguf import GGUFReader
from support.configs import HUB_MODEL
from support.gguf_files import small_gguf

from think_to_talk.study.configuration import complete
from think_to_talk.study.cost import cost_page
from think_to_talk.study.disk import Disk, size
from think_to_talk.study.needs import Needs
from think_to_talk.study.plan import STUDIED_SPLITS, StudyPlan

HUB = {**HUB_MODEL, "tasks": ["level-1", "level-3"]}


def planned(raw_config, schema, **changes):
    raw = copy.deepcopy(raw_config) | changes
    study = StudyPlan(complete(raw, schema))
    return study, Needs(study)


def test_hidden_states_and_weights_are_those_of_all_seeds_and_tasks(raw_config, schema):
    study, needs = planned(raw_config, schema, seeds=[1, 2])
    disk = Disk.of_model(study, needs, "tiny")
    by_task = [
        sum(
            needs.hidden_state_bytes("tiny", task, study.n_rows(task, split))
            for split in STUDIED_SPLITS
        )
        for task in study.tasks
    ]
    assert disk.hidden == 2 * sum(by_task)
    assert disk.largest == max(by_task)
    assert disk.weights == 2 * sum(needs.probe_weight_bytes("tiny", task) for task in study.tasks)


def test_rows_are_those_of_the_default_study_within_a_third(raw_config, schema):
    """Measured: 38 MB of probe rows and 29 MB of the logit lens's, on 1,000 test rows a level."""
    with_lens = Disk.of_model(*planned(raw_config, schema), "tiny").rows
    without = Disk.of_model(*planned(raw_config, schema, logit_lens=False), "tiny").rows
    assert with_lens == 2 * without
    assert with_lens == pytest.approx(67e6, rel=1 / 3)


def test_rows_of_digits_are_counted_beside_those_of_values(raw_config, schema):
    """Of values up to 99, tens and ones are two further targets of each variable."""
    level = raw_config["tasks"]["level-1"]
    changes = {"tasks": {"wide": {**level, "values": [0, 99]}}, "logit_lens": False}
    changes["interventions"] = {"patching": False, "inconsistent_chains": False}
    tiny = {**raw_config["models"]["tiny"], "tasks": ["wide"]}
    tiny["training"] = {**tiny["training"], "tasks": ["wide"]}
    changes["models"] = {"tiny": tiny}
    rows = {
        targets: Disk.of_model(
            *planned(raw_config, schema, **changes, probes={"targets": targets}), "tiny"
        ).rows
        for targets in ("value", "digits")
    }
    assert rows["digits"] == 3 * rows["value"]


def test_a_model_is_stored_once_if_downloaded_and_per_seed_if_trained(raw_config, schema):
    models = {"tiny": raw_config["models"]["tiny"], "far": HUB}
    changes = {"models": models, "seeds": [1, 2, 3], "controls": {"untrained": True}}
    study, needs = planned(raw_config, schema, **changes)
    assert Disk.of_model(study, needs, "tiny").checkpoint == 3 * 4 * needs.sizes("tiny").parameters
    bytes_each = {"float32": 4, "bfloat16": 2}[needs.sizes("far").dtype]
    far = Disk.of_model(study, needs, "far")
    assert far.checkpoint == bytes_each * needs.sizes("far").parameters
    assert Disk.of_model(study, needs, "far.untrained").checkpoint == 0
    assert Disk.of_study(study, needs).checkpoint == (
        Disk.of_model(study, needs, "tiny").checkpoint + far.checkpoint
    )


@pytest.mark.parametrize(("dtype", "bytes_each"), [("float32", 4), ("bfloat16", 2)])
def test_a_gguf_file_is_unpacked_once_for_all_seeds(
    raw_config, schema, tmp_path, dtype, bytes_each
):
    small_gguf(tmp_path / "small.gguf")
    entry = {"kind": "local", "path": str(tmp_path), "device": "cpu", "dtype": dtype}
    changes = {"models": {"small": {**entry, "tasks": ["level-1"]}}, "seeds": [1, 2, 3]}
    study, needs = planned(raw_config, schema, **changes, controls={"untrained": True})
    in_file = GGUFReader(tmp_path / "small.gguf").tensors
    weights = bytes_each * sum(int(tensor.n_elements) for tensor in in_file)
    assert Disk.of_model(study, needs, "small").checkpoint == weights
    assert Disk.of_study(study, needs).checkpoint == weights


def test_the_sentence_says_what_stays_and_what_is_needed_at_once():
    gigabyte = 2**30
    disk = Disk(100 * gigabyte, 20 * gigabyte, 3 * gigabyte, gigabyte, 6 * gigabyte)
    parts = "probe weights 3.0 GB, rows 1.0 GB, models 6.0 GB"
    assert disk.sentence(True) == f"about 110.0 GB in all: hidden states 100.0 GB, {parts}"
    assert disk.sentence(False) == (
        f"about 10.0 GB in the end ({parts}); while it runs, with hidden states, at least 30.0 GB "
        "and at most 110.0 GB"
    )


@pytest.mark.parametrize("kept", [True, False])
def test_the_page_of_costs_says_it(raw_config, schema, kept):
    study, needs = planned(raw_config, schema, keep_hidden_states=kept)
    sentence = Disk.of_study(study, needs).sentence(kept)
    assert f"The study takes {sentence}. " in cost_page(study, needs)


@pytest.mark.parametrize(
    ("n_bytes", "said"), [(3 * 2**20, "3 MB"), (3 * 2**29, "1.5 GB"), (2**40, "1.0 TB")]
)
def test_a_size_is_said_in_a_unit_that_suits_it(n_bytes, said):
    assert size(n_bytes) == said

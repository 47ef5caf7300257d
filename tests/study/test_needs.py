"""What jobs need, known from the configuration and the files that it names."""

import copy
import json

import pytest

from think_to_talk.errors import InputError
from think_to_talk.study.memory import Prompt
from think_to_talk.study.needs import Needs
from think_to_talk.study.plan import StudyPlan

ROW = {
    "source": "z = 4 - o , o = 4 ; z =?",
    "target": " z = 4 - o , o = 4 , z = 4 - o , z = 4 - 4 , z = 0\n",
    "scratchpad": "z = 4 - o , o = 4 , z = 4 - o , z = 4 - 4 , z = 0",
    "intermediate_questions": ["o =", "z ="],
    "few_shot_context": "a = 1 ; a =? a = 1\n",
}


@pytest.fixture
def config(default_config):
    return copy.deepcopy(default_config)


def existing(config, tmp_path, line, shots="all"):
    """What a study of an existing dataset needs, whose first row is `line`."""
    path = tmp_path / "data.jsonl"
    path.write_bytes(line if isinstance(line, bytes) else json.dumps(line).encode() + b"\n")
    files = {"test": str(path), "probing_train": str(path)}
    config["tasks"] = {
        "there": {
            **{"files": files, "shots": 3, "edits": {}, "ask": "last", "chain": "full"},
            **{"values": [0, 9], "names": "letters"},
        }
    }
    config["models"]["tiny"]["shots"] = shots
    return Needs(StudyPlan(config))


def test_the_length_of_prompts_comes_from_the_templates(config):
    config["models"]["tiny"]["shots"] = 3
    prompt = Needs(StudyPlan(config)).prompt("tiny", "level-5")
    assert (prompt.problem, prompt.chain) == (25, 67)
    config["models"]["tiny"]["shots"] = 1
    shorter = Needs(StudyPlan(config)).prompt("tiny", "level-5")
    assert 2.5 < prompt.prefix / shorter.prefix < 3.5
    config["models"]["tiny"]["shots"] = 0
    assert Needs(StudyPlan(config)).prompt("tiny", "level-5").prefix == 0


def test_the_prompts_of_a_chat_are_longer_by_a_template(config):
    config["models"]["tiny"]["shots"] = 3
    raw = Needs(StudyPlan(config)).prompt("tiny", "level-5")
    config["models"]["tiny"]["prompt"] = "chat"
    plain = Needs(StudyPlan(config)).prompt("tiny", "level-5")
    # A head, and around the two turns of each example; between the problem and its chain.
    assert (plain.prefix, plain.problem, plain.chain) == (
        *(raw.prefix + 64 + 3 * 12, raw.problem + 6, raw.chain),
    )
    config["models"]["tiny"]["system_prompt"] = 90 * "a"
    assert Needs(StudyPlan(config)).prompt("tiny", "level-5").prefix == plain.prefix + 23


def test_the_length_of_an_existing_dataset_s_prompts_comes_from_its_first_row(config, tmp_path):
    needs = existing(config, tmp_path, ROW)
    assert needs.prompt("tiny", "there") == Prompt(13, 15, 32)
    assert needs.study.n_variables("there") == 2


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (b"\n", "line 1: not JSON in UTF-8"),
        (b"\xff\n", "line 1: not JSON in UTF-8"),
        ([1], "line 1: list found, expected a JSON object"),
        ({**ROW, "source": 5}, "line 1, key 'source': expected a str"),
        ({"source": "x", "target": "y"}, "line 1, key 'intermediate_questions': expected a list"),
    ],
)
def test_a_dataset_that_cannot_be_measured_is_named(config, tmp_path, line, message):
    with pytest.raises(InputError) as error:
        existing(config, tmp_path, line).prompt("tiny", "there")
    assert f"{tmp_path / 'data.jsonl'}, {message}" in str(error.value)


def test_more_shots_than_a_dataset_has_are_refused_with_model_and_task(config, tmp_path):
    needs = existing(config, tmp_path, ROW, shots=2)
    with pytest.raises(InputError, match=r"models\.tiny\.shots: 2 examples .* \(tasks\.there\)"):
        needs.check()


def test_layers_that_a_model_lacks_are_refused_while_planning(config):
    entry = config["models"]["tiny"]
    sizes = {"num_hidden_layers": 4, "hidden_size": 8, "num_attention_heads": 1, "vocab_size": 9}
    entry |= {"kind": "hub", "repository": "a/b", "revision": "0" * 40, "layers": [0, 9]}
    entry["architecture"] = sizes
    del entry["training"]
    with pytest.raises(InputError, match=r"models\.tiny\.layers: \[9\] do not exist"):
        Needs(StudyPlan(config)).check()


def test_a_model_on_the_cpu_runs_in_fp32_and_on_a_gpu_in_its_own_type(config):
    sizes = {"num_hidden_layers": 4, "hidden_size": 8, "num_attention_heads": 1, "vocab_size": 9}
    entry = config["models"]["tiny"]
    entry |= {"kind": "hub", "repository": "a/b", "revision": "0" * 40}
    entry["architecture"] = {**sizes, "dtype": "bfloat16"}
    del entry["training"]
    assert Needs(StudyPlan(config)).dtype("tiny") == "float32"
    entry["device"] = "gpu"
    needs = Needs(StudyPlan(config))
    assert needs.dtype("tiny") == "bfloat16"
    rows, prompt = 10, needs.prompt("tiny", "level-1")
    assert needs.hidden_state_bytes("tiny", "level-1", rows) == rows * prompt.positions * 5 * 8 * 2


@pytest.mark.parametrize(
    ("model_dtype", "dtype", "stored", "n_bytes"),
    [
        ("float32", "model", "float32", 4),
        ("float16", "model", "float16", 2),
        ("float32", "bfloat16", "bfloat16", 2),
    ],
)
def test_hidden_states_take_what_their_number_format_does(
    config, model_dtype, dtype, stored, n_bytes
):
    config["models"]["tiny"]["dtype"] = model_dtype
    config["hidden_states"]["dtype"] = dtype
    needs = Needs(StudyPlan(config))
    assert needs.stored_dtype("tiny") == stored
    values = 10 * needs.prompt("tiny", "level-1").positions * len(needs.layers("tiny"))
    values *= needs.sizes("tiny").hidden_size
    assert needs.hidden_state_bytes("tiny", "level-1", 10) == values * n_bytes

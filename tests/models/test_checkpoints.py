"""A checkpoint is data: no pickle is read, and no code of it run unless its model trusts it."""

import json
import os
import pickle
import shutil

import pytest
import torch
from support.checkpoints import own_code_llama, random_gpt2
from support.facts import facts_of

from think_to_talk.errors import InputError
from think_to_talk.files.shards import Shards
from think_to_talk.formulas.datasets import generate_splits
from think_to_talk.hidden_states.shards import write_hidden_states
from think_to_talk.models.checkpoints import checkpoint_files
from think_to_talk.models.loading import Checkpoint
from think_to_talk.study.configuration import complete
from think_to_talk.study.needs import plan_study
from think_to_talk.tokens.shards import TokenShard
from think_to_talk.tokens.write_shards import write_token_shards

IDENTITY = {"model": "m", "seed": "1", "task": "level-1", "split": "test"}


def load_model(path):
    return Checkpoint(path).model()


def load_tokenizer(path):
    return Checkpoint(path).tokenizer()


def untrained_model(path):
    return Checkpoint(path, untrained_seed=1).model()


class _Payload:
    """What a pickle does when it is read: make the file that the variable RUN names."""

    def __reduce__(self):
        return open, (os.environ["RUN"], "w")


pytestmark = pytest.mark.filterwarnings("ignore:.*Python code that comes with:UserWarning")


@pytest.fixture(autouse=True)
def run_mark(tmp_path, monkeypatch):
    """A file that is there once any code of a checkpoint has been run."""
    monkeypatch.setenv("RUN", str(tmp_path / "run"))
    # Where the library keeps copies of the code.
    for module in ("transformers.dynamic_module_utils", "transformers.utils.hub"):
        monkeypatch.setattr(f"{module}.HF_MODULES_CACHE", str(tmp_path / "modules"), raising=False)
    monkeypatch.syspath_prepend(tmp_path / "modules")
    return tmp_path / "run"


@pytest.fixture
def folder(tmp_path):
    """A checkpoint that the installed library knows, its weights in safetensors."""
    random_gpt2(tmp_path / "gpt2")
    return tmp_path / "gpt2"


@pytest.fixture
def own(tmp_path):
    """A checkpoint whose architecture is code of its own."""
    own_code_llama(tmp_path / "own")
    return tmp_path / "own"


def add_pickle(folder, name="pytorch_model.bin"):
    (folder / name).write_bytes(pickle.dumps(_Payload()))


def test_the_payload_of_these_tests_works(folder, run_mark):
    add_pickle(folder)
    pickle.loads((folder / "pytorch_model.bin").read_bytes()).close()
    assert run_mark.exists()


@pytest.mark.parametrize("load", [checkpoint_files, load_model, load_tokenizer])
def test_a_checkpoint_with_pickled_weights_only_is_refused(folder, run_mark, load):
    (folder / "model.safetensors").unlink()
    add_pickle(folder)
    # Some other file in safetensors makes it no better.
    (folder / "other.safetensors").write_bytes(b"")
    with pytest.raises(InputError, match=r"no model.safetensors beside config.json; weights are"):
        load(folder)
    assert not run_mark.exists()


def test_pickles_beside_safetensors_are_never_read(folder, run_mark):
    expected = Checkpoint(folder).model().transformer.wte.weight
    for name in ("pytorch_model.bin", "training_args.bin", "optimizer.pt", "tokenizer.pkl"):
        add_pickle(folder, name)
    assert torch.equal(Checkpoint(folder).model().transformer.wte.weight, expected)
    Checkpoint(folder).tokenizer()
    Checkpoint(folder, untrained_seed=1).model()
    assert not run_mark.exists()


@pytest.mark.parametrize(
    ("index", "message"),
    [
        ({"weight_map": {"a": "pytorch_model.bin"}}, "lists 'pytorch_model.bin', expected files"),
        ({"weight_map": {"a": "../x.safetensors"}}, "lists '../x.safetensors', expected files"),
        ({"weight_map": {"a": "gone.safetensors"}}, "no gone.safetensors beside config.json"),
        ({"weight_map": {"a": 1}}, "lists 1, expected files"),
        ({"weight_map": []}, "not readable"),
        ([], "not readable"),
    ],
)
def test_an_index_may_name_files_in_safetensors_only(folder, run_mark, index, message):
    (folder / "model.safetensors").unlink()
    add_pickle(folder)
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    for load in (checkpoint_files, load_model):
        with pytest.raises(InputError, match=message):
            load(folder)
    assert not run_mark.exists()


def test_a_tokenizer_s_files_run_nothing(folder, own, run_mark):
    """Code that it names is left alone where the library knows the model, and templates too."""
    shutil.copy(own / "own.py", folder / "own.py")
    path = folder / "tokenizer_config.json"
    config = json.loads(path.read_text())
    config["auto_map"] = {"AutoTokenizer": ["own.OwnConfig", "own.OwnConfig"]}
    config["chat_template"] = "{{ ''.__class__.__mro__[1].__subclasses__() }}"
    path.write_text(json.dumps(config))
    assert Checkpoint(folder).tokenizer()("a = 1").input_ids
    assert not run_mark.exists()


@pytest.mark.parametrize("load", [load_model, load_tokenizer, untrained_model])
def test_code_of_a_checkpoint_is_not_run_unless_trusted(own, run_mark, load):
    with pytest.raises(InputError, match=r"^trust_remote_code: .*config.json asks for Python code"):
        load(own)
    assert not run_mark.exists()


def test_trusted_code_is_run_through_hidden_states_with_a_warning(own, run_mark, tasks, tmp_path):
    with pytest.warns(UserWarning, match="Python code that comes with the checkpoint may be run"):
        model = Checkpoint(own, trust_remote_code=True).model()
    assert type(model).__name__ == "OwnModel"
    assert run_mark.exists()
    tokenizer = Checkpoint(own, trust_remote_code=True).tokenizer()
    sizes = {"train": 3, "valid": 1, "test": 5, "probing_train": 1}
    rows = generate_splits(tasks["level-1"], sizes, 1)["test"]
    tokens = tmp_path / "tokens.safetensors"
    write_token_shards(
        tokenizer, {"test": rows}, {"test": [tokens]}, shots=0, shard_rows=9, identity=IDENTITY
    )
    write_hidden_states(
        model,
        facts_of(model),
        tokenizer,
        TokenShard.open(tokens, IDENTITY),
        rows,
        layers=[0, 2],
        max_new_tokens=20,
        batch_size=4,
        cot="generated",
        identity=IDENTITY,
        hidden_path=tmp_path / "h.safetensors",
        generations_path=tmp_path / "g.jsonl",
    )
    assert Shards.open([tmp_path / "h.safetensors"], IDENTITY).read("layer.2").isfinite().all()
    drawn = Checkpoint(own, untrained_seed=1, trust_remote_code=True).model()
    assert type(drawn).__name__ == "OwnModel"


def test_a_study_with_an_untrusted_checkpoint_is_refused_by_its_key(
    raw_config, schema, own, run_mark
):
    entry = {"kind": "local", "path": str(own), "device": "cpu"}
    config = {**raw_config, "models": {"mine": entry}}
    message = r"^config: models.mine.trust_remote_code: .* read the code first$"
    with pytest.raises(InputError, match=message):
        plan_study(config, schema)
    assert not run_mark.exists()
    # Planning builds a model whose code is trusted, as its sizes are known in no other way.
    trusting = {**config, "models": {"mine": {**entry, "trust_remote_code": True}}}
    study, _ = plan_study(trusting, schema)
    assert study.trusted_models() == ["mine"]
    assert run_mark.exists()


def test_code_of_another_repository_is_refused_though_trusted(own, run_mark):
    path = own / "config.json"
    path.write_text(path.read_text().replace('"own.OwnModel"', '"other/name--own.OwnModel"'))
    with pytest.raises(InputError, match="asks for code of another repository"):
        Checkpoint(own, trust_remote_code=True).model()
    assert not run_mark.exists()


def test_a_trained_model_has_no_code_to_trust(raw_config, schema):
    models = {"tiny": {**raw_config["models"]["tiny"], "trust_remote_code": False}}
    with pytest.raises(InputError, match=r"models.tiny.trust_remote_code: does not go with kind"):
        complete({**raw_config, "models": models}, schema)


def test_a_folder_of_two_kinds_of_checkpoint_says_what_to_do(tmp_path):
    """A GGUF file and a config.json, without the safetensors that the latter belongs to."""
    for name in ("config.json", "small.gguf"):
        (tmp_path / name).write_text("{}")
    with pytest.raises(InputError) as error:
        checkpoint_files(tmp_path)
    assert "found config.json and small.gguf, but no model.safetensors" in str(error.value)
    assert f"name the GGUF file itself ({tmp_path / 'small.gguf'})" in str(error.value)
    assert checkpoint_files(tmp_path / "small.gguf") == [tmp_path / "small.gguf"]

"""Any architecture: tokens → hidden states → probes, with no code that knows which model it is."""

import pytest
import torch
from accelerate import dispatch_model
from support.architectures import FAMILIES
from support.checkpoints import byte_level
from support.facts import decoder_blocks, facts_of
from transformers import AutoModelForCausalLM, PreTrainedTokenizerFast

from think_to_talk.files.jsonl import read_jsonl, write_jsonl
from think_to_talk.files.shards import Shards
from think_to_talk.formulas.datasets import generate_splits
from think_to_talk.hidden_states.shards import write_hidden_states
from think_to_talk.models.loading import Checkpoint
from think_to_talk.probes.fitting import fit_task
from think_to_talk.probes.settings import ProbeSettings
from think_to_talk.tokens.shards import TokenShard
from think_to_talk.tokens.write_shards import write_token_shards

SIZES = {"train": 5, "valid": 1, "test": 12, "probing_train": 80}
IDENTITY = {"model": "m", "seed": "0", "task": "level-1"}
SETTINGS = ProbeSettings(
    "lbfgs", "all", 10, 0, {"penalty": 1e-3, "tolerance": 1e-3, "max_iterations": 100}
)


@pytest.fixture(scope="module")
def splits(tasks):
    drawn = generate_splits(tasks["level-1"], SIZES, 3)
    return {split: drawn[split] for split in ("test", "probing_train")}


@pytest.fixture(scope="module")
def tokenizer(tasks):
    """A byte-level one like GPT-2's, trained on problems with every letter."""
    rows = generate_splits(tasks["level-1"], {**SIZES, "test": 500}, 4)["test"]
    return byte_level([row["source"] + row["target"] for row in rows])


def saved(config, tokenizer, folder):
    """A randomly initialised checkpoint."""
    torch.manual_seed(0)
    config.bos_token_id = config.eos_token_id = config.pad_token_id = None
    AutoModelForCausalLM.from_config(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def study(model, folder, splits):
    """Tokens, hidden states and probes of one level in `folder`; the probe rows."""
    # The class that the library takes for a Qwen2 model would split this file's words otherwise.
    tokenizer = PreTrainedTokenizerFast.from_pretrained(folder)
    paths = {split: [folder / f"{split}.tokens.safetensors"] for split in splits}
    write_token_shards(tokenizer, splits, paths, shots=2, shard_rows=100, identity=IDENTITY)
    for split, rows in splits.items():
        identity = {**IDENTITY, "split": split}
        write_jsonl(folder / f"{split}.jsonl", rows)
        write_hidden_states(
            model,
            facts_of(model),
            tokenizer,
            TokenShard.open(paths[split][0], identity),
            rows,
            layers=[0, 1, 3],
            max_new_tokens=40,
            batch_size=16,
            cot="generated",
            identity=identity,
            hidden_path=folder / f"{split}.safetensors",
            generations_path=folder / f"{split}.generations.jsonl",
        )
    fit_task(
        [folder / "probing_train.safetensors"],
        [folder / "test.safetensors"],
        folder / "probing_train.jsonl",
        folder / "test.jsonl",
        SETTINGS,
        IDENTITY,
        rows_path=folder / "probes.jsonl",
        weights_path=folder / "probes.safetensors",
    )
    return read_jsonl(folder / "probes.jsonl")


def thorough_unless(chosen, *values):
    return pytest.param(*values, marks=[] if values[0] in chosen else pytest.mark.thorough)


@pytest.mark.parametrize(
    ("config", "dtype"),
    [
        *((config, "float32") for config in FAMILIES),
        *(thorough_unless(FAMILIES[::3], config, "bfloat16") for config in FAMILIES),
    ],
    ids=lambda value: getattr(value, "model_type", value),
)
def test_a_family_goes_through_all_stages(config, dtype, tokenizer, splits, tmp_path):
    folder = saved(config, tokenizer, tmp_path)
    rows = study(Checkpoint(folder, dtype).model(), folder, splits)
    stored = Shards.open([folder / "test.safetensors"], IDENTITY).read("layer.3")
    assert stored.dtype == getattr(torch, dtype)
    assert stored.isfinite().all()
    assert {row["layer"] for row in rows} == {0, 1, 3}
    # At the first layer, the tokens of a number say which it is.
    assert max(row["score"] for row in rows if row["layer"] == 0) > 0.9


@pytest.mark.parametrize(
    "config",
    [thorough_unless([FAMILIES[0], FAMILIES[3]], FAMILIES[place]) for place in (0, 1, 3)],
    ids=lambda config: config.model_type,
)
def test_a_model_spread_over_devices_gives_what_it_gives_on_one(
    config, tokenizer, splits, tmp_path
):
    """One of its blocks lives elsewhere: on disk, the only other place that a CPU machine has.

    As on several GPUs, accelerate's hooks move activations and caches between the places.
    """
    folder = saved(config, tokenizer, tmp_path)
    model = Checkpoint(folder).model()
    plain = study(model, folder, splits)
    elsewhere = set(decoder_blocks(model)[2].modules())
    with_weights = {n: m for n, m in model.named_modules() if [*m.parameters(recurse=False)]}
    device_map = {n: "disk" if m in elsewhere else "cpu" for n, m in with_weights.items()}
    spread = dispatch_model(model, device_map, main_device="cpu", offload_dir=tmp_path / "disk")
    assert any(parameter.device.type == "meta" for parameter in spread.parameters())
    assert study(spread, folder, splits) == plain

"""A results folder of one task, written by the stages themselves."""

import shutil

import pytest
from support.facts import facts_of
from support.probes import LBFGS

from think_to_talk.files.jsonl import write_jsonl
from think_to_talk.formulas.datasets import generate_splits
from think_to_talk.hidden_states.shards import write_hidden_states
from think_to_talk.models.loading import Checkpoint
from think_to_talk.probes.fitting import fit_task
from think_to_talk.probes.settings import ProbeSettings
from think_to_talk.tokens.shards import TokenShard
from think_to_talk.tokens.write_shards import write_token_shards

SIZES = {"train": 10, "valid": 10, "test": 50, "probing_train": 120}
LAYERS = [0, 2]
PROBES = {"solver": "lbfgs", "train_on": "all", "min_train_rows": 20, "folds": 2, **LBFGS}


@pytest.fixture(scope="session")
def results(tmp_path_factory, trained_on_level_1, tasks):
    """Formulas, tokens, hidden states, generations and probes of model `m`, seed 42, level 1.

    Split test has two shards. The model reads one example, which it was not trained to.
    """
    folder = tmp_path_factory.mktemp("study") / "results"
    checkpoint = folder / "models/m/seed-42"
    shutil.copytree(trained_on_level_1(80), checkpoint)
    model, tokenizer = Checkpoint(checkpoint).model(), Checkpoint(checkpoint).tokenizer()
    identity = {"model": "m", "seed": "42", "task": "level-1"}
    rows = generate_splits(tasks["level-1"], SIZES, 42)
    for split, of_split in rows.items():
        write_jsonl(folder / f"formulas/seed-42/level-1/{split}.jsonl", of_split)
    of_seed = folder / "m/seed-42"
    names = {"test": ["00000", "00001"], "probing_train": ["00000", "00001", "00002"]}
    tokens = {
        split: [of_seed / f"tokens/level-1/{split}/{name}.safetensors" for name in names[split]]
        for split in names
    }
    studied = {split: rows[split] for split in names}
    write_token_shards(tokenizer, studied, tokens, shots=1, shard_rows=40, identity=identity)
    hidden = {}
    for split, paths in tokens.items():
        hidden[split] = [
            of_seed / f"hidden_states/level-1/{split}/{name}.safetensors" for name in names[split]
        ]
        for token_path, path in zip(paths, hidden[split], strict=True):
            of_split = {**identity, "split": split}
            write_hidden_states(
                model,
                facts_of(model),
                tokenizer,
                TokenShard.open(token_path, of_split),
                rows[split],
                layers=LAYERS,
                max_new_tokens=60,
                batch_size=40,
                cot="generated",
                identity=of_split,
                hidden_path=path,
                generations_path=path.with_suffix(".jsonl"),
            )
    fit_task(
        hidden["probing_train"],
        hidden["test"],
        folder / "formulas/seed-42/level-1/probing_train.jsonl",
        folder / "formulas/seed-42/level-1/test.jsonl",
        ProbeSettings.from_config(PROBES),
        identity,
        rows_path=of_seed / "probes/level-1.jsonl",
        weights_path=of_seed / "probes/level-1.safetensors",
    )
    return folder

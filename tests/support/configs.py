"""Parts of the configurations of small studies."""

#: Controls that are not on by default, and another list of thresholds than the default one.
ALL_CONTROLS = {
    **dict.fromkeys(["labels", "untrained", "wrong_rows", "seeds"], True),
    "thresholds": [0.5, 0.9],
}


def tiny(**training):
    """The entry of a model of two layers that is trained on level 1, for the config's `models`.

    training: the keys of its training by which studies differ: steps, rows, hidden_size.
    """
    fixed = {"tasks": ["level-1"], "layers": 2, "exact_match": 0}
    return {"layers": [0, 2], "training": {**fixed, **training}}


def level_1_study(seeds, n_test):
    """A study of level 1 alone, with a trained model that writes some chains correctly."""
    return {
        "seeds": seeds,
        "splits": {"train": 5, "valid": 5, "test": n_test, "probing_train": 400},
        "tasks": {f"level-{i}": None for i in range(2, 6)},
        "models": {"tiny": tiny(steps=200, rows=4000, hidden_size=64)},
        "probes": {"train_on": "all", "folds": 2},
        "logit_lens": False,
        "forced_answers": False,
    }


#: The entry of a hub model of four layers that is never downloaded, but for its tasks.
HUB_MODEL = {
    "kind": "hub",
    "repository": "owner/name",
    "revision": "0" * 40,
    "architecture": {
        "num_hidden_layers": 4,
        "hidden_size": 64,
        "num_attention_heads": 4,
        "vocab_size": 99,
    },
}

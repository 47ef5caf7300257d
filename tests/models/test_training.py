"""Training: deterministic per seed, on problems of no split, saved as a standard checkpoint."""

import pytest
import torch
from support.checkpoints import SIZES, train_small

from think_to_talk.formulas.datasets import generate_splits
from think_to_talk.models import training
from think_to_talk.models.loading import Checkpoint


@pytest.fixture(scope="module")
def tokenizer():
    return training.symbol_tokenizer()


def test_the_same_seed_trains_the_same_model_and_another_another(tasks, tmp_path):
    models = [
        train_small(tmp_path / str(i), tasks["level-1"], steps=15, seed=seed)
        for i, seed in enumerate([3, 3, 4])
    ]
    first, again, other = ([p.detach() for p in model.parameters()] for model in models)
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    assert not all(torch.equal(a, b) for a, b in zip(first, other, strict=True))


def test_the_same_seed_trains_the_same_model_whatever_cores_there_are(tasks, tmp_path):
    models = []
    for threads in (1, 3):
        torch.set_num_threads(threads)
        models.append(train_small(tmp_path / str(threads), tasks["level-1"], steps=15))
    few, many = ([p.detach() for p in model.parameters()] for model in models)
    assert all(torch.equal(a, b) for a, b in zip(few, many, strict=True))


def test_no_problem_of_any_split_is_trained_on(tasks, tokenizer):
    # The same seed draws the same problems first, unless they are held out.
    splits = generate_splits(tasks["level-1"], SIZES, 42)
    held_out = {row["source"] for rows in splits.values() for row in rows}
    examples = training.training_examples(
        tokenizer, {"level-1": tasks["level-1"]}, held_out, 3000, 42
    )["level-1"]
    held_out_ids = {
        tuple(ids)
        for rows in splits.values()
        for ids in training.encode(tokenizer, rows).ids.tolist()
    }
    assert len(examples.ids) == 3000
    assert held_out_ids.isdisjoint(map(tuple, examples.ids.tolist()))


def test_the_checkpoint_loads_like_any_other(tasks, tokenizer, tmp_path):
    trained = train_small(tmp_path, tasks["level-1"], steps=5).eval()
    loaded = Checkpoint(tmp_path).model()
    rows = generate_splits(tasks["level-1"], SIZES, 42)["test"]
    ids = training.encode(Checkpoint(tmp_path).tokenizer(), rows).ids
    assert torch.equal(ids, training.encode(tokenizer, rows).ids)
    with torch.inference_mode():
        torch.testing.assert_close(loaded(ids).logits, trained(ids).logits)


def test_a_tokenizer_has_one_token_per_symbol_and_drops_spaces(tokenizer):
    text = "z = 4 - o , o = 4 ; z =? z = 0\n"
    ids = tokenizer(text)["input_ids"]
    assert tokenizer.convert_ids_to_tokens(ids) == [c for c in text if c != " "]
    assert tokenizer.unk_token_id not in ids


def test_a_share_of_the_batches_is_of_cut_chains(tasks, tokenizer, monkeypatch):
    task = {"task": tasks["level-3"]}
    examples = training.training_examples(tokenizer, task, set(), 50, 3, cut=True)
    whole, cuts = examples["task"], examples["task"].cuts
    assert len(cuts) == 6
    for equations, cut in enumerate(cuts):
        assert torch.equal(cut.ids[:, : cut.n_problem], whole.ids[:, : whole.n_problem])
        text = tokenizer.decode(cut.ids[0, cut.n_problem :].tolist())
        assert text.count(",") == max(equations - 1, 0)
        assert text.count(";") == 1
    passed = []

    def loss(model, ids, n_problem):
        passed.append(ids.shape[1])
        return sum(parameter.sum() for parameter in model.parameters()) * 0

    monkeypatch.setattr(training, "_chain_loss", loss)
    entry = {"steps": 400, "batch_size": 1, "learning_rate": 0.0, "muon_learning_rate": 0.0}
    sizes = {"hidden_size": 8, "intermediate_size": 8, "layers": 1, "heads": 1}
    model = training.build_model(sizes, len(tokenizer), 3)
    training.train(model, examples, {**entry, "cut": 0.5}, 3)
    # Half of 400, and a sixth of the others: the last cut is as long as the whole chain.
    assert 185 < passed.count(whole.ids.shape[1]) < 285
    assert {cut.ids.shape[1] for cut in cuts} == set(passed)

"""Training: the same model for a seed, whatever the cores, saved as a standard checkpoint."""

import pytest
import torch
from support.checkpoints import SIZES, train_small
from support.templates import template

from think_to_talk.formulas.cuts import cut_row
from think_to_talk.formulas.datasets import generate_splits
from think_to_talk.models import training
from think_to_talk.models.loading import Checkpoint
from think_to_talk.models.training_examples import encode, training_examples
from think_to_talk.tokens.symbol_tokenizer import symbol_tokenizer

SMALL = {"hidden_size": 32, "intermediate_size": 32, "layers": 2, "heads": 2}


def n_given(learned):
    """The tokens of a row before the first one that is learned."""
    return int(learned.nonzero()[0])


@pytest.fixture(scope="module")
def tokenizer():
    return symbol_tokenizer()


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
    for threads in (1, 2, 3):
        torch.set_num_threads(threads)
        folder = tmp_path / str(threads)
        models.append(train_small(folder, tasks["level-3"], steps=15, cut=0.3, threads=threads))
    one, *others = ([p.detach() for p in model.parameters()] for model in models)
    for other in others:
        assert all(torch.equal(a, b) for a, b in zip(one, other, strict=True))


@pytest.mark.parametrize("batch_size", [1, 7])
def test_a_step_follows_the_gradient_of_the_mean_over_all_learned_tokens(
    tasks, tokenizer, batch_size
):
    examples = training_examples(tokenizer, {"task": tasks["level-3"]}, set(), 9, 3, cut=True)
    entry = {"steps": 1, "batch_size": batch_size, "cut": 0.3}
    entry |= {"learning_rate": 0.0, "muon_learning_rate": 0.0}
    model = training.build_model(SMALL, len(tokenizer), 3)
    drawn, gradients = [], []

    def losses(model, some, compute=training._losses):
        drawn.append(some)
        return compute(model, some)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(training, "_losses", losses)
        patch.setattr(
            torch.nn.utils,
            "clip_grad_norm_",
            lambda parameters, _: gradients.extend(p.grad.clone() for p in parameters),
        )
        loss = training.train(model, examples, entry, 3)
    assert sum(len(some.ids) for some in drawn) == batch_size + round(0.3 * batch_size)
    # By the library: its own loss of one row at a time, over labels that leave out what is given.
    total = n_tokens = 0
    for some in drawn:
        for ids, learned in zip(some.ids, some.learned, strict=True):
            labels = ids.where(learned, -100)
            total += model(ids[None], labels=labels[None]).loss * int(learned.sum())
            n_tokens += int(learned.sum())
    (total / n_tokens).backward()
    assert loss == pytest.approx((total / n_tokens).item(), rel=1e-5)
    for ours, parameter in zip(gradients, model.parameters(), strict=True):
        torch.testing.assert_close(ours, parameter.grad, rtol=1e-4, atol=1e-6)


def test_the_checkpoint_loads_like_any_other(tasks, tokenizer, tmp_path):
    trained = train_small(tmp_path, tasks["level-1"], steps=5).eval()
    loaded = Checkpoint(tmp_path).model()
    rows = generate_splits(tasks["level-1"], SIZES, 42)["test"]
    ids = encode(Checkpoint(tmp_path).tokenizer(), rows).ids
    assert torch.equal(ids, encode(tokenizer, rows).ids)
    with torch.inference_mode():
        torch.testing.assert_close(loaded(ids).logits, trained(ids).logits)


def test_a_tokenizer_has_one_token_per_symbol_and_drops_spaces(tokenizer):
    text = "z = 4 - o , o = 4 ; z =? z = 0\n"
    ids = tokenizer(text)["input_ids"]
    assert tokenizer.convert_ids_to_tokens(ids) == [c for c in text if c != " "]
    assert tokenizer.unk_token_id not in ids


def test_each_step_shows_whole_chains_and_some_that_are_cut(tasks, tokenizer, monkeypatch):
    examples = training_examples(tokenizer, {"task": tasks["level-3"]}, set(), 50, 3, cut=True)
    whole = examples["task"].whole
    cuts = [examples["task"].cut([0], place) for place in range(6)]
    shown = []

    def losses(model, some):
        shown.append([*map(n_given, some.learned)])
        return sum(parameter.sum() for parameter in model.parameters()) * torch.zeros(1)

    monkeypatch.setattr(training, "_losses", losses)
    entry = {"steps": 60, "batch_size": 10, "learning_rate": 0.0, "muon_learning_rate": 0.0}
    sizes = {"hidden_size": 8, "intermediate_size": 8, "layers": 1, "heads": 1}
    model = training.build_model(sizes, len(tokenizer), 3)
    training.train(model, examples, {**entry, "cut": 0.3}, 3)
    # In two shares, one after the other, each of whole chains and then of some that are cut.
    for share, n_cut in ((shown[::2], 2), (shown[1::2], 1)):
        assert {tuple(of_rows[:5]) for of_rows in share} == {(n_given(whole.learned[0]),) * 5}
        assert {len(of_rows) for of_rows in share} == {5 + n_cut}
        assert all(len({*of_rows[5:]}) == 1 for of_rows in share)
    assert [of_rows[5] for of_rows in shown[::2]] == [of_rows[5] for of_rows in shown[1::2]]
    assert {of_rows[5] for of_rows in shown} == {n_given(cut.learned[0]) for cut in cuts}


def test_tasks_whose_chains_cannot_be_cut_are_trained_on_whole_ones(tasks, monkeypatch):
    tokenizer = symbol_tokenizer()
    examples = training_examples(tokenizer, {"task": tasks["level-3"]}, set(), 50, 3)
    shown = []

    def losses(model, some):
        shown.append(len(some.ids))
        return sum(parameter.sum() for parameter in model.parameters()) * torch.zeros(1)

    monkeypatch.setattr(training, "_losses", losses)
    entry = {"steps": 5, "batch_size": 10, "learning_rate": 0.0, "muon_learning_rate": 0.0}
    model = training.build_model(SMALL, len(tokenizer), 3)
    training.train(model, examples, {**entry, "cut": 0.3}, 3)
    assert shown == [5, 5] * 5


def until_solved(tasks, tokenizer, target, steps=100):
    """What a small model's training on level 1 comes to, and the model and held-out problems."""
    rows = generate_splits(tasks["level-1"], SIZES, 42)["test"]
    held_out = {row["source"] for row in rows}
    examples = training_examples(tokenizer, {"task": tasks["level-1"]}, held_out, 3000, 42)
    entry = {"steps": steps, "batch_size": 48, "learning_rate": 0.006, "muon_learning_rate": 0.03}
    sizes = {"hidden_size": 32, "intermediate_size": 64, "layers": 2, "heads": 2}
    model = training.build_model(sizes, len(tokenizer), 42)
    valid = {"task": encode(tokenizer, rows)}
    entry |= {"cut": 0, "exact_match": target}
    return training.train_until_solved(model, examples, entry, 42, valid), model, valid["task"]


def test_training_goes_on_until_held_out_problems_are_solved_as_asked(tasks, tokenizer):
    first, model, valid = until_solved(tasks, tokenizer, 0)
    assert first["steps"] == 100
    assert first["exact_match"] == {"task": training.exact_match(model, valid)}
    target = first["exact_match"]["task"] + 0.05
    assert target < 0.95
    longer, model, valid = until_solved(tasks, tokenizer, target)
    assert longer["steps"] in (150, 200, 250)
    assert longer["exact_match"] == {"task": training.exact_match(model, valid)}
    assert longer["exact_match"]["task"] >= target


def test_a_model_that_never_solves_them_is_warned_of(tasks, tokenizer):
    with pytest.warns(UserWarning, match="task: exact match .* after 10 steps, expected 1; raise"):
        summary, _, _ = until_solved(tasks, tokenizer, 1, steps=4)
    assert summary["steps"] == 10


def test_rows_of_different_lengths_are_learned_from_their_own_tokens_alone():
    task = template(["v0 = num", "v1 = num ± v0"], values=[0, 99], names=["kiwi", "pear", "fig"])
    tokenizer = symbol_tokenizer(task["names"], 99)
    rows = generate_splits(task, SIZES, 42)["test"]
    examples = encode(tokenizer, rows)
    model = training.build_model(SMALL, len(tokenizer), 0).eval()
    losses = training._losses(model, examples)
    alone, right = [], []
    for row in rows:
        one = encode(tokenizer, [row])
        n_chain = len(tokenizer(row["target"])["input_ids"])
        assert one.learned.sum() == n_chain == one.ids.shape[1] - n_given(one.learned[0])
        alone.append(training._losses(model, one))
        right.append(training.exact_match(model, one))
    assert len({len(of_row) for of_row in alone}) > 2
    torch.testing.assert_close(losses, torch.cat(alone))
    assert training.exact_match(model, examples) == pytest.approx(sum(right) / len(right))
    cut = encode(tokenizer, [cut_row(row, 1) for row in rows], cut=True)
    assert [int(of_row.sum()) for of_row in cut.learned] == [
        len(tokenizer(cut_row(row, 1)["target"].rpartition(";")[2])["input_ids"]) for row in rows
    ]

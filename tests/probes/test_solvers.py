"""Solvers: the default reaches the reference's minimum and accuracy; sgd is the paper's recipe."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from think_to_talk.probes import lbfgs, positions
from think_to_talk.probes.linear import Probes
from think_to_talk.probes.solvers import fit_lbfgs, fit_sklearn, penalised_loss

CONVERGED = {"tolerance": 1e-3, "max_iterations": 2000}


def hidden_states(seed, positions=3, n=600, d=24, noise=1.0):
    """Features in which each of two digits is readable to a degree; labels [2, n]."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.randint(0, 10, (2, n), generator=generator)
    features = torch.randn(positions, n, d, generator=generator) * noise
    for position in range(positions):
        for target in range(2):
            directions = torch.randn(10, d, generator=generator)
            features[position] += position * 0.7 * directions[labels[target]]
    # Uneven scales and offsets, as residual streams have; a dead feature; a constant one.
    features = features * torch.logspace(-3, 2, d) + torch.linspace(-50, 50, d)
    features[..., 3] = 0.0
    features[..., 5] = 7.3
    return features, labels


def double(probes):
    return Probes(probes.weight.double(), probes.bias.double())


@pytest.mark.parametrize("penalty", [1e-4, 1e-3, 1e-1])
def test_lbfgs_agrees_with_scikit_learn(penalty):
    features, labels = hidden_states(0, n=1400)
    train, test = slice(0, 400), slice(400, 1400)
    mask = torch.ones(3, 400, dtype=torch.bool)
    data = features[:, train], labels[:, train], mask
    ours = fit_lbfgs(*data, penalty=penalty, **CONVERGED)
    reference = fit_sklearn(*data, penalty=penalty, tolerance=1e-7, max_iterations=10_000)
    exact = features[:, train].double(), labels[:, train], mask
    ours_loss = penalised_loss(*exact, double(ours), penalty)
    reference_loss = penalised_loss(*exact, double(reference), penalty)
    assert (ours_loss <= 1.001 * reference_loss).all()
    assert (ours_loss >= 0.9999 * reference_loss).all(), "the reference is a minimum"
    accuracies = [
        (probes.predict(features[:, test]) == labels[:, test]).float().mean(dim=2)
        for probes in (ours, reference)
    ]
    assert (accuracies[0] - accuracies[1]).abs().max() < 0.01


def test_the_certificate_holds():
    """The stated tolerance is an upper bound of the relative excess over the minimum."""
    features, labels = hidden_states(1, n=300)
    mask = torch.ones(3, 300, dtype=torch.bool)
    penalty = 1e-3
    best = fit_lbfgs(features, labels, mask, penalty=penalty, tolerance=1e-6, max_iterations=5000)
    minimum = penalised_loss(features.double(), labels, mask, double(best), penalty)
    for tolerance in (0.3, 1e-2, 1e-3):
        found = fit_lbfgs(
            features, labels, mask, penalty=penalty, tolerance=tolerance, max_iterations=5000
        )
        loss = penalised_loss(features.double(), labels, mask, double(found), penalty)
        assert ((loss - minimum) <= tolerance * loss + 1e-6).all()


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 1000), st.integers(2, 40), st.integers(20, 120))
def test_probes_fitted_together_are_the_probes_fitted_alone(seed, d, n):
    features, labels = hidden_states(seed, n=n, d=max(d, 6))
    generator = torch.Generator().manual_seed(seed)
    mask = torch.rand(3, n, generator=generator) < 0.8
    mask[:, :10] = True
    options = {"penalty": 1e-2, "tolerance": 1e-5, "max_iterations": 2000}
    together = fit_lbfgs(features, labels, mask, **options)
    for position in range(3):
        for target in range(2):
            rows = mask[position]
            alone = fit_lbfgs(
                features[position : position + 1, rows],
                labels[target : target + 1, rows],
                torch.ones(1, int(rows.sum()), dtype=torch.bool),
                **options,
            )
            torch.testing.assert_close(
                together.bias[position, target] - together.bias[position, target].mean(),
                alone.bias[0, 0] - alone.bias[0, 0].mean(),
                rtol=0.05,
                atol=0.05 * alone.bias.abs().max() + 0.05,
            )
            used = features[position, rows].double()[None]
            losses = [
                penalised_loss(
                    used,
                    labels[target : target + 1, rows],
                    torch.ones(1, len(used[0]), dtype=torch.bool),
                    double(Probes(w[None, None], b[None, None])),
                    1e-2,
                )
                for w, b in (
                    (together.weight[position, target], together.bias[position, target]),
                    (alone.weight[0, 0], alone.bias[0, 0]),
                )
            ]
            torch.testing.assert_close(losses[0], losses[1], rtol=1e-4, atol=1e-7)


@pytest.mark.parametrize("width", [lbfgs.WIDEST_GRAM, 8])
def test_features_too_wide_for_a_gram_matrix_reach_the_same_minimum(monkeypatch, width):
    features, labels = hidden_states(2)
    mask = torch.ones(3, 600, dtype=torch.bool)
    monkeypatch.setattr(lbfgs, "WIDEST_GRAM", width)
    found = fit_lbfgs(features, labels, mask, penalty=1e-2, **CONVERGED)
    monkeypatch.undo()
    best = fit_lbfgs(features, labels, mask, penalty=1e-2, tolerance=1e-6, max_iterations=5000)
    losses = [
        penalised_loss(features.double(), labels, mask, double(p), 1e-2) for p in (found, best)
    ]
    assert (losses[0] <= 1.001 * losses[1]).all()


def test_constant_features_give_the_majority_class():
    labels = torch.tensor([[3] * 30 + [5] * 20])
    features = torch.full((1, 50, 6), 2.5)
    mask = torch.ones(1, 50, dtype=torch.bool)
    probes = fit_lbfgs(features, labels, mask, penalty=1e-3, **CONVERGED)
    assert (probes.predict(features) == 3).all()
    assert not probes.weight.any()


@pytest.mark.parametrize("classes", [(0, 1), (7, 3)])
def test_two_values_are_predicted_by_scikit_learn_as_by_lbfgs(classes):
    """For two classes scikit-learn fits one row of weights. Labels are noisy, features even."""
    generator = torch.Generator().manual_seed(5)
    features = torch.randn(3, 300, 24, generator=generator)
    noise = torch.randn(2, 300, generator=generator)
    labels = torch.tensor(classes)[(features[1, :, :2].T + noise > 0).long()]
    mask = torch.ones(3, 300, dtype=torch.bool)
    mask[1, 200:] = False
    options = {"penalty": 1e-2, "tolerance": 1e-6, "max_iterations": 2000}
    ours, reference = (fit(features, labels, mask, **options) for fit in (fit_lbfgs, fit_sklearn))
    exact = features.double(), labels, mask
    # Classes without rows have a bias of -inf in the reference; -1e30 has the same loss.
    finite = Probes(reference.weight, reference.bias.clamp(min=-1e30))
    losses = [penalised_loss(*exact, double(probes), 1e-2) for probes in (ours, finite)]
    torch.testing.assert_close(losses[0], losses[1], rtol=1e-5, atol=0)
    assert torch.equal(ours.predict(features), reference.predict(features))


@pytest.mark.parametrize("fit", [fit_lbfgs, fit_sklearn])
def test_the_default_tolerance_holds_where_rows_have_few_of_the_classes(fit):
    """Classes that no row has are left out: their biases have no minimum to come near to."""
    features, labels = hidden_states(2, n=400)
    data = features, 3 * (labels % 3), torch.ones(3, 400, dtype=torch.bool)
    probes = fit(*data, penalty=1e-3, **CONVERGED)
    best = fit_sklearn(*data, penalty=1e-3, tolerance=1e-9, max_iterations=50_000)
    loss, least = (
        penalised_loss(
            features.double(),
            *data[1:],
            Probes(found.weight.double(), found.bias.double().clamp(min=-1e30)),
            1e-3,
        )
        for found in (probes, best)
    )
    assert (loss >= least * (1 - 1e-6)).all()
    assert (loss - least <= CONVERGED["tolerance"] * loss).all()
    assert set(probes.predict(features).unique().tolist()) <= {0, 3, 6}


@pytest.mark.parametrize("n_distinct", [7, 30])
def test_equal_rows_are_put_together_without_changing_the_minimum(monkeypatch, n_distinct):
    """As at early positions, where many problems share all that was read; fewer than features."""
    generator = torch.Generator().manual_seed(0)
    kinds = torch.randn(2, n_distinct, 24, generator=generator)
    which = torch.randint(0, n_distinct, (600,), generator=generator)
    labels = torch.stack([which % 10, torch.randint(0, 10, (600,), generator=generator)])
    mask = torch.ones(2, 600, dtype=torch.bool)
    mask[1, 500:] = False
    data = kinds[:, which], labels, mask
    options = {"penalty": 1e-3, "tolerance": 1e-4, "max_iterations": 2000}
    together = fit_lbfgs(*data, **options)
    monkeypatch.setattr(positions, "_ROWS_PER_DISTINCT", 10_000)
    apart = fit_lbfgs(*data, **options)
    exact = data[0].double(), labels, mask
    losses = [penalised_loss(*exact, double(probes), 1e-3) for probes in (together, apart)]
    torch.testing.assert_close(losses[0], losses[1], rtol=2e-4, atol=1e-7)
    assert torch.equal(together.predict(kinds)[:, 0], apart.predict(kinds)[:, 0])


def test_the_solution_lies_in_the_span_of_the_rows():
    """Fewer rows than features: sought in the rows' span, it is the minimum over all weights."""
    features, labels = hidden_states(4, n=60, d=100)
    mask = torch.ones(3, 60, dtype=torch.bool)
    mask[1, 40:] = False
    options = {"penalty": 1e-2, "tolerance": 1e-5, "max_iterations": 5000}
    found = fit_lbfgs(features, labels, mask, **options)
    reference = fit_sklearn(
        features, labels, mask, penalty=1e-2, tolerance=1e-7, max_iterations=10_000
    )
    exact = features.double(), labels, mask
    losses = [penalised_loss(*exact, double(probes), 1e-2) for probes in (found, reference)]
    torch.testing.assert_close(losses[0], losses[1], rtol=1e-4, atol=1e-7)


def test_a_step_that_rounding_has_led_astray_is_not_taken(monkeypatch):
    """Two distinct rows are next to nothing in all directions but one."""
    features, labels = hidden_states(0)
    mask = torch.ones(features.shape[:2], dtype=torch.bool)
    wanted = penalised_loss(
        features, labels, mask, fit_lbfgs(features, labels, mask, penalty=1e-3, **CONVERGED), 1e-3
    )
    product, calls = lbfgs._History.product, iter(range(10_000))

    def astray(*arguments):
        result = product(*arguments)
        if next(calls) == 2:
            result[0] *= 1e12
        return result

    monkeypatch.setattr(lbfgs._History, "product", astray)
    probes = fit_lbfgs(features, labels, mask, penalty=1e-3, **CONVERGED)
    found = penalised_loss(features, labels, mask, probes, 1e-3)
    torch.testing.assert_close(found, wanted, rtol=2e-3, atol=0)


@pytest.mark.parametrize("few", [True, False])
def test_a_hundred_classes_are_told_apart_and_absent_ones_never_predicted(few):
    generator = torch.Generator().manual_seed(0)
    present = torch.tensor([0, 7, 31, 64, 99])
    labels = present[torch.randint(0, 5, (1, 500), generator=generator)]
    directions = torch.randn(100, 8, generator=generator)
    features = directions[labels] + 0.01 * torch.randn(1, 500, 8, generator=generator)
    if few:
        # A few distinct rows, which are merged.
        features = directions[labels]
    mask = torch.ones(1, 500, dtype=torch.bool)
    options = {"penalty": 1e-4, **CONVERGED, "n_classes": 100}
    ours = fit_lbfgs(features, labels, mask, **options)
    assert ours.bias.shape == (1, 1, 100)
    assert torch.equal(ours.predict(features)[0], labels)
    unseen = torch.randn(1, 2000, 8, generator=generator)
    assert torch.isin(ours.predict(unseen), present).all()
    reference = fit_sklearn(features, labels, mask, **{**options, "tolerance": 1e-7})
    agrees = (ours.predict(unseen) == reference.predict(unseen)).float().mean()
    assert agrees > 0.98

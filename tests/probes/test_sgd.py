"""The published recipe: its predictions, its initial weights, and where it is not steady."""

import pytest
import torch

from think_to_talk.probes.sgd import fit_sgd, initial_weights, published_numbers

P, V, N, D = 5, 2, 120, 24
SEED, RATE, EPOCHS = 42, 0.05, 300


def data():
    """Features [P, N, D] in which two digits [V, N] are readable; the last rows are short."""
    generator = torch.Generator().manual_seed(0)
    labels = torch.randint(0, 10, (V, N), generator=generator)
    directions = torch.randn(V, 10, D, generator=generator)
    features = torch.randn(P, N, D, generator=generator)
    features += sum(direction[digits] for direction, digits in zip(directions, labels, strict=True))
    mask = torch.ones(P, N, dtype=torch.bool)
    mask[3:, 100:] = False
    return features, labels, mask


def published(features, labels, mask):
    """{(position, variable): a torch.nn.Linear} by a plain loop, all drawn from one seed."""
    with torch.random.fork_rng():
        torch.manual_seed(SEED)
        layers = {(p, v): torch.nn.Linear(D, 10) for p in range(P) for v in range(V)}
    for (p, v), linear in layers.items():
        optimiser = torch.optim.SGD(linear.parameters(), lr=RATE)
        for _ in range(EPOCHS):
            optimiser.zero_grad()
            logits = linear(features[p, mask[p]])
            torch.nn.functional.cross_entropy(logits, labels[v, mask[p]]).backward()
            optimiser.step()
    return layers


def fit(features, labels, mask, positions=range(P), **changes):
    options = {"learning_rate": RATE, "epochs": EPOCHS, "seed": SEED, **changes}
    return fit_sgd(
        features, labels, mask, **{"numbers": published_numbers(positions, V), **options}
    )


def test_predictions_are_those_of_the_published_loop():
    features, labels, mask = data()
    probes = fit(features, labels, mask)
    assert not probes.unsteady.any()
    predictions = probes.predict(features)
    for (p, v), linear in published(features, labels, mask).items():
        assert torch.equal(predictions[p, v], linear(features[p]).argmax(dim=1))
        torch.testing.assert_close(probes.weight[p, v], linear.weight.data, rtol=1e-3, atol=1e-4)


def test_each_probe_starts_from_its_linear_in_the_stream_of_the_seed():
    point = initial_weights(published_numbers([0, 2, 3], V), D, SEED)
    with torch.random.fork_rng():
        torch.manual_seed(SEED)
        layers = [torch.nn.Linear(D, 10) for _ in range(4 * V)]
    for i, position in enumerate([0, 2, 3]):
        for variable in range(V):
            linear = layers[position * V + variable]
            assert torch.equal(point[i, variable, :, :-1], linear.weight)
            assert torch.equal(point[i, variable, :, -1], linear.bias)


@pytest.mark.parametrize("positions", [range(2, 4), [1, 4]])
def test_a_probe_does_not_depend_on_what_is_fitted_with_it(positions):
    features, labels, mask = data()
    together, some = fit(features, labels, mask), list(positions)
    apart = fit(features[some], labels, mask[some], some)
    torch.testing.assert_close(apart.weight, together.weight[some], rtol=1e-3, atol=1e-5)
    assert torch.equal(apart.predict(features[some]), together.predict(features)[some])


def test_a_variable_alone_is_fitted_as_with_the_others():
    features, labels, mask = data()
    together = fit(features, labels, mask)
    numbers = published_numbers(range(P), V)[:, 1:]
    alone = fit(features, labels[1:], mask, numbers=numbers)
    torch.testing.assert_close(alone.weight, together.weight[:, 1:], rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("n", [30, 100])
def test_the_start_does_not_depend_on_the_number_of_rows(n):
    """With a learning rate of 0 the start is what is fitted."""
    features, labels, mask = data()
    start = fit(features, labels, mask, learning_rate=0.0, epochs=1)
    fewer = fit(features[:, :n], labels[:, :n], mask[:, :n], learning_rate=0.0, epochs=1)
    assert torch.equal(fewer.weight, start.weight)
    assert torch.equal(fewer.bias, start.bias)


def test_a_loss_that_rises_is_not_steady():
    features, labels, mask = data()
    features[1] *= 100
    assert fit(features, labels, mask).unsteady.tolist() == [
        [p == 1 for _ in range(V)] for p in range(P)
    ]
    features[2, 0, 0] = torch.inf
    assert fit(features, labels, mask, epochs=3).unsteady[2].all()

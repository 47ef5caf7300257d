"""Steps along a probe's weights are the least ones; random ones change no score of the probe."""

import pytest
import torch

from think_to_talk.errors import UnreadError
from think_to_talk.steering.directions import Probe, random_steps, steps_along

N, D, K = 400, 24, 10


def drawn(seed=0, dtype=torch.float32):
    """A probe, states, and a target for each that it does not say.

    The weight rows are alike, so that other values are often in the way.
    """
    generator = torch.Generator().manual_seed(seed)
    probe = Probe(
        torch.randn(K, 3, generator=generator) @ torch.randn(3, D, generator=generator),
        torch.randn(K, generator=generator),
    )
    states = torch.randn(N, D, generator=generator).to(dtype)
    shift = torch.randint(1, K, (N,), generator=generator)
    says = plain_scores(probe, states).argmax(1)
    return probe, states, (says + shift) % K


def plain_scores(probe, states):
    return torch.einsum("kd,nd->nk", probe.weight.double(), states.double()) + probe.bias.double()


def says(probe, states):
    return plain_scores(probe, states).argmax(1)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16, torch.float16])
def test_after_a_step_the_probe_says_the_target_in_the_model_s_dtype(dtype):
    probe, states, targets = drawn(dtype=dtype)
    moved, reached = steps_along(probe, states, targets)
    assert moved.dtype == dtype
    assert torch.equal(says(probe, moved) == targets, reached)
    assert torch.equal(moved[~reached], states[~reached])
    assert 0.1 < reached.float().mean() < 0.9, "both should happen"


def test_a_step_is_along_the_difference_of_the_two_weight_rows():
    probe, states, targets = drawn(dtype=torch.float64)
    moved, reached = steps_along(probe, states, targets)
    before = says(probe, states)
    direction = probe.weight[targets] - probe.weight[before]
    cosine = torch.nn.functional.cosine_similarity(moved - states, direction.double())
    torch.testing.assert_close(cosine[reached], torch.ones_like(cosine[reached]))


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_a_hundredth_less_is_not_enough(dtype):
    probe, states, targets = drawn(dtype=dtype)
    moved, reached = steps_along(probe, states, targets)
    less = states.double() + 0.99 * (moved.double() - states.double())
    assert (says(probe, less) != targets)[reached].all()


def test_the_steps_are_those_that_a_search_finds():
    """In small steps along the direction, until the probe says the target for the first time."""
    probe, states, targets = drawn(dtype=torch.float64)
    moved, reached = steps_along(probe, states, targets)
    direction = (probe.weight[targets] - probe.weight[says(probe, states)]).double()
    least = ((moved - states).norm(dim=1) / direction.norm(dim=1))[:100]
    found = torch.full((100,), torch.inf, dtype=torch.float64)
    for size in torch.arange(0, 3, 0.001, dtype=torch.float64):
        hit = says(probe, states[:100] + size * direction[:100]) == targets[:100]
        found[hit & found.isinf()] = size
    near = reached[:100] & (least < 2.9)
    assert torch.equal(found < 2.9, near)
    assert (found - least)[near].abs().max() < 0.0041


def test_twice_the_least_step_exchanges_the_scores_of_the_two_values():
    probe, states, targets = drawn(dtype=torch.float64)
    before, rows = plain_scores(probe, states), torch.arange(N)
    present = before.argmax(1)
    # Of steps that end where these two values tie.
    least, _ = steps_along(probe, states, targets)
    after = plain_scores(probe, least)
    ties = (after[rows, targets] - after[rows, present]).abs() < 0.01
    moved, reached = steps_along(probe, states, targets, 2)
    ties &= reached
    assert ties.sum() > 30
    after = plain_scores(probe, moved)
    lead = (before[rows, present] - before[rows, targets])[ties]
    torch.testing.assert_close((after[rows, targets] - after[rows, present])[ties], lead * 1.002)
    lengths = [(found - states).norm(dim=1)[reached] for found in (least, moved)]
    torch.testing.assert_close(lengths[1], 2 * lengths[0])


def test_a_longer_step_after_which_a_third_value_is_said_is_none():
    weight = torch.zeros(K, D)
    weight[0, 0], weight[1, 1], weight[2, 1] = 1, 1, 1.5
    bias = torch.zeros(K)
    bias[2] = -4
    states = torch.zeros(1, D)
    states[:, 0] = 5
    probe, target = Probe(weight, bias), torch.tensor([1])
    # After x: 5 - x, x, 1.5 x - 4.
    for factor, wanted in ((1, True), (3, True), (4, False)):
        moved, reached = steps_along(probe, states, target, factor)
        assert reached.tolist() == [wanted]
        assert says(probe, moved).tolist() == [1 if wanted else 0]


def test_where_a_third_value_stays_above_the_target_it_is_not_reached():
    weight = torch.zeros(K, D)
    weight[0, 0] = weight[1, 1] = 1
    weight[2, 1] = 3
    probe = Probe(weight, torch.zeros(K))
    states = torch.zeros(2, D)
    states[:, 0] = 5
    moved, reached = steps_along(probe, states, torch.tensor([1, 2]))
    assert reached.tolist() == [False, True]
    assert torch.equal(moved[0], states[0])
    # 5 - x = 3 * 3 x, along (-1, 3).
    step = 0.5 * (1 + 1e-3)
    torch.testing.assert_close(moved[1, :2], torch.tensor([5 - step, 3 * step]))


def test_a_value_with_the_weights_of_the_present_one_is_not_reached():
    weight = torch.zeros(K, D)
    weight[:2, 0] = 1
    bias = torch.zeros(K)
    bias[0] = 1
    states = torch.ones(1, D)
    moved, reached = steps_along(Probe(weight, bias), states, torch.tensor([1]))
    assert not reached.any()
    assert torch.equal(moved, states)


def test_random_steps_have_the_length_and_change_no_score():
    probe, states, _ = drawn(dtype=torch.float64)
    lengths = torch.rand(N, dtype=torch.float64) * 5
    steps = random_steps(probe, lengths, 3, list(range(N)))
    torch.testing.assert_close(steps.norm(dim=2), lengths[:, None].expand(N, 3))
    before = plain_scores(probe, states)
    for control in range(3):
        after = plain_scores(probe, states + steps[:, control])
        torch.testing.assert_close(after, before, rtol=0, atol=1e-12)
    # Any two are as different as random directions are.
    one, other = steps[:, 0], steps[:, 1]
    assert torch.nn.functional.cosine_similarity(one, other).abs().mean() < 0.4


def test_random_steps_of_a_row_depend_on_its_seed_alone():
    probe, _, _ = drawn()
    few = random_steps(probe, torch.ones(2).double(), 2, [7, 8])
    more = random_steps(probe, torch.ones(3).double(), 2, [9, 8, 7])
    torch.testing.assert_close(few[0], more[2])
    torch.testing.assert_close(few[1], more[1])
    assert not torch.allclose(few[0], few[1])


def test_probes_whose_weights_depend_on_each_other_have_random_steps_too():
    """Those of a fit with a penalty sum to zero."""
    probe, _, _ = drawn()
    weight = probe.weight - probe.weight.mean(0)
    steps = random_steps(Probe(weight, probe.bias), torch.ones(5).double(), 2, list(range(5)))
    assert (steps @ weight.double().T).abs().max() < 1e-12
    torch.testing.assert_close(steps.norm(dim=2), torch.ones(5, 2).double())


def test_no_controls_are_no_steps():
    probe, _, _ = drawn()
    assert random_steps(probe, torch.ones(2).double(), 0, [1, 2]).shape == (2, 0, D)


def test_too_narrow_hidden_states_have_no_random_steps():
    probe = Probe(torch.eye(10), torch.zeros(10))
    with pytest.raises(UnreadError, match=r"hidden size of 10 .*, which steering\.controls need"):
        random_steps(probe, torch.ones(1).double(), 1, [0])

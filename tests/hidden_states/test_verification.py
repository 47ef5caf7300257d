"""Verification is continued exactly as long as it saves more than it costs."""

import torch

from think_to_talk.hidden_states.verification import VerificationYield


def test_whether_verification_pays():
    """Tokens of a pass against decoded ones, here of 20 problem and 30 gold tokens."""

    def pays(step_cost, *agreed):
        measured = VerificationYield(step_cost)
        measured.add(torch.tensor(agreed), 30)
        return measured.pays(20, 30)

    assert VerificationYield(2.0).pays(20, 30), "nothing is known yet"
    assert pays(2.0, 30, 30, 30, 29)
    assert not pays(2.0, 0, 1, 0, 30)
    assert not pays(2.0, 25, 25, 25, 25), "on a CPU a token costs little more than in a pass"
    assert pays(20.0, 25, 25, 25, 25)
    assert not pays(20.0, 2, 2, 2, 2)


def test_verification_must_save_more_than_it_costs():
    """At the edge, by hand: a token decoded costs 3, a pass over 20 + 30 tokens costs 50.

    25 agreed tokens save 75, and cost 50 and another pass over 25. In the second case a verified
    row saves 2 x 30 and the problem's 20, and another row 2 x 20, at 2 x 50 and 20.
    """

    def pays(step_cost, *agreed):
        measured = VerificationYield(step_cost)
        for tokens in agreed:
            measured.add(torch.tensor([tokens]), 30)
        return measured.pays(20, 30)

    assert not pays(3.0, 25)
    assert pays(3.0, 26)
    assert not pays(2.0, 30, 20)
    assert pays(2.0, 30, 21)


def test_a_decoded_token_costs_most_on_a_device_that_is_not_known():
    costs = [VerificationYield.on(device).step_cost for device in ("cpu", "cuda", "mps")]
    assert costs == [2.0, 20.0, 20.0]

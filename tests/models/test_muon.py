"""Muon does what the library's does, up to the rounding of bfloat16, in which that one computes."""

import torch

from think_to_talk.models.muon import Muon, orthogonalized

SHAPES = [(64, 64), (128, 64), (64, 64), (64, 128), (128, 64)]


def matrices(seed):
    draw = torch.Generator().manual_seed(seed)
    return [torch.nn.Parameter(torch.randn(shape, generator=draw) / 8) for shape in SHAPES]


def test_singular_vectors_stay_and_singular_values_come_near_one():
    some = torch.randn(3, 40, 24, generator=torch.Generator().manual_seed(0))
    left, _, right = torch.linalg.svd(some, full_matrices=False)
    in_their_basis = left.mT @ orthogonalized(some) @ right.mT
    values = in_their_basis.diagonal(dim1=-2, dim2=-1)
    assert 0.6 < values.min() < values.max() < 1.3
    assert torch.allclose(in_their_basis, torch.diag_embed(values), atol=1e-4)


def test_a_wide_matrix_becomes_what_its_transpose_becomes():
    some = torch.randn(2, 16, 48, generator=torch.Generator().manual_seed(1))
    assert torch.allclose(orthogonalized(some), orthogonalized(some.mT).mT, atol=1e-5)


def test_steps_are_those_of_the_library_up_to_its_rounding():
    ours, theirs, before = matrices(0), matrices(0), matrices(0)
    library = torch.optim.Muon(theirs, lr=0.03, momentum=0.95, weight_decay=0.01)
    optimizer = Muon(ours, lr=0.03)
    for step in range(4):
        for mine, other, gradient in zip(ours, theirs, matrices(100 + step), strict=True):
            mine.grad, other.grad = gradient.detach().clone(), gradient.detach().clone()
        optimizer.step()
        library.step()
    for mine, other, first in zip(ours, theirs, before, strict=True):
        moved = other - first
        # bfloat16 has 8 bits.
        assert (mine - other).norm() < 0.02 * moved.norm()
        assert moved.norm() > 0.05 * first.norm()


def test_a_schedule_of_the_learning_rate_reaches_every_shape():
    still = matrices(2)
    optimizer = Muon(still, lr=0.03)
    torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 0.0)
    for matrix in still:
        matrix.grad = torch.ones_like(matrix)
    optimizer.step()
    for matrix, first in zip(still, matrices(2), strict=True):
        assert torch.equal(matrix, first)

"""The fully convolutional branch: batch normalization over real steps, and the sum of its parts."""

from __future__ import annotations

import torch
from helpers.networks import assert_same
from torch import Tensor, nn

from lstmgru.nn.fcn import FullyConvolutional, MaskedBatchNorm

LENGTHS = torch.tensor([3, 7, 1])
REAL = (torch.arange(7) < LENGTHS[:, None]).unsqueeze(1).double()


def numbers(*shape: int) -> Tensor:
    return 3 + torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


def random_norm(norm: nn.BatchNorm1d) -> nn.BatchNorm1d:
    torch.manual_seed(1)
    nn.init.normal_(norm.weight)
    nn.init.normal_(norm.bias)
    return norm.double()


def test_the_statistics_are_torchs_over_the_real_steps_alone() -> None:
    norm, reference = random_norm(MaskedBatchNorm(4)), random_norm(nn.BatchNorm1d(4))
    x = numbers(3, 4, 7)
    found = norm(x.masked_fill(REAL == 0, 1e6), REAL)
    steps = x.transpose(1, 2)[REAL[:, 0] == 1]  # (real steps, features)
    assert_same(found.transpose(1, 2)[REAL[:, 0] == 1], reference(steps))
    assert norm.running_mean is not None
    assert norm.running_var is not None
    assert_same(norm.running_mean, 0.1 * steps.mean(0))
    assert_same(norm.running_var, 0.9 + 0.1 * steps.var(0, correction=0))


def test_after_training_every_step_is_normalized_by_the_running_statistics() -> None:
    norm = random_norm(MaskedBatchNorm(4))
    for _ in range(3):
        norm(numbers(3, 4, 7), REAL)
    reference = random_norm(nn.BatchNorm1d(4))
    reference.load_state_dict(norm.state_dict())
    x = numbers(2, 4, 5)
    assert_same(norm.eval()(x, REAL[:2, :, :5]), reference.eval()(x))


def test_the_branch_is_its_parts_one_after_the_other() -> None:
    torch.manual_seed(0)
    branch = FullyConvolutional(2, 3).double().train()
    x, real = numbers(4, 9, 2), torch.ones(4, 9, dtype=torch.bool)
    expected = x.transpose(1, 2)
    for convolution, padding in zip(branch.convolutions, ((3, 4), (2, 2), (1, 1)), strict=True):
        normalize = nn.BatchNorm1d(convolution.out_channels).double()  # type: ignore[arg-type]
        expected = normalize(convolution(nn.ConstantPad1d(padding, 0.0)(expected))).clamp(min=0)
    assert_same(branch(x, real), expected.mean(-1))
    assert [tuple(part.weight.shape) for part in branch.convolutions] == [(3, 2, 8), (6, 3, 5), (3, 6, 3)]


def test_a_single_step_can_be_learned_from() -> None:
    branch = FullyConvolutional(2, 3).train()
    pooled = branch(torch.randn(1, 1, 2), torch.ones(1, 1, dtype=torch.bool))
    pooled.sum().backward()  # type: ignore[no-untyped-call]
    assert all(parameter.grad is not None and parameter.grad.isfinite().all() for parameter in branch.parameters())

"""Optimizer steps: clipped as torch clips, the same with a scaled loss; and the average of the weights."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from lstmgru.specs import TrainSpec
from lstmgru.training.optimization import MovingAverage, Optimization, clip


def make_network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 1))


def loss_of(network: nn.Module, seed: int = 1) -> Tensor:
    x = torch.randn(8, 3, generator=torch.Generator().manual_seed(seed))
    loss: Tensor = network(x).square().mean()
    return loss


@pytest.mark.parametrize("largest", [1e-3, 1.0, 1e3])
def test_gradients_are_clipped_exactly_as_torch_does_it(largest: float) -> None:
    own, expected = make_network(), make_network()
    for network in (own, expected):
        (100 * loss_of(network)).backward()  # type: ignore[no-untyped-call]
    clip(own.parameters(), largest)
    torch.nn.utils.clip_grad_norm_(expected.parameters(), largest)
    for parameter, other in zip(own.parameters(), expected.parameters(), strict=True):
        assert torch.equal(torch.as_tensor(parameter.grad), torch.as_tensor(other.grad))


def test_a_parameter_without_a_gradient_is_left_out() -> None:
    network = make_network()
    unused = nn.Parameter(torch.ones(2))
    optimization = Optimization([*network.parameters(), unused], TrainSpec(), n_steps=3)
    optimization.step(loss_of(network))
    assert torch.equal(unused, torch.ones(2))
    assert unused.grad is None


def test_the_average_has_the_buffers_of_the_network() -> None:
    """Running statistics, of a cell of the user's own: those at the start would spoil every score."""
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 1))
    average = MovingAverage(network, 0.9)
    for seed in range(3):
        loss_of(network, seed)
        average.update(network)
    for (name, kept), (_, buffer) in zip(average.network.named_buffers(), network.named_buffers(), strict=True):
        assert torch.equal(kept, buffer), name
    assert int(dict(network.named_buffers())["1.num_batches_tracked"]) == 3


def weights_after(steps: int, spec: TrainSpec, scaler: Any = None) -> list[Tensor]:
    network = make_network()
    optimization = Optimization(network.parameters(), spec, steps)
    optimization.scaler = scaler
    for seed in range(steps):
        optimization.step(loss_of(network, seed))
    return [parameter.detach() for parameter in network.parameters()]


@pytest.mark.parametrize("gradient_clip", [None, 1e-2])
def test_a_scaled_loss_gives_the_same_steps_clipped_after_unscaling(gradient_clip: float | None) -> None:
    """A power of two scales without rounding."""
    spec = TrainSpec(gradient_clip=gradient_clip, learning_rate=0.1, schedule="cosine")
    scaled = weights_after(5, spec, torch.amp.GradScaler("cpu", init_scale=2.0**12))
    for own, expected in zip(scaled, weights_after(5, spec), strict=True):
        assert torch.equal(own, expected)


@pytest.mark.parametrize("gradient_clip", [None, 1.0])
def test_a_step_whose_gradients_overflow_is_left_out_and_the_next_loss_scaled_less(gradient_clip: float | None) -> None:
    network = make_network()
    optimization = Optimization(network.parameters(), TrainSpec(gradient_clip=gradient_clip), 3)
    optimization.scaler = torch.amp.GradScaler("cpu", init_scale=8.0)
    before = [parameter.detach().clone() for parameter in network.parameters()]
    optimization.step(loss_of(network) * float("inf"))
    assert all(torch.equal(*pair) for pair in zip(network.parameters(), before, strict=True))
    assert optimization.scaler.get_scale() == 4.0
    optimization.step(loss_of(network))
    assert not any(torch.equal(*pair) for pair in zip(network.parameters(), before, strict=True))


def test_an_average_forgets_the_first_weights_soon_and_has_no_gradients() -> None:
    network = make_network()
    average, expected = MovingAverage(network, 0.5), None
    for n in range(8):
        with torch.no_grad():
            for parameter in network.parameters():
                parameter.add_(1.0)
        average.update(network)
        decay = min(0.5, (1 + n) / (10 + n)) if n else 0.0
        current = [parameter.detach().double() for parameter in network.parameters()]
        expected = (
            current
            if expected is None
            else [decay * old + (1 - decay) * new for old, new in zip(expected, current, strict=True)]
        )
    assert expected is not None
    for own, value in zip(average.network.parameters(), expected, strict=True):
        torch.testing.assert_close(own.double(), value, rtol=1e-6, atol=1e-6)
        assert not own.requires_grad
    assert all(parameter.requires_grad for parameter in network.parameters())

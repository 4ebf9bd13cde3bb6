"""The time of a forward pass: of which network, and of what it is the median."""

from __future__ import annotations

import time
from typing import Any

import pytest
import torch
from helpers.panels import make_panel

from lstmgru.data.forecasting.series import input_spec
from lstmgru.nn.costs import FEWEST, MOST, WARM_UP, network_latency
from lstmgru.nn.forecast_network import ForecastNetwork
from lstmgru.nn.sequence_network import SequenceNetwork
from lstmgru.specs import ModelSpec, SequenceModelSpec, parse_branches


def network(layers: str = "gru(8)", context_length: int = 14) -> ForecastNetwork:
    inputs = input_spec(make_panel((60,), past=1, future=1).schema, n_series=1, short_series="error")
    return ForecastNetwork(ModelSpec(parse_branches(layers), context_length=context_length), inputs, horizon=3)


def test_it_is_the_median_of_the_passes_after_the_warm_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten times as long at first and once in between: neither changes the median."""
    takes = [0.5] * WARM_UP + [0.01, 0.011, 0.012, 9.0, 0.013, 0.009, 0.014]
    now, passes = 0.0, iter(takes)

    class Slow:
        def eval(self) -> None: ...
        def example_input(self, batch_size: int) -> tuple[int]:
            return (batch_size,)

        def __call__(self, batch_size: int) -> None:
            nonlocal now
            now += next(passes)

    monkeypatch.setattr(time, "perf_counter", lambda: now)
    assert network_latency(Slow()) == pytest.approx(0.012)  # type: ignore[arg-type]
    assert next(passes, None) is None
    assert len(takes) == WARM_UP + FEWEST


def test_a_fast_network_is_measured_often_but_not_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    count = 0
    fast = network()
    forward = fast.forward

    def counted(*inputs: Any) -> torch.Tensor:
        nonlocal count
        count += 1
        return forward(*inputs)

    monkeypatch.setattr(fast, "forward", counted)
    monkeypatch.setattr("lstmgru.nn.costs.ENOUGH_SECONDS", 1e9)
    network_latency(fast)
    assert count == WARM_UP + MOST


def test_it_learns_nothing_and_changes_nothing() -> None:
    measured = network()
    before = {name: value.clone() for name, value in measured.state_dict().items()}
    state = torch.random.get_rng_state()
    network_latency(measured)
    assert not measured.training
    assert torch.equal(torch.random.get_rng_state(), state)
    assert all(torch.equal(value, before[name]) for name, value in measured.state_dict().items())
    assert all(parameter.grad is None for parameter in measured.parameters())


def test_a_labeling_network_is_measured_too() -> None:
    spec = SequenceModelSpec(parse_branches("gru(8)"), max_length=20)
    labeling = SequenceNetwork(spec, n_channels=2, n_outputs=3)
    assert 0 < network_latency(labeling) < 1

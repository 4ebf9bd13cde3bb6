"""The normalization of windows: its formulas, what moves with a window, and that padding does not count."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from helpers.combinations import each_row
from helpers.networks import assert_same, make_network, random_inputs
from torch import Tensor

from lstmgru.nn.forecast_network import ForecastNetwork
from lstmgru.nn.inputs import WindowNormalization, denormalize
from lstmgru.specs import DECODERS, NORMALIZATIONS, ModelSpec, parse_branches

WINDOW = torch.tensor([[[1.0, 10.0], [4.0, -10.0], [-2.0, 30.0], [5.0, 10.0]]], dtype=torch.float64)
"""(B, T, Y)"""


def normalization_of(kind: str, transform: str = "none") -> WindowNormalization:
    spec = ModelSpec(parse_branches("gru(4)"), 4, normalization=kind, transform=transform)  # type: ignore[arg-type]
    return WindowNormalization(spec)


def deviation(values: list[float], mean: float) -> float:
    """With the share of the mean absolute value that keeps it from being 0."""
    size = sum(map(abs, values)) / len(values)
    return float((sum((value - mean) ** 2 for value in values) / len(values)) ** 0.5 + 1e-3 * size + 1e-4)


FIRST = [1.0, 4.0, -2.0, 5.0]
CHANGES = [0.0, 3.0, -6.0, 7.0]


@each_row(
    ("kind", "transform", "shift", "scale", "read"),
    [
        ("fold", "none", 0.0, 1.0, FIRST),
        ("series", "none", 0.0, 1.0, FIRST),
        ("last", "none", 5.0, 1.0, FIRST),
        ("window", "none", 2.0, deviation(FIRST, 2.0), FIRST),
        ("mean", "none", 0.0, 3.0 + 1e-4, FIRST),
        ("fold", "difference", 5.0, 1.0, CHANGES),
        ("last", "difference", 5.0, 1.0, CHANGES),
        ("window", "log_difference", 5.0, deviation(CHANGES, 1.0), CHANGES),
        ("mean", "difference", 5.0, 4.0 + 1e-4, CHANGES),
    ],
)
def test_a_window_is_normalised_by_its_formula(
    kind: str, transform: str, shift: float, scale: float, read: list[float]
) -> None:
    own, level = normalization_of(kind, transform)(WINDOW, None)
    subtracted = 0.0 if transform != "none" else shift
    expected = torch.tensor([(value - subtracted) / scale for value in read], dtype=torch.float64)
    assert_same(own[0, :, 0], expected)
    assert level.shift[0, 0, 0].item() == pytest.approx(shift)
    assert level.scale[0, 0, 0].item() == pytest.approx(scale)
    forecast = torch.tensor([[[[0.5], [0.5]]]], dtype=torch.float64)
    assert denormalize(forecast, level)[0, 0, 0].item() == pytest.approx(shift + 0.5 * scale)


@each_row("kind", NORMALIZATIONS)
@each_row("transform", ["none", "difference"])
def test_a_padded_window_is_normalised_as_its_real_part_alone(kind: str, transform: str) -> None:
    normalization, garbage = normalization_of(kind, transform), torch.full((1, 3, 2), 77.0, dtype=torch.float64)
    real = torch.tensor([[False] * 3 + [True] * 4])
    read, level = normalization(torch.cat([garbage, WINDOW], 1), real)
    expected, expected_level = normalization(WINDOW, None)
    assert (read[:, :3] == 0).all()
    assert_same(read[:, 3:], expected)
    assert_same(level.shift, expected_level.shift)
    assert_same(level.scale, expected_level.scale)


def forecast(network: ForecastNetwork, *, factor: float = 1.0, shift: float = 0.0) -> Tensor:
    """Of contexts whose targets, of a size of 100, are multiplied and moved."""
    inputs = random_inputs(network)
    past = inputs.past.clone()
    past[..., :2] = 100 * past[..., :2] * factor + shift
    result: Tensor = network(*inputs._replace(past=past))
    return result


@pytest.mark.parametrize(
    ("options", "moves", "grows"),
    [
        ({"normalization": "fold"}, False, False),
        ({"normalization": "series"}, False, False),
        ({"normalization": "last"}, True, False),
        ({"normalization": "window"}, True, True),
        ({"normalization": "mean"}, False, True),
        ({"normalization": "fold", "transform": "difference"}, True, False),
        ({"normalization": "window", "transform": "difference"}, True, True),
        ({"normalization": "mean", "transform": "difference"}, True, True),
    ],
    ids=lambda value: "-".join(value.values()) if isinstance(value, dict) else None,
)
def test_forecasts_move_and_grow_with_their_window_as_the_normalisation_says(
    options: dict[str, Any], moves: bool, grows: bool
) -> None:
    for decoder in DECODERS:
        network = make_network("gru(5)", decoder=decoder, segment_length=2, **options)
        as_it_is = forecast(network)
        moved = (forecast(network, shift=7.0) - as_it_is - 7.0).abs().max()
        grown = (forecast(network, factor=3.0) - 3 * as_it_is).abs().max()
        assert (moved < 0.1) == moves
        assert (grown < 0.1) == grows


@each_row("kind", NORMALIZATIONS)
@each_row("transform", ["none", "difference"])
@each_row("value", [0.0, 3.0])
def test_a_context_that_never_changes_gives_numbers(kind: str, transform: str, value: float) -> None:
    network = make_network(normalization=kind, transform=transform, quantiles=(0.1, 0.5, 0.9))
    inputs = random_inputs(network)
    inputs.past[..., :2] = value
    loss = network.loss(inputs, torch.full((3, 4, 2), value, dtype=torch.float64), "quantile")
    loss.backward()  # type: ignore[no-untyped-call]
    assert loss.isfinite()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in network.parameters())


@pytest.mark.parametrize("kind", NORMALIZATIONS)
def test_the_loss_is_taken_of_normalised_values_and_is_0_for_what_was_forecast(kind: str) -> None:
    network = make_network(normalization=kind)
    inputs = random_inputs(network)
    exact = network(*inputs).squeeze(-1).detach()
    assert network.loss(inputs, exact, "mae").item() == pytest.approx(0, abs=1e-12)
    _, level = network.normalization(inputs.past[..., :2], None)
    off_by_two_units = network.loss(inputs, exact + 2 * level.scale, "mae")
    assert off_by_two_units.item() == pytest.approx(2)

"""The network in original units: the same numbers as the scaler, the network and the intervals one after the other."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from helpers.combinations import each_row
from helpers.forecast_bundles import FORECAST, HORIZON, bundle_of, calibration_of, model_of
from helpers.networks import EVERYTHING, FUTURE
from helpers.onnx_models import MANY, PLAIN, STATIC, forecaster
from helpers.panels import make_panel

from lstmgru.bundle.forecasting import quantiles as layers
from lstmgru.data.forecasting.windows import window_scale
from lstmgru.nn.forecast_network import Inputs
from lstmgru.runtime.forecasting import conformal
from lstmgru.specs import ForecastSpec, InputSpec


@each_row(
    ("inputs", "settings", "expected"),
    [
        (PLAIN, {}, {"past": (9, 2)}),
        (FUTURE, {}, {"past": (9, 5), "future": (3, 2)}),
        (MANY, {"normalization": "window"}, {"past": (9, 3), "future": (3, 1)}),
        (MANY, {"normalization": "series"}, {"past": (9, 3), "future": (3, 1), "series": ()}),
        (MANY, {"series_embedding": 2}, {"past": (9, 3), "future": (3, 1), "series": ()}),
        (STATIC, {}, {"past": (9, 1), "static": (1,), "lengths": ()}),
        (EVERYTHING, {"normalization": "last"}, {
            "past": (9, 6), "future": (3, 2), "static": (2,), "series": (), "lengths": (),
        }),
    ],
)  # fmt: skip
def test_it_needs_what_its_network_and_its_scaler_read(
    inputs: InputSpec, settings: dict[str, Any], expected: dict[str, Any]
) -> None:
    model = forecaster("gru(4)", inputs, **settings)
    assert model.shapes == expected
    assert model.output_shapes == {"forecast": (3, inputs.n_targets)}
    drawn = model.random_inputs(7)
    assert {name: tuple(tensor.shape) for name, tensor in drawn.items()} == {n: (7, *s) for n, s in expected.items()}
    (forecast,) = model(**drawn)
    assert forecast.shape == (7, 3, inputs.n_targets)
    assert forecast.isfinite().all()


@pytest.mark.parametrize(
    ("normalization", "transform"),
    [
        ("fold", "none"),
        ("fold", "log_difference"),
        ("series", "log_difference"),
        ("last", "none"),
        ("window", "log_difference"),
    ],
)
def test_it_scales_as_the_scaler_does(normalization: str, transform: str) -> None:
    categories = {"past_0": ("a", "b", "c"), "static_1": ("x", "y")}
    panel = make_panel((40, 30, 50), targets=2, past=2, future=1, static=2, categories=categories)
    bundle = bundle_of(panel, model_of(normalization=normalization, transform=transform))
    series = np.array([0, 2])
    rows = np.stack([np.arange(20, 26), np.arange(100, 106)])
    past, static = panel.values[rows], panel.static[series]
    (member,), (model,) = bundle.networks, bundle.servable.members
    scaler = member.scaler
    future = panel.values[rows[:, :HORIZON] + 6][..., -1:]
    codes = torch.from_numpy(series + 1)
    given = Inputs(torch.from_numpy(past), torch.from_numpy(future), torch.from_numpy(static), codes)
    inputs = model.scaled(given)
    expected = scaler.transform(past.reshape(12, -1), series.repeat(6)).reshape(past.shape)
    np.testing.assert_allclose(inputs.past, expected, rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(inputs.past[..., 2], past[..., 2], "names pass")
    np.testing.assert_allclose(inputs.static, scaler.transform_static(static), rtol=1e-5)
    with torch.no_grad():
        scaled = member.network(*inputs)
        (forecast,) = bundle.servable(torch.from_numpy(past), torch.from_numpy(future), torch.from_numpy(static), codes)
    np.testing.assert_allclose(forecast, scaler.inverse_targets(scaled.numpy(), series)[..., 0], rtol=1e-5)


def test_padding_has_no_logarithm_and_leaves_no_trace() -> None:
    model = forecaster("gru(4)", STATIC, transform="log", pooling="mean", normalization="window", calibration={})
    inputs = model.random_inputs(5) | {"lengths": torch.tensor([1, 2, 5, 8, 9])}
    real = layers.real_rows(inputs["lengths"], 9).unsqueeze(-1)
    assert real.sum(dim=(1, 2)).tolist() == [1, 2, 5, 8, 9]
    outputs = []
    for padding in (0.0, -3.0, 1e6):
        padded = inputs | {"past": torch.where(real, inputs["past"].abs() + 1, padding)}
        outputs.append(model(**padded))
    for output in zip(*outputs, strict=True):
        assert output[0].isfinite().all()
        assert torch.equal(output[0], output[1])
        assert torch.equal(output[0], output[2])


def test_a_series_that_it_does_not_know_has_no_forecast() -> None:
    for settings in ({"normalization": "last"}, {"series_embedding": 2}):
        model = forecaster("gru(4)", MANY, **settings)
        known, unknown = (model(**(model.random_inputs(2) | {"series": torch.tensor([1, code])}))[0] for code in (2, 0))
        assert known.isfinite().all()
        assert torch.equal(known[0], unknown[0])
        assert unknown[1].isnan().all()


def test_networks_of_quantiles_forecast_their_median() -> None:
    model = forecaster("gru(4)", FUTURE, quantiles=ForecastSpec(HORIZON).quantiles)
    inputs = model.random_inputs(4)
    (member,) = model.members
    scaled = member.network(*model.scaled(0, inputs))
    assert scaled.shape == (4, HORIZON, 2, 5)
    np.testing.assert_allclose(
        model(**inputs)[0].detach(), (scaled[..., 2] * member.scale[:, :2] + member.mean[:, :2]).detach(), rtol=1e-6
    )


@each_row(
    ("steps", "season_length", "padded"),
    [
        (1, 1, False), (1, 7, True),
        (2, 2, False), (2, 1, True),
        (4, 2, False), (4, 7, True),
        (5, 2, True), (5, 1, False),
        (12, 7, False), (12, 2, True),
    ],
)  # fmt: skip
def test_a_windows_scale_is_that_of_the_backtest(steps: int, season_length: int, padded: bool) -> None:
    generator = np.random.default_rng(0)
    context = generator.normal(50, 4, (9, steps, 2)).astype(np.float32)
    context[0], context[1] = 0, 7
    lengths = np.arange(9) % steps + 1 if padded else None
    found = layers.window_scale(
        torch.from_numpy(context), season_length, None if lengths is None else torch.from_numpy(lengths)
    )
    np.testing.assert_allclose(found, window_scale(context, season_length, lengths), rtol=1e-5)


@pytest.mark.parametrize(
    ("n_quantiles", "scaled", "missing", "padded"),
    [
        (1, False, False, False),
        (1, True, True, False),
        (1, True, False, True),
        (5, True, False, False),
        (5, False, True, True),
        (5, True, True, True),
    ],
)
def test_intervals_are_those_of_the_backtest(n_quantiles: int, scaled: bool, missing: bool, padded: bool) -> None:
    generator = np.random.default_rng(1)
    calibration = calibration_of(2, scaled=scaled, missing=missing)
    calibration.offsets[0, 1] *= -1 if n_quantiles > 1 else 1  # an interval that was too wide is made narrower
    calibration.offsets[1, 2] /= 9  # a wider level that comes out narrower is widened
    context = generator.normal(20, 3, (8, 6, 2)).astype(np.float32)
    forecast = np.sort(generator.normal(20, 3, (8, HORIZON, 2, n_quantiles)).astype(np.float32), axis=-1)
    lengths = np.arange(8) % 6 + 1 if padded else None
    given = None if lengths is None else torch.from_numpy(lengths)
    found = layers.CalibratedQuantiles(calibration, FORECAST)(
        torch.from_numpy(forecast), torch.from_numpy(context), given
    ).numpy()

    scale = window_scale(context, calibration.season_length, lengths) if scaled else np.ones((8, 2), np.float32)
    plain = forecast if n_quantiles > 1 else forecast[..., 0]
    np.testing.assert_allclose(found, conformal.quantile_forecast(calibration, plain, scale), rtol=1e-5)
    lower, upper = conformal.apply(calibration, plain, scale)
    for level in (0, 1):
        np.testing.assert_allclose(found[..., 1 - level], lower[level], rtol=1e-5)
        np.testing.assert_allclose(found[..., 3 + level], upper[level], rtol=1e-5)
    assert np.isnan(found[..., [0, 4]]).all() == missing
    assert np.isfinite(found[..., 1:4]).all()

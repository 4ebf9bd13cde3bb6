"""Bounds of forecasts: what is scored, exported and served stays within them."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers.forecast_bundles import FORECAST, bundle_of, calibration_of, model_of, panel_of, save, table
from helpers.panels import make_panel

from lstmgru.bundle import load_bundle
from lstmgru.data.forecasting.splits import Split
from lstmgru.errors import SpecError
from lstmgru.evaluation.forecast_baselines import fit_baseline, forecaster
from lstmgru.evaluation.forecasts import make_evaluation
from lstmgru.specs import ForecastSpec, TrainSpec
from lstmgru.training.fit_forecasts import fit, predict

BOUNDED = ForecastSpec(3, 7, minimum=(0.0, None), maximum=(None, 5.0))


def test_each_target_has_bounds_of_its_own() -> None:
    points = np.array([[[-1.0, -1.0], [9.0, 9.0]]], np.float32)

    np.testing.assert_array_equal(BOUNDED.clip(points), [[[0, -1], [9, 5]]])
    np.testing.assert_array_equal(BOUNDED.clip(points[..., None], axis=-2), [[[[0], [-1]], [[9], [5]]]])
    assert np.isnan(BOUNDED.clip(np.full((1, 1, 2), np.nan, np.float32))).all()
    assert FORECAST.clip(points) is points


def test_bounds_are_stored_only_where_there_are_any() -> None:
    assert ForecastSpec.from_dict(json.loads(json.dumps(BOUNDED.to_dict()))) == BOUNDED
    assert set(FORECAST.to_dict()) == {"horizon", "season_length", "metric", "levels"}
    with pytest.raises(SpecError, match=r"minimum must hold finite numbers or None but got \[inf\]"):
        ForecastSpec(3, minimum=(np.inf,))


def test_networks_and_baselines_are_scored_within_the_bounds() -> None:
    panel = make_panel((60,))
    panel.values[:, 0] = np.where(np.arange(60) % 3, 0, 5)
    split = Split("fold_1", np.array([[0, 40]]), np.array([[40, 60]]))
    free, bounded = ForecastSpec(3, 3), ForecastSpec(3, 3, minimum=(1.5,), maximum=(2.0,))
    evaluation = make_evaluation(panel, split, free, context_length=6, stride=1)
    train = TrainSpec(max_epochs=2, batch_size=16, seed=1, min_epoch_windows=1)

    fits = [fit(panel, split, model_of(), train, spec, evaluation=evaluation) for spec in (free, bounded)]

    outputs = [predict(each.network, each.scaler, panel, evaluation.cutoffs, free) for each in fits]
    clipped = np.clip(outputs[1], 1.5, 2.0)
    assert outputs[0].min() < 1.5
    np.testing.assert_allclose(fits[1].outputs, clipped, rtol=1e-5)
    np.testing.assert_allclose(fits[1].score, evaluation.score("mae", clipped[..., 0]), rtol=1e-5)
    np.testing.assert_array_equal(predict(fits[1].network, fits[1].scaler, panel, evaluation.cutoffs, bounded), clipped)
    linear = fit_baseline("linear", panel, split, bounded, 6)
    forecast = forecaster(panel, linear, forecast=bounded)(evaluation.cutoffs)
    np.testing.assert_array_equal(forecast, np.clip(forecaster(panel, linear)(evaluation.cutoffs), 1.5, 2.0))


@pytest.mark.parametrize("loss", ["huber", "quantile"])
def test_a_bundle_forecasts_within_the_bounds(loss: str, tmp_path: Path) -> None:
    frame = table()
    panel, train = panel_of(frame), TrainSpec(batch_size=8, loss=loss, seed=3)
    free = bundle_of(panel, calibration=calibration_of(scaled=False), train_spec=train)
    whole = free.predict(frame)
    lowest, highest = float(whole["forecast"].median()), float(whole["upper_95"].median())
    spec = replace(FORECAST, minimum=(lowest,), maximum=(highest,))

    bounded = bundle_of(panel, calibration=calibration_of(scaled=False), train_spec=train, forecast=spec)
    bundle = load_bundle(save(tmp_path / "model", bounded))

    found = bundle.predict(frame)
    columns = ["forecast", "lower_80", "upper_80", "lower_95", "upper_95"]
    assert found[columns].min().min() == pytest.approx(lowest)
    assert found[columns].max().max() == pytest.approx(highest)
    if loss == "huber":  # of points, an interval is as wide as before around a forecast within the bounds
        np.testing.assert_allclose(found["forecast"], whole["forecast"].clip(lowest, highest), rtol=1e-6)
    card = (tmp_path / "model" / "MODEL_CARD.md").read_text(encoding="utf-8")
    assert "Forecasts and their intervals are clipped: `sales 0` at least" in card
    assert "are clipped" not in (save(tmp_path / "free", free) / "MODEL_CARD.md").read_text(encoding="utf-8")


def test_bounds_of_a_bundle_are_those_of_its_targets() -> None:
    with pytest.raises(SpecError, match=r"minimum must hold a bound for each of \['sales 0'\] but is \[0.0, None\]"):
        bundle_of(panel_of(table()), forecast=replace(FORECAST, minimum=(0.0, None)))


def test_a_served_series_that_is_unknown_has_no_forecast_within_bounds_either() -> None:
    panel = panel_of(table(shops=("a", "b")))
    servable = bundle_of(panel, model_of(series_embedding=2), forecast=replace(FORECAST, minimum=(0.0,))).servable
    inputs = servable.random_inputs(2) | {"series": torch.tensor([0, 1])}

    with torch.no_grad():
        (forecast,) = servable(**inputs)

    assert forecast.isnan().all(dim=(1, 2)).tolist() == [True, False]

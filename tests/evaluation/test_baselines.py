"""Baselines: what they forecast, and that they learn from the training part only."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from helpers.panels import make_panel

from lstmgru.data.forecasting.splits import SplitSpec, make_splits
from lstmgru.errors import DataError
from lstmgru.evaluation import baselines
from lstmgru.evaluation.baselines import BASELINES, linear, naive, seasonal_naive
from lstmgru.evaluation.forecasts import make_evaluation
from lstmgru.specs import ForecastSpec

FORECAST = ForecastSpec(horizon=10, season_length=7)
PANEL = make_panel((150,), targets=2, future=1)
SPLIT = make_splits(PANEL, SplitSpec(holdout=30, folds=1), horizon=10, context_length=14).folds[0]


def test_naive_repeats_the_last_value() -> None:
    forecast = naive(PANEL, SPLIT, FORECAST, 14)(np.array([50, 60]))
    assert np.array_equal(forecast[1], np.repeat(PANEL.values[59:60, :2], 10, axis=0))


def test_seasonal_naive_repeats_the_last_season_and_never_reads_the_horizon() -> None:
    forecast = seasonal_naive(PANEL, SPLIT, FORECAST, 14)(np.array([50]))[0]
    assert np.array_equal(forecast[:7], PANEL.values[43:50, :2])
    assert np.array_equal(forecast[7:], PANEL.values[43:46, :2])


def test_seasonal_naive_falls_to_the_last_value_where_no_season_has_passed() -> None:
    panel = make_panel((20, 20))
    forecast = seasonal_naive(panel, SPLIT, FORECAST, 3)(np.array([24]))[0]
    assert np.array_equal(forecast[:3], np.repeat(panel.values[23:24, :1], 3, axis=0))
    assert np.array_equal(forecast[3:7], panel.values[20:24, :1])


def test_linear_finds_a_linear_law() -> None:
    panel = make_panel((200,), future=1)
    values = panel.values.copy()
    values[:, 0] = 3 * values[:, 1] + 2
    panel = replace(panel, values=values)
    split = make_splits(panel, SplitSpec(holdout=30, folds=1), horizon=10, context_length=14).holdout
    evaluation = make_evaluation(panel, split, FORECAST, context_length=14, stride=1)
    score = evaluation.score("mae", linear(panel, split, FORECAST, 14)(evaluation.cutoffs))
    assert score < 0.02 * values[:, 0].std()


@pytest.mark.parametrize("name", BASELINES)
def test_a_forecast_does_not_change_with_what_comes_after_the_cutoff(name: str) -> None:
    cutoffs = np.array([SPLIT.evaluation[0, 0]])
    before = BASELINES[name](PANEL, SPLIT, FORECAST, 14)(cutoffs)
    values = PANEL.values.copy()
    values[cutoffs[0] :, :2] = 1e6  # the last channel is known over the horizon
    after = BASELINES[name](replace(PANEL, values=values), SPLIT, FORECAST, 14)(cutoffs)
    assert np.array_equal(before, after)


def test_linear_finds_a_law_of_names() -> None:
    panel = make_panel((200,), future=1, categories={"future_0": ("a", "b", "c")})
    values = panel.values.copy()
    values[:, 0] = np.array([0, 3, -2, 5])[values[:, 1].astype(int)]  # of which the codes alone say little
    panel = replace(panel, values=values)
    split = make_splits(panel, SplitSpec(holdout=30, folds=1), horizon=10, context_length=14).holdout
    evaluation = make_evaluation(panel, split, FORECAST, context_length=14, stride=1)
    score = evaluation.score("mae", linear(panel, split, FORECAST, 14)(evaluation.cutoffs))
    assert score < 0.02 * values[:, 0].std()


def test_a_small_series_is_forecast_by_linear_as_well_as_a_large_one() -> None:
    panel = make_panel((150, 150))
    values = panel.values.copy()
    values[150:] = 1e5 * values[:150]
    panel = replace(panel, values=values)
    split = make_splits(panel, SplitSpec(holdout=30, folds=1), horizon=10, context_length=14).holdout
    small, large = linear(panel, split, FORECAST, 14)(np.array([125, 275]))
    assert large == pytest.approx(1e5 * small, rel=1e-4)
    naive_error = np.abs(values[125:135, 0] - values[124, 0]).mean()
    assert np.abs(values[125:135, 0] - small[:, 0]).mean() < 0.3 * naive_error


@pytest.mark.parametrize("name", BASELINES)
def test_a_series_with_one_row_of_history_is_forecast_from_that_row(name: str) -> None:
    panel = make_panel((150, 60), starts=(0, 90), past=1)
    spec = SplitSpec(holdout=30, folds=1)
    split = make_splits(panel, spec, horizon=10, context_length=14, short_series="pad").holdout
    before = BASELINES[name](panel, split, FORECAST, 14, short_series="pad")(np.array([151]))
    values = panel.values.copy()
    values[120:150] = 1e6  # the end of the series that stands before it
    after = BASELINES[name](replace(panel, values=values), split, FORECAST, 14, short_series="pad")(np.array([151]))
    assert np.isfinite(before).all()
    assert np.array_equal(before, after)
    if name != "linear":
        assert np.array_equal(before[0], np.repeat(panel.values[150:151, :1], 10, axis=0))


def test_linear_learns_from_short_series_where_they_may_be_padded() -> None:
    panel = make_panel((20, 20), starts=(0, 0))
    spec = SplitSpec(holdout=5, folds=1, fold_size=3)
    split = make_splits(panel, spec, horizon=3, context_length=14, short_series="pad").folds[0]
    forecast = ForecastSpec(horizon=3, season_length=7)
    with pytest.raises(DataError, match="no training window fits"):
        linear(panel, split, forecast, 14)
    assert np.isfinite(linear(panel, split, forecast, 14, short_series="pad")(np.array([12, 22]))).all()


def test_linear_forecasts_many_windows_as_it_forecasts_them_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    predict = linear(PANEL, SPLIT, FORECAST, 14)
    cutoffs = np.arange(14, 140)
    together = predict(cutoffs)
    monkeypatch.setattr(baselines, "_MAX_DESIGN_NUMBERS", 1000)
    assert together == pytest.approx(predict(cutoffs), abs=1e-5)

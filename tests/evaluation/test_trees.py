"""Trees as arrays against scikit-learn's own evaluation, and what they read of a window."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from helpers.panels import make_panel

from lstmgru.data.forecasting.arrays import window_arrays
from lstmgru.data.forecasting.splits import SplitSpec, make_splits
from lstmgru.evaluation.forecast_baselines import fit_baseline, forecaster
from lstmgru.evaluation.forecast_baselines.base import UNLIMITED, BaselineData
from lstmgru.evaluation.forecast_baselines.tree_features import TreeFeatures
from lstmgru.evaluation.forecast_baselines.trees import _examples, fit_ensemble, fit_regressor
from lstmgru.evaluation.forecasts import make_evaluation
from lstmgru.specs import ForecastSpec

FORECAST = ForecastSpec(horizon=10, season_length=7)


def test_the_arrays_compute_what_scikit_learn_does() -> None:
    generator = np.random.default_rng(0)
    rows = generator.normal(size=(3000, 4))
    rows[:, 1] = generator.choice([0, 1, 3, 7, 200], 3000)  # with gaps, which scikit-learn numbers anew
    rows[:, 3] = generator.integers(0, 5, 3000)
    rows[generator.random(rows.shape) < 0.1] = np.nan
    targets = np.nan_to_num(rows[:, 0]) + 2 * np.isin(rows[:, 1], [1, 200]) + (rows[:, 3] == 2)
    categorical = [False, True, False, True]
    regressor = fit_regressor(rows, targets, categorical, UNLIMITED)
    ensemble = fit_ensemble(rows, targets, categorical)
    new = np.concatenate([rows, rows[::-1]])
    new[3000:, 1] = generator.choice([0, 1, 2, 3, 5, 7, 200, 254], 3000)
    new[3000:, 0] *= 3
    assert np.array_equal(ensemble.predict(new), regressor.predict(new))
    assert ((targets - regressor.predict(rows)) ** 2).mean() < 0.1 * targets.var()


def test_what_is_missing_is_told_from_any_number_by_a_finite_threshold() -> None:
    rows = np.random.default_rng(0).normal(size=(400, 1))
    rows[::2] = np.nan
    ensemble = fit_ensemble(rows, np.isnan(rows[:, 0]).astype(float), [False])
    new = np.array([[np.nan], [-1e30], [1e30]])
    assert ensemble.predict(new) == pytest.approx([1, 0, 0], abs=0.01)
    assert np.isfinite(ensemble.threshold).all()
    assert ensemble.threshold.max() > 1e300  # scikit-learn has infinity there


@pytest.mark.parametrize("categorical", [False, True])
def test_a_feature_that_training_never_holds_is_ignored(categorical: bool) -> None:
    rows = np.random.default_rng(0).normal(size=(200, 2))
    unknown = np.column_stack([rows, np.full(200, np.nan)])
    alone = fit_ensemble(rows, rows[:, 0], [False, False]).predict(rows)
    for column in (np.nan, 7.0):
        new = np.column_stack([rows, np.full(200, column)])
        assert np.array_equal(fit_ensemble(unknown, rows[:, 0], [False, False, categorical]).predict(new), alone)


def test_features_are_what_they_are_called() -> None:
    panel = make_panel((60,), targets=1, past=1, future=1, categories={"future_0": ("a", "b", "c")})
    panel.values[:50, 2] = 1 + 2 * (np.arange(50) % 2)  # a and c only
    features = TreeFeatures.fit(panel, np.array([[0, 50]]), 10, 7)
    windows = window_arrays(panel, np.array([40]), context_length=features.context_length, horizon=10)
    center, scale = features.units(windows)
    assert center[0, 0] == pytest.approx(panel.values[33:40, 0].mean(), rel=1e-6)
    row = features.rows(windows, np.array([[2, 8]]))[0, :, 0]
    assert row.shape == (2, len(features.categorical))
    assert row[:, 0].tolist() == [2, 8]
    values = (panel.values[:, 0] - center[0, 0]) / scale[0, 0]
    assert row[0, 1:13] == pytest.approx(values[28:40][::-1], abs=1e-5)
    # One, two and three seasons before the steps 42 and 48, of which the latest known is 41.
    assert row[0, 13:16] == pytest.approx(values[[35, 28, 21]], abs=1e-5)
    assert row[1, 13:16] == pytest.approx(values[[34, 27, 20]], abs=1e-5)
    assert row[0, -2] == panel.values[39, 1]
    codes = {1.0: 0, 3.0: 1}
    assert row[:, -1].tolist() == [codes[panel.values[42, 2]], codes[panel.values[48, 2]]]


def test_unknown_names_and_rows_before_a_series_are_missing() -> None:
    panel = make_panel((60,), future=1, categories={"future_0": ("a", "b")})
    panel.values[:, 1] = 1
    features = TreeFeatures.fit(panel, np.array([[0, 50]]), 10, 7)
    panel.values[40:, 1] = [0, 2] * 10
    windows = window_arrays(panel, np.array([3]), context_length=features.context_length, horizon=10)
    row = features.rows(windows, np.array([[0]]))[0, 0, 0]
    assert np.isfinite(row[1:4]).all()
    assert np.isnan(row[4:13]).all()
    unknown = window_arrays(panel, np.array([40]), context_length=features.context_length, horizon=10)
    assert np.isnan(features.rows(unknown, np.array([[0, 1]]))[0, :, 0, -1]).all()


def test_they_find_a_law_of_names_that_scales_with_the_level() -> None:
    panel = make_panel((250, 250), future=1, categories={"future_0": ("a", "b", "c")})
    values = panel.values.copy()
    level = np.repeat([1.0, 1000.0], 250)
    values[:, 0] = level * (10 + np.array([0, 3, -2, 5])[values[:, 1].astype(int)])
    panel = replace(panel, values=values)
    split = make_splits(panel, SplitSpec(holdout=30, folds=1), horizon=10, context_length=14).holdout
    evaluation = make_evaluation(panel, split, FORECAST, context_length=14, stride=1)
    forecast = forecaster(panel, fit_baseline("trees", panel, split, FORECAST, 14))(evaluation.cutoffs)
    errors = np.abs(forecast - evaluation.target)[..., 0].mean(axis=1) / level[evaluation.cutoffs]
    assert errors.mean() < 0.2 * np.std([3, -2, 5])


def test_they_do_not_learn_targets_that_are_not_known() -> None:
    panel = make_panel((250,))
    known = np.random.default_rng(0).random((250, 1)) < 0.7
    panel = replace(panel, known=known, observed=known.all(axis=1))
    split = make_splits(panel, SplitSpec(holdout=30, folds=1), horizon=10, context_length=14).holdout
    data = BaselineData(panel, split, FORECAST, 14, "error")
    features = TreeFeatures.fit(panel, split.train, 10, 7)

    rows, targets = _examples(data, features)
    every, _ = _examples(replace(data, panel=replace(panel, known=np.ones_like(known))), features)

    assert len(rows) == len(targets)
    assert 0.6 < len(rows) / len(every) < 0.8

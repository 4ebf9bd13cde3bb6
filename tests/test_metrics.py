"""Metrics against utilsforecast, term by term."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from conftest import make_panel
from utilsforecast import losses

from lstmgru.data.splits import SplitSpec, make_splits
from lstmgru.metrics import Evaluation, make_evaluation, season_scale
from lstmgru.specs import METRICS, ForecastSpec


def evaluation(targets: int = 1) -> Evaluation:
    panel = make_panel((120,), targets=targets)
    splits = make_splits(panel, SplitSpec(holdout=20, folds=1), horizon=5, context_length=10)
    return make_evaluation(panel, splits.holdout, ForecastSpec(5, 7), context_length=10, stride=1)


def noisy(of: Evaluation) -> np.ndarray:
    return of.target + np.random.default_rng(1).standard_normal(of.target.shape).astype(np.float32)


@pytest.mark.parametrize(("name", "factor"), [("mae", 1), ("mse", 1), ("rmse", 1), ("smape", 200)])
def test_a_metric_is_the_one_of_utilsforecast(name: str, factor: float) -> None:
    scored = evaluation()
    forecast = noisy(scored)
    frame = pd.DataFrame({"unique_id": 0, "y": scored.target.ravel(), "model": forecast.ravel()}).astype(float)
    expected = getattr(losses, name)(frame, ["model"])["model"].item()
    assert scored.score(name, forecast) == pytest.approx(factor * expected, rel=1e-6)  # type: ignore[arg-type]


def test_mase_is_the_one_of_utilsforecast() -> None:
    panel = make_panel((120,))
    splits = make_splits(panel, SplitSpec(holdout=20, folds=1), horizon=5, context_length=10)
    scored = make_evaluation(panel, splits.holdout, ForecastSpec(5, 7), context_length=10, stride=1)
    forecast = noisy(scored)
    frame = pd.DataFrame({"unique_id": 0, "y": scored.target.ravel(), "model": forecast.ravel()}).astype(float)
    train = pd.DataFrame({"unique_id": 0, "ds": range(100), "y": panel.values[:100, 0].astype(float)})
    expected = losses.mase(frame, ["model"], seasonality=7, train_df=train)["model"].item()
    assert scored.score("mase", forecast) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("name", METRICS)
def test_a_perfect_forecast_scores_zero_and_a_worse_one_scores_more(name: str) -> None:
    scored = evaluation(targets=2)
    near, far = scored.target + 0.1, scored.target + 1
    assert scored.score(name, scored.target) == 0  # type: ignore[arg-type]
    assert 0 < scored.score(name, near) < scored.score(name, far)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["mae", "mse", "smape", "mase"])
def test_window_errors_average_to_the_metric(name: str) -> None:
    scored = evaluation(targets=2)
    forecast = noisy(scored)
    errors = scored.window_errors(name, forecast)  # type: ignore[arg-type]
    assert errors.shape == (len(scored.cutoffs),)
    assert errors.mean() == pytest.approx(scored.score(name, forecast))  # type: ignore[arg-type]


def test_the_season_scale_reads_training_rows_only() -> None:
    panel = make_panel((60, 60))
    train = np.array([[0, 40], [60, 100]])
    before = season_scale(panel, train, 7)
    panel.values[40:60] = 1e6
    panel.values[100:] = 1e6
    assert np.array_equal(before, season_scale(panel, train, 7))


def test_mase_is_left_out_where_the_training_part_repeats_its_season_exactly() -> None:
    scored = evaluation()
    flat = Evaluation(scored.cutoffs, scored.target, np.zeros_like(scored.season_scale), scored.series)
    assert set(flat.scores(scored.target)) == set(METRICS) - {"mase"}

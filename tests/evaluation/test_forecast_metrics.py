"""Metrics against utilsforecast, term by term."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from helpers.combinations import each_row
from helpers.lazy import LazyModule
from helpers.panels import make_panel

from lstmgru.data.forecasting.splits import SplitSpec, make_splits
from lstmgru.errors import SpecError
from lstmgru.evaluation.forecasts import ForecastEvaluation, make_evaluation, season_scale
from lstmgru.evaluation.metrics import find_metric, metric_names
from lstmgru.specs import ForecastSpec

losses = LazyModule("utilsforecast.losses")

FORECAST = ForecastSpec(5, 7)
METRICS = metric_names("forecast")
ROOTS = {name for name in METRICS if find_metric(name).root}
SEASONAL = {name for name in METRICS if find_metric(name).seasonal}
OF_QUANTILES = {name for name in METRICS if find_metric(name).of_quantiles}


def evaluation(targets: int = 1) -> ForecastEvaluation:
    panel = make_panel((120,), targets=targets)
    splits = make_splits(panel, SplitSpec(holdout=20, folds=1), horizon=5, context_length=10)
    return make_evaluation(panel, splits.holdout, FORECAST, context_length=10, stride=1)


def noisy(of: ForecastEvaluation) -> np.ndarray:
    return of.target + np.random.default_rng(1).standard_normal(of.target.shape).astype(np.float32)


def certain(forecast: np.ndarray) -> np.ndarray:
    """Quantile forecasts that are all the point forecast."""
    return np.repeat(forecast[..., None], len(FORECAST.quantiles), axis=-1)


def uncertain(forecast: np.ndarray) -> np.ndarray:
    """Quantile forecasts around a point forecast."""
    return forecast[..., None] + np.linspace(-2, 2, len(FORECAST.quantiles), dtype=np.float32)


@pytest.mark.parametrize(("name", "factor"), [("mae", 1), ("mse", 1), ("rmse", 1), ("smape", 200)])
def test_a_metric_is_the_one_of_utilsforecast(name: str, factor: float) -> None:
    scored = evaluation()
    forecast = noisy(scored)
    frame = pd.DataFrame({"unique_id": 0, "y": scored.target.ravel(), "model": forecast.ravel()}).astype(float)
    expected = getattr(losses, name)(frame, ["model"])["model"].item()
    assert scored.score(name, forecast) == pytest.approx(factor * expected, rel=1e-6)


def test_a_forecast_of_0_that_is_right_has_no_percentage_error() -> None:
    scored = evaluation()
    forecast = noisy(scored)
    for values in (scored.target, forecast):
        values[:, 2] = 0
    others = [0, 1, 3, 4]
    part = replace(scored, target=scored.target[:, others])
    assert scored.score("smape", forecast) == pytest.approx(part.score("smape", forecast[:, others]) * 4 / 5)


@pytest.mark.parametrize("name", ["mase", "rmsse"])
def test_a_seasonal_metric_is_the_one_of_utilsforecast(name: str) -> None:
    panel = make_panel((120,))
    splits = make_splits(panel, SplitSpec(holdout=20, folds=1), horizon=5, context_length=10)
    scored = make_evaluation(panel, splits.holdout, ForecastSpec(5, 7), context_length=10, stride=1)
    forecast = noisy(scored)
    frame = pd.DataFrame({"unique_id": 0, "y": scored.target.ravel(), "model": forecast.ravel()}).astype(float)
    train = pd.DataFrame({"unique_id": 0, "ds": range(100), "y": panel.values[:100, 0].astype(float)})
    expected = getattr(losses, name)(frame, ["model"], seasonality=7, train_df=train)["model"].item()
    assert scored.score(name, forecast) == pytest.approx(expected, rel=1e-5)


def test_rmsse_is_the_mean_of_the_roots_of_the_series() -> None:
    panel = make_panel((120, 120))
    panel.values[120:] *= 5
    splits = make_splits(panel, SplitSpec(holdout=20, folds=1), horizon=5, context_length=10)
    both = make_evaluation(panel, splits.holdout, FORECAST, context_length=10, stride=1)
    forecast = noisy(both)
    forecast[both.series == 1] += 7
    frame = pd.DataFrame({"unique_id": both.series.repeat(5), "y": both.target.ravel(), "model": forecast.ravel()})
    rows = {series: np.arange(start, end) for series, (start, end) in enumerate(splits.holdout.train)}
    train = pd.concat(
        pd.DataFrame({"unique_id": series, "ds": at, "y": panel.values[at, 0].astype(float)})
        for series, at in rows.items()
    )
    expected = losses.rmsse(frame.astype({"y": float, "model": float}), ["model"], seasonality=7, train_df=train)

    assert both.score("rmsse", forecast) == pytest.approx(expected["model"].mean(), rel=1e-5)
    assert both.score("rmsse", forecast) < np.sqrt(both.window_errors("rmsse", forecast).mean())


def test_wql_is_the_scaled_crps_of_utilsforecast_averaged_over_the_targets() -> None:
    scored = evaluation(targets=2)
    forecast = noisy(scored)
    quantiles = uncertain(forecast)
    columns = [f"model-{p}" for p in FORECAST.quantiles]
    expected = []
    for target in range(2):
        frame = pd.DataFrame(quantiles[:, :, target].reshape(-1, len(columns)), columns=columns).astype(float)
        frame = frame.assign(unique_id=0, y=scored.target[:, :, target].ravel().astype(float))
        crps = losses.scaled_crps(frame, {"model": columns}, quantiles=np.array(FORECAST.quantiles))
        expected.append(crps["model"].item())
    assert scored.score("wql", forecast, quantiles) == pytest.approx(np.mean(expected), rel=1e-6)


@pytest.mark.parametrize(("name", "plain"), [("scaled_mae", "mae"), ("scaled_mse", "mse")])
def test_a_scaled_metric_is_the_plain_one_of_values_standardised_on_the_training_rows_of_all_series(
    name: str, plain: str
) -> None:
    panel = make_panel((120, 150), targets=2)
    panel.values[:, 1] = 1000 + 50 * panel.values[:, 1]
    panel.values[120:] *= 3
    splits = make_splits(panel, SplitSpec(holdout=20, folds=1), horizon=5, context_length=10)
    scored = make_evaluation(panel, splits.holdout, FORECAST, context_length=10, stride=1)
    forecast = noisy(scored)
    rows = np.concatenate([np.arange(start, end) for start, end in splits.holdout.train])
    mean, deviation = panel.values[rows, :2].mean(axis=0), panel.values[rows, :2].std(axis=0)
    standardized = replace(scored, target=(scored.target - mean) / deviation)
    expected = standardized.score(plain, (forecast - mean) / deviation)
    assert scored.score(name, forecast) == pytest.approx(expected, rel=1e-4)


@each_row("name", METRICS)
def test_a_perfect_forecast_scores_zero_and_a_worse_one_scores_more(name: str) -> None:
    scored = evaluation(targets=2)
    perfect, near, far = (
        scored.score(name, forecast, certain(forecast))
        for forecast in (scored.target, scored.target + 0.1, scored.target + 1)
    )
    assert perfect == 0
    assert 0 < near < far


@each_row("name", sorted({*METRICS} - ROOTS))
def test_window_errors_average_to_the_metric(name: str) -> None:
    scored = evaluation(targets=2)
    forecast = noisy(scored)
    errors = scored.window_errors(name, forecast, uncertain(forecast))
    assert errors.shape == (len(scored.cutoffs),)
    assert errors.mean() == pytest.approx(scored.score(name, forecast, uncertain(forecast)))


def test_window_errors_of_rmse_are_squared_errors() -> None:
    scored = evaluation()
    errors = scored.window_errors("rmse", noisy(scored))
    assert np.sqrt(errors.mean()) == pytest.approx(scored.score("rmse", noisy(scored)))


def test_a_window_error_of_wql_grows_with_the_errors_of_its_own_window_only() -> None:
    scored = evaluation()
    quantiles = uncertain(scored.target)
    before = scored.window_errors("wql", scored.target, quantiles)
    quantiles[3] += 100
    after = scored.window_errors("wql", scored.target, quantiles)
    assert np.flatnonzero(after != before).tolist() == [3]
    assert after[3] > before[3]


def test_scores_hold_wql_where_there_are_quantile_forecasts() -> None:
    scored = evaluation()
    assert set(scored.scores(noisy(scored))) == set(METRICS) - OF_QUANTILES
    assert set(scored.scores(noisy(scored), uncertain(noisy(scored)))) == set(METRICS)


def test_wql_without_quantile_forecasts_is_an_error() -> None:
    scored = evaluation()
    with pytest.raises(SpecError, match=r"^metric wql needs quantile forecasts but got none; pass them"):
        scored.score("wql", scored.target)


def test_quantile_forecasts_of_another_shape_are_an_error() -> None:
    scored = evaluation()
    with pytest.raises(SpecError, match=r"must have the shape \(16, 5, 1, 5\) but got \(16, 5, 1, 3\)$"):
        scored.scores(scored.target, uncertain(scored.target)[..., :3])


def test_the_season_scale_reads_training_rows_only() -> None:
    panel = make_panel((60, 60))
    train = np.array([[0, 40], [60, 100]])
    before = season_scale(panel, train, 7)
    panel.values[40:60] = 1e6
    panel.values[100:] = 1e6
    assert np.array_equal(before, season_scale(panel, train, 7))


@pytest.mark.parametrize("squared", [False, True])
def test_the_season_scale_is_that_of_known_values_in_double_precision(squared: bool) -> None:
    rows = 300_000  # sums of so many single numbers lose the fourth digit
    panel = make_panel((rows,))
    values = 1e8 + 1e4 * panel.values + np.random.default_rng(0).integers(0, 1000, panel.values.shape) * 8
    panel = replace(panel, values=values.astype(np.float32), known=np.random.default_rng(1).random((rows, 1)) < 0.9)
    assert panel.known is not None
    real = np.where(panel.known, panel.values.astype(np.float64), np.nan)[:, 0]
    changes = real[7:] - real[:-7]
    expected = np.sqrt(np.nanmean(changes**2)) if squared else np.nanmean(np.abs(changes))
    found = season_scale(panel, np.array([[0, rows]]), 7, squared=squared)
    assert found[0, 0] == pytest.approx(expected, rel=1e-6)


def test_the_deviation_reads_training_rows_only() -> None:
    panel = make_panel((120, 120))
    split = make_splits(panel, SplitSpec(holdout=20, folds=1), horizon=5, context_length=10).folds[0]
    before = make_evaluation(panel, split, FORECAST, context_length=10, stride=1).deviation
    for start, end in zip(split.train[:, 1], panel.offsets[1:], strict=True):
        panel.values[start:end] = 1e6
    assert np.array_equal(before, make_evaluation(panel, split, FORECAST, context_length=10, stride=1).deviation)


def test_seasonal_metrics_are_left_out_where_the_training_part_repeats_its_season_exactly() -> None:
    scored = evaluation()
    flat = replace(scored, season_scale=np.zeros_like(scored.season_scale))
    assert set(flat.scores(scored.target)) == set(METRICS) - SEASONAL - OF_QUANTILES


def test_wql_has_no_value_where_a_target_is_always_zero() -> None:
    scored = evaluation()
    zero = replace(scored, target=np.zeros_like(scored.target))
    assert np.isnan(zero.score("wql", zero.target, uncertain(zero.target)))


def test_windows_with_a_short_context_are_scored_where_they_may_be_padded() -> None:
    panel = make_panel((120, 30), starts=(0, 90))
    spec = SplitSpec(holdout=20, folds=1)
    split = make_splits(panel, spec, horizon=5, context_length=30, short_series="pad").holdout
    cutoffs = {
        policy: make_evaluation(panel, split, FORECAST, context_length=30, stride=1, short_series=policy).cutoffs
        for policy in ("error", "pad")
    }
    assert cutoffs["error"].max() < 120
    assert cutoffs["pad"].max() > 120


def with_gaps(of: ForecastEvaluation) -> ForecastEvaluation:
    """The same windows, a third of whose targets are not known."""
    missing = np.random.default_rng(2).random(of.target.shape) < 1 / 3
    return replace(of, target=np.where(missing, np.float32(np.nan), of.target))


@each_row("name", METRICS)
def test_targets_that_are_not_known_are_left_out_of_a_metric(name: str) -> None:
    complete = evaluation(targets=2)
    partial, forecast = with_gaps(complete), noisy(complete)
    assert partial.known is not None
    wrong = np.where(partial.known, forecast, 1e6).astype(np.float32)

    score = partial.score(name, wrong, uncertain(wrong))

    alone = []
    for target in range(2):  # each known value as a forecast of a single step
        rows, steps = np.nonzero(partial.known[..., target])
        pick = rows, steps, slice(target, target + 1)
        one = replace(
            complete,
            target=complete.target[pick][:, None],
            season_scale=complete.season_scale[rows, target : target + 1],
            season_deviation=complete.season_deviation[rows, target : target + 1],
            series=complete.series[rows],
            deviation=complete.deviation[target : target + 1],
        )
        points = forecast[pick][:, None]
        alone.append(one.score(name, points, uncertain(points)))
    assert score == pytest.approx(np.mean(alone))
    mean = float(partial.window_errors(name, wrong, uncertain(wrong)).mean())
    if name not in ROOTS:
        assert mean == pytest.approx(score)


def test_a_series_that_never_changes_is_left_out_of_seasonal_metrics_only() -> None:
    panel = make_panel((120, 120))
    panel.values[120:] = 3
    splits = make_splits(panel, SplitSpec(holdout=20, folds=1), horizon=5, context_length=10)
    both = make_evaluation(panel, splits.holdout, FORECAST, context_length=10, stride=1)
    changing = both.series == 0
    forecast = noisy(both)
    first = replace(
        both,
        target=both.target[changing],
        season_scale=both.season_scale[changing],
        season_deviation=both.season_deviation[changing],
        series=both.series[changing],
    )
    for name in SEASONAL:
        assert both.score(name, forecast) == pytest.approx(first.score(name, forecast[changing]))
        assert both.window_errors(name, forecast)[~changing].tolist() == [0] * int((~changing).sum())
    assert both.score("mae", forecast) != pytest.approx(first.score("mae", forecast[changing]))

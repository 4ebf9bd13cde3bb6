"""Baselines: what they forecast, and that they learn from the training part only."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch
from helpers.combinations import each_row
from helpers.panels import make_panel

from lstmgru.bundle.onnx.translation import translated
from lstmgru.data.forecasting.arrays import WindowArrays, window_arrays
from lstmgru.data.forecasting.series import SeriesPanel
from lstmgru.data.forecasting.splits import Split, SplitSpec, make_splits
from lstmgru.errors import BaselineTooSlow, DataError, SpecError
from lstmgru.evaluation.forecast_baselines import BASELINES, TimeLimit, baseline_names, fit_baseline, forecaster
from lstmgru.evaluation.forecast_baselines import linear as module_of_linear
from lstmgru.evaluation.forecast_baselines.base import FittedBaseline
from lstmgru.evaluation.forecasts import make_evaluation
from lstmgru.nn.forecast_network import Inputs
from lstmgru.specs import ForecastSpec

FORECAST = ForecastSpec(horizon=10, season_length=7)
PANEL = make_panel((150,), targets=2, future=1)
SPLIT = make_splits(PANEL, SplitSpec(holdout=30, folds=1), horizon=10, context_length=14).folds[0]

# A panel with everything that a baseline may read, and one of its splits.
RICH = make_panel(
    (150, 90, 200),
    starts=(50, 110, 0),
    targets=2,
    past=1,
    future=2,
    static=2,
    categories={"past_0": tuple(f"name {n}" for n in range(40)), "future_1": ("a", "b", "c"), "static_1": ("x", "y")},
)
RICH_SPLIT = make_splits(RICH, SplitSpec(holdout=20, folds=1), horizon=10, context_length=14, short_series="pad").folds[
    0
]


def forecasts(
    name: str, panel: SeriesPanel, split: Split, cutoffs: list[int], context_length: int = 14, **options: Any
) -> np.ndarray:
    """Of a baseline that is fitted to the training part of a split."""
    baseline = fit_baseline(name, panel, split, options.pop("forecast", FORECAST), context_length, **options)
    return forecaster(panel, baseline)(np.array(cutoffs))


def test_naive_repeats_the_last_value() -> None:
    forecast = forecasts("naive", PANEL, SPLIT, [50, 60])
    assert np.array_equal(forecast[1], np.repeat(PANEL.values[59:60, :2], 10, axis=0))


def test_seasonal_naive_repeats_the_last_season_and_never_reads_the_horizon() -> None:
    forecast = forecasts("seasonal_naive", PANEL, SPLIT, [50])[0]
    assert np.array_equal(forecast[:7], PANEL.values[43:50, :2])
    assert np.array_equal(forecast[7:], PANEL.values[43:46, :2])


def test_seasonal_naive_falls_to_the_last_value_where_no_season_has_passed() -> None:
    panel = make_panel((20, 20))
    forecast = forecasts("seasonal_naive", panel, SPLIT, [24], 3)[0]
    assert np.array_equal(forecast[:3], np.repeat(panel.values[23:24, :1], 3, axis=0))
    assert np.array_equal(forecast[3:7], panel.values[20:24, :1])


def test_linear_finds_a_linear_law() -> None:
    panel = make_panel((200,), future=1)
    values = panel.values.copy()
    values[:, 0] = 3 * values[:, 1] + 2
    panel = replace(panel, values=values)
    split = make_splits(panel, SplitSpec(holdout=30, folds=1), horizon=10, context_length=14).holdout
    evaluation = make_evaluation(panel, split, FORECAST, context_length=14, stride=1)
    score = evaluation.score("mae", forecasts("linear", panel, split, evaluation.cutoffs))
    assert score < 0.02 * values[:, 0].std()


@each_row("name", BASELINES)
def test_a_forecast_does_not_change_with_what_comes_after_the_cutoff(name: str) -> None:
    cutoffs = [SPLIT.evaluation[0, 0]]
    before = forecasts(name, PANEL, SPLIT, cutoffs)
    values = PANEL.values.copy()
    values[cutoffs[0] :, :2] = 1e6  # the last channel is known over the horizon
    after = forecasts(name, replace(PANEL, values=values), SPLIT, cutoffs)
    assert np.array_equal(before, after)


def test_linear_finds_a_law_of_names() -> None:
    panel = make_panel((200,), future=1, categories={"future_0": ("a", "b", "c")})
    values = panel.values.copy()
    values[:, 0] = np.array([0, 3, -2, 5])[values[:, 1].astype(int)]  # of which the codes alone say little
    panel = replace(panel, values=values)
    split = make_splits(panel, SplitSpec(holdout=30, folds=1), horizon=10, context_length=14).holdout
    evaluation = make_evaluation(panel, split, FORECAST, context_length=14, stride=1)
    score = evaluation.score("mae", forecasts("linear", panel, split, evaluation.cutoffs))
    assert score < 0.02 * values[:, 0].std()


def test_series_that_begin_with_zeros_do_not_spoil_the_others() -> None:
    panel = make_panel((150, 150, 150))
    panel.values[150:240] = 0
    panel.values[240:300] *= 1e6  # millions after a context of zeros
    split = make_splits(panel, SplitSpec(holdout=30, folds=1), horizon=7, context_length=14).holdout
    cutoffs = np.arange(424, 444)  # of the last series
    forecast = forecaster(panel, fit_baseline("linear", panel, split, ForecastSpec(7, 7), 14))(cutoffs)
    truth = np.stack([panel.values[cutoff : cutoff + 7, :1] for cutoff in cutoffs])
    assert np.abs(forecast - truth).mean() < 0.5  # the season has an amplitude of 1


def test_a_small_series_is_forecast_by_linear_as_well_as_a_large_one() -> None:
    panel = make_panel((150, 150))
    values = panel.values.copy()
    values[150:] = 1e5 * values[:150]
    panel = replace(panel, values=values)
    split = make_splits(panel, SplitSpec(holdout=30, folds=1), horizon=10, context_length=14).holdout
    small, large = forecasts("linear", panel, split, [125, 275])
    assert large == pytest.approx(1e5 * small, rel=1e-4)
    naive_error = np.abs(values[125:135, 0] - values[124, 0]).mean()
    assert np.abs(values[125:135, 0] - small[:, 0]).mean() < 0.3 * naive_error


@each_row("name", BASELINES)
def test_a_series_with_one_row_of_history_is_forecast_from_that_row(name: str) -> None:
    panel = make_panel((150, 60), starts=(0, 90), past=1)
    spec = SplitSpec(holdout=30, folds=1)
    split = make_splits(panel, spec, horizon=10, context_length=14, short_series="pad").holdout
    before = forecasts(name, panel, split, [151], short_series="pad")
    values = panel.values.copy()
    values[120:150] = 1e6  # the end of the series that stands before it
    after = forecasts(name, replace(panel, values=values), split, [151], short_series="pad")
    assert np.isfinite(before).all()
    assert np.array_equal(before, after)
    if name in ("naive", "seasonal_naive", "theta", "ets"):
        assert np.array_equal(before[0], np.repeat(panel.values[150:151, :1], 10, axis=0))


def test_linear_learns_from_short_series_where_they_may_be_padded() -> None:
    panel = make_panel((20, 20), starts=(0, 0))
    spec = SplitSpec(holdout=5, folds=1, fold_size=3)
    split = make_splits(panel, spec, horizon=3, context_length=14, short_series="pad").folds[0]
    forecast = ForecastSpec(horizon=3, season_length=7)
    with pytest.raises(DataError, match="no training window fits"):
        forecasts("linear", panel, split, [12], forecast=forecast)
    assert np.isfinite(forecasts("linear", panel, split, [12, 22], forecast=forecast, short_series="pad")).all()


def test_linear_forecasts_many_windows_as_it_forecasts_them_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    predict = forecaster(PANEL, fit_baseline("linear", PANEL, SPLIT, FORECAST, 14))
    cutoffs = np.arange(14, 140)
    together = predict(cutoffs)
    monkeypatch.setattr(module_of_linear, "_NUMBERS_AT_ONCE", 100)
    assert together == pytest.approx(predict(cutoffs), abs=1e-5)


def rich_windows(context_length: int) -> WindowArrays:
    """Windows of the rich panel, some of which begin before their series."""
    cutoffs = np.concatenate([np.arange(start + 1, start + 60, 7) for start in RICH.offsets[:-1]])
    return window_arrays(RICH, cutoffs, context_length=context_length, horizon=10)


def rich_baseline(name: str) -> FittedBaseline:
    return fit_baseline(name, RICH, RICH_SPLIT, FORECAST, 14, "pad")


@each_row("name", BASELINES)
def test_a_baseline_is_stored_without_code_and_forecasts_the_same(name: str) -> None:
    baseline = rich_baseline(name)
    values, arrays = baseline.state()
    again = BASELINES[name].from_state(
        json.loads(json.dumps(values)), {key: each.copy() for key, each in arrays.items()}
    )
    windows = rich_windows(baseline.context_length)
    np.testing.assert_allclose(again.predict(windows), baseline.predict(windows), rtol=1e-6)
    assert again.n_parameters == baseline.n_parameters
    assert again.context_length == baseline.context_length


@each_row("name", BASELINES)
def test_rows_before_a_series_and_before_what_it_reads_do_not_matter(name: str) -> None:
    baseline = rich_baseline(name)
    windows = rich_windows(baseline.context_length)
    longer = rich_windows(baseline.context_length + 30)
    steps = longer.past.shape[1]
    longer.past[np.arange(steps) < steps - longer.lengths[:, None]] = np.nan
    longer.past[:, :30] = np.nan
    assert np.array_equal(baseline.predict(longer), baseline.predict(windows))


@each_row("name", BASELINES)
def test_the_torch_module_computes_what_the_baseline_does(name: str) -> None:
    baseline = rich_baseline(name)
    module = baseline.module()
    if module is None:
        pytest.skip("the bundle computes it")
    windows = rich_windows(baseline.context_length + 5)
    arrays = {"past": windows.past, "future": windows.future, "static": windows.static, "lengths": windows.lengths}
    found = module(Inputs(**{key: torch.tensor(each) for key, each in arrays.items()}))
    np.testing.assert_allclose(found.numpy(), baseline.predict(windows), rtol=1e-4, atol=1e-4)
    full = windows.some(windows.lengths == windows.past.shape[1])
    tensors = [torch.tensor(each) for each in (full.past, full.future, full.static)]
    np.testing.assert_allclose(module(Inputs(*tensors)).numpy(), baseline.predict(full), rtol=1e-4, atol=1e-4)


class ByName(torch.nn.Module):
    """A module of a baseline with the inputs of a graph."""

    def __init__(self, method: torch.nn.Module) -> None:
        super().__init__()
        self.method = method

    def forward(self, past: Any, future: Any, static: Any, lengths: Any) -> Any:
        return self.method(Inputs(past, future, static, None, lengths))


@pytest.mark.parametrize("name", ["naive", "seasonal_naive", "linear", "channel_linear"])
def test_the_torch_module_stands_in_onnx(name: str) -> None:
    method = rich_baseline(name).module()
    assert method is not None
    module = ByName(method).eval()
    windows = rich_windows(14)
    inputs = {"past": windows.past, "future": windows.future, "static": windows.static, "lengths": windows.lengths}
    tensors = {key: torch.tensor(each) for key, each in inputs.items()}
    batch = torch.export.Dim("batch", min=1)
    shapes = {key: {0: batch} for key in inputs}
    model = translated(torch.export.export(module, (), tensors, dynamic_shapes=shapes), None)
    session = onnxruntime.InferenceSession(model.SerializeToString())
    for count in (1, len(windows)):
        found = session.run(None, {key: each[:count] for key, each in inputs.items()})[0]
        np.testing.assert_allclose(found, module(**tensors).numpy()[:count], rtol=1e-4, atol=1e-4)


def test_windows_that_are_too_short_or_lack_static_covariates_are_refused() -> None:
    baseline = rich_baseline("linear")
    with pytest.raises(SpecError, match="at least 14 rows of context but have 13"):
        baseline.predict(rich_windows(13))
    with pytest.raises(SpecError, match="2 static covariates"):
        baseline.predict(replace(rich_windows(14), static=None))


def test_unknown_baselines_are_refused() -> None:
    with pytest.raises(SpecError, match="did you mean 'linear'"):
        fit_baseline("liner", PANEL, SPLIT, FORECAST, 14)


@pytest.mark.parametrize(
    ("targets", "zeros", "least", "names"),
    [
        (1, 0.0, 0, {"channel_linear", "croston", "adida"}),
        (2, 0.0, 0, {"croston", "adida"}),
        (1, 0.4, 0, {"channel_linear"}),
        (1, 0.4, -1, {"channel_linear", "croston", "adida"}),
    ],
)
def test_the_data_decide_which_baselines_are_used(targets: int, zeros: float, least: float, names: set[str]) -> None:
    panel = make_panel((100,), targets=targets)
    panel.values[: int(zeros * 100)] = 0
    panel.values[0] = least
    hidden = panel.hiding(np.array([90]))
    assert set(BASELINES) - set(baseline_names(hidden)) == names


def test_a_time_limit_stops_a_baseline_before_it_is_exceeded() -> None:
    limit = TimeLimit(10.0, started=time.monotonic() - 2)
    limit.check()
    limit.check(done=1, total=4)
    with pytest.raises(BaselineTooSlow, match=r"it would take 20 s, longer than its limit of 10 s"):
        limit.check(done=1, total=10)
    with pytest.raises(BaselineTooSlow, match="2 s, longer than its limit of 1 s"):
        TimeLimit(1.0, started=time.monotonic() - 2).check()
    with pytest.raises(InterruptedError):
        TimeLimit(should_stop=lambda: True).check()


@pytest.mark.parametrize("name", ["linear", "channel_linear", "theta", "ets", "trees"])
def test_a_baseline_that_exceeds_its_time_limit_is_stopped(name: str) -> None:
    def fit_and_predict() -> None:
        baseline = fit_baseline(name, PANEL, SPLIT, FORECAST, 14, limit=TimeLimit(0.0))
        forecaster(PANEL, baseline, TimeLimit(0.0))(np.arange(20, 30))

    with pytest.raises(BaselineTooSlow):
        fit_and_predict()

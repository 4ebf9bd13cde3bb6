"""Baselines: what they forecast, and that they learn from the training part only."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from conftest import make_panel

from lstmgru.baselines import BASELINES, linear, naive, seasonal_naive
from lstmgru.data.splits import SplitSpec, make_splits
from lstmgru.metrics import make_evaluation
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

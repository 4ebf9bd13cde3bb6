"""Numbers that single precision would round away are refused; those that it can tell apart are not."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from helpers.combinations import each_row

from lstmgru.data.forecasting.build_panel import build_panel
from lstmgru.data.forecasting.series import SeriesPanel
from lstmgru.data.tables.precision import check_changes, check_deviation
from lstmgru.errors import DataError

_NOISE = np.random.default_rng(0).normal(0, 1, 200)


def panel_of(**columns: object) -> SeriesPanel:
    days = pd.date_range("2020-01-01", periods=200, freq="D")
    frame = pd.DataFrame({"day": days, "y": _NOISE, **columns})
    return build_panel(frame, time="day", targets=["y"], past_covariates=[*set(columns) - {"y"}], source="y.csv")


def test_a_meter_whose_steps_are_smaller_than_those_of_single_precision_is_refused_with_the_way_out() -> None:
    meter = 123_456_789 + np.cumsum(3 + 0.1 * _NOISE)

    with pytest.raises(
        DataError, match=r"target 'y' changes by about 3.* from row to row, but near 123457.* steps of 8"
    ):
        panel_of(y=meter)
    assert panel_of(y=meter - 123_457_000).n_targets == 1


def test_a_target_far_from_zero_is_not_called_constant() -> None:
    with pytest.raises(DataError, match="its numbers are too large for their differences; subtract 2000000000 from"):
        panel_of(y=2e9 + 10 * _NOISE)


def test_a_covariate_is_compared_with_its_deviation() -> None:
    seconds = 1_600_000_000 + 60.0 * np.arange(200)
    assert panel_of(clock=seconds).values.dtype == np.float32
    with pytest.raises(DataError, match="covariate 'clock' has a standard deviation of only"):
        panel_of(clock=seconds / 60 + 1.6e9)


@each_row(
    "values",
    [
        np.full(200, 123_456_789.3),
        np.full(200, 123_456_789.3) + 1e-7 * _NOISE,
        2.0**23 + np.arange(200),
        1e6 + _NOISE,
        1e30 * (1 + 0.1 * _NOISE),
        _NOISE,
        np.zeros(200),
    ],
)
def test_constant_and_distinguishable_numbers_pass(values: np.ndarray) -> None:
    check_changes(values, np.array([0, 100, 200]), "y")
    check_deviation(values, "y")


def test_the_step_between_two_series_is_no_change() -> None:
    values = np.concatenate([_NOISE, 1e8 + _NOISE])
    with pytest.raises(DataError, match="changes by about"):
        check_changes(values, np.array([0, 200, 400]), "y")

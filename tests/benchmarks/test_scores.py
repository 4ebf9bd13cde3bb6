"""Errors of the suite: hand-computed values and the reference of utilsforecast."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import utilsforecast.losses as reference
from data_sets.scores import Columns, advantage, best, owa, panel_errors
from helpers.combinations import each_row

COLUMNS = Columns("unique_id", "ds", "y")


def table(**series: list[float]) -> pd.DataFrame:
    """A row for each value, with times from 0."""
    frames = [pd.DataFrame({"unique_id": name, "ds": range(len(ys)), "y": ys}) for name, ys in series.items()]
    return pd.concat(frames, ignore_index=True)


def parts(frame: pd.DataFrame, rows: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """All rows but the last ones of each series, and the last ones."""
    last = frame.groupby("unique_id").cumcount(ascending=False) < rows
    return frame[~last], frame[last]


@pytest.mark.parametrize(
    ("season", "mase"),
    [
        # a: |errors| 1 and 3, mean 2; changes 2, 2, 2; b: 10 and 0, mean 5; changes 1, 1, 4
        (1, (2 / 2 + 5 / 2) / 2),
        # changes over two steps: a: 4, 4; b: 0, 3
        (2, (2 / 4 + 5 / 1.5) / 2),
    ],
)
def test_errors_of_two_series_by_hand(season: int, mase: float) -> None:
    history, truth = parts(table(a=[0, 2, 4, 6, 8, 10], b=[1, 2, 1, 5, 10, 0]), 2)
    forecasts = truth.assign(forecast=[9.0, 13.0, 0.0, 0.0])
    errors = panel_errors(history, truth, forecasts, COLUMNS, season)
    assert errors["mae"] == pytest.approx((2 + 5) / 2)
    assert errors["mase"] == pytest.approx(mase)
    # a: 200/17 and 600/23; b: 200, and 0 where both are 0
    assert errors["smape"] == pytest.approx(((200 / 17 + 600 / 23) / 2 + 100) / 2)


def test_series_without_a_scale_count_in_mae_but_not_in_mase() -> None:
    history, truth = parts(table(a=[0, 2, 4, 5], constant=[3, 3, 3, 7], short=[1, 4]), 1)
    forecasts = truth.assign(forecast=[6.0, 3.0, 2.0])
    errors = panel_errors(history, truth, forecasts, COLUMNS, 1)
    assert errors["mase"] == errors["median_mase"] == pytest.approx(1 / 2)
    assert errors["mae"] == pytest.approx((1 + 4 + 2) / 3)


@pytest.mark.parametrize("season", [1, 7])
def test_errors_agree_with_utilsforecast(season: int) -> None:
    random = np.random.default_rng(0)
    frame = table(**{name: list(random.gamma(2, 10, 60)) for name in "abcde"})
    history, truth = parts(frame, 14)
    forecasts = truth.assign(forecast=random.gamma(2, 10, len(truth)))
    # rows in any order, times that are not scored
    errors = panel_errors(history.sample(frac=1, random_state=0), truth, forecasts[::-1], COLUMNS, season)
    expected = {
        "mae": reference.mae(forecasts, ["forecast"]),
        "smape": reference.smape(forecasts, ["forecast"]),
        "mase": reference.mase(forecasts, ["forecast"], seasonality=season, train_df=history),
    }
    means = {name: float(values["forecast"].mean()) for name, values in expected.items()}
    assert errors["mae"] == pytest.approx(means["mae"])
    assert errors["mase"] == pytest.approx(means["mase"])
    assert errors["smape"] == pytest.approx(200 * means["smape"])  # that of utilsforecast is between 0 and 1
    assert errors["median_mase"] == pytest.approx(float(expected["mase"]["forecast"].median()))


def test_a_row_without_a_forecast_is_an_error() -> None:
    history, truth = parts(table(a=[0, 2, 4, 6]), 2)
    with pytest.raises(ValueError, match="1 of the 2 rows of the test part have no forecast"):
        panel_errors(history, truth, truth[:1].assign(forecast=1.0), COLUMNS, 1)


def test_owa_of_naive2_is_one_and_its_parts_weigh_the_same() -> None:
    naive2 = {"smape": 20.0, "mase": 2.0}
    assert owa(naive2, naive2) == 1
    assert owa({"smape": 10.0, "mase": 1.5}, naive2) == pytest.approx((0.5 + 0.75) / 2)


@each_row(
    ("ours", "other", "maximize", "expected"),
    [
        (0.9, 1.0, False, 0.1),
        (1.02, 1.0, False, -0.02),
        (0.99, 0.9, True, 0.1),
        (0.88, 0.9, True, -0.02 / 0.9),
        (0.0, 0.0, False, 0.0),
        (0.1, 0.0, False, float("-inf")),
        (0.1, 0.0, True, float("inf")),
    ],
)
def test_advantage(ours: float, other: float, maximize: bool, expected: float) -> None:
    assert advantage(ours, other, maximize=maximize) == pytest.approx(expected)


def test_the_best_score_is_the_largest_or_the_smallest() -> None:
    scores = {"naive": 2.0, "linear": 1.0, "theta": 1.0}
    assert best(scores, maximize=False) == "linear"
    assert best(scores, maximize=True) == "naive"
    assert best({}, maximize=True) is None

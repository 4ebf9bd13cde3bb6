"""Gaps are filled between observed values only, and never with what comes after an observed row."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from lstmgru.data.forecasting.build_panel import build_panel
from lstmgru.data.forecasting.series import SeriesPanel
from lstmgru.errors import DataError


def shops() -> pd.DataFrame:
    """Two shops, ten days each."""
    days = pd.date_range("2020-01-01", periods=10, freq="D")
    values = np.random.default_rng(0).random((20, 2))
    frame = pd.DataFrame({"date": [*days, *days], "shop": ["a"] * 10 + ["b"] * 10})
    return frame.assign(sales=values[:, 0], visits=values[:, 1])


def panel_of(frame: pd.DataFrame, **settings: Any) -> SeriesPanel:
    roles: dict[str, Any] = {"time": "date", "id": "shop", "targets": ["sales"], "past_covariates": ["visits"]}
    return build_panel(frame, **{**roles, "calendar": "none", "source": "shops.csv", **settings})


def series_of(values: list[float], dates: list[str], **settings: Any) -> SeriesPanel:
    """One series with the column ``y``, without a calendar."""
    frame = pd.DataFrame({"date": dates, "y": values})
    return build_panel(frame, **{"time": "date", "targets": ["y"], "calendar": "none", "source": "y.csv", **settings})


@pytest.mark.parametrize(
    ("gaps", "values", "dates", "expected", "observed"),
    [
        ("fill", [1, 4], ["01", "04"], [1, 1, 1, 4], "1001"),
        ("interpolate", [1, 4], ["01", "04"], [1, 2, 3, 4], "1001"),
        ("fill", [1, None, 3], ["01", "02", "03"], [1, 1, 3], "101"),
        ("interpolate", [1, None, 3], ["01", "02", "03"], [1, 2, 3], "101"),
        ("interpolate", [1, None, 5], ["01", "02", "05"], [1, 2, 3, 4, 5], "10001"),
        ("fill", [1, 2, 3], ["01", "02", "03"], [1, 2, 3], "111"),
    ],
)
def test_gaps_are_filled_between_observed_values(
    gaps: str, values: list[float], dates: list[str], expected: list[float], observed: str
) -> None:
    panel = series_of(values, [f"2020-01-{day}" for day in dates], gaps=gaps, frequency="D")

    assert panel.values[:, 0].tolist() == expected
    assert panel.observed.tolist() == [mark == "1" for mark in observed]
    np.testing.assert_array_equal(np.diff(panel.times), np.timedelta64(1, "D"))


def test_interpolation_is_linear_in_time_where_steps_differ_in_length() -> None:
    panel = series_of([0, None, 59], ["2021-01-01", "2021-02-01", "2021-03-01"], gaps="interpolate")

    assert panel.frequency == "MS"
    assert panel.values[:, 0].tolist() == [0, 31, 59]


@pytest.mark.parametrize("gaps", ["fill", "interpolate"])
def test_names_are_carried_forward_where_numbers_are_interpolated(gaps: str) -> None:
    frame = shops().assign(weather=["fog", None, None, "sun", "rain"] * 4).drop(index=[5, 15])

    panel = panel_of(frame, gaps=gaps, past_covariates=["weather", "visits"], categorical=["weather"])

    names = panel.schema.categories["weather"]
    carried = ["fog"] * 3 + ["sun"] + ["rain"] * 4 + ["sun", "rain"]
    assert [names[int(code) - 1] for code in panel.values[:10, 1]] == carried
    assert np.flatnonzero(~panel.observed).tolist() == [1, 2, 5, 6, 7, 11, 12, 15, 16, 17]


def test_gaps_are_filled_within_a_series_only() -> None:
    frame = shops()
    frame.loc[3, "sales"] = np.nan

    panel = panel_of(frame.drop(index=15), gaps="fill")

    assert panel.lengths.tolist() == [10, 10]
    assert panel.values[3, 0] == panel.values[2, 0]
    np.testing.assert_array_equal(panel.values[15], panel.values[14])
    assert np.flatnonzero(~panel.observed).tolist() == [3, 15]


@pytest.mark.parametrize("gaps", ["fill", "interpolate"])
def test_the_end_of_a_series_is_not_filled_although_another_follows(gaps: str) -> None:
    frame = shops()
    frame.loc[9, "visits"] = np.nan
    with pytest.raises(DataError, match="column 'visits' has 1 missing value, first at 2020-01-10"):
        panel_of(frame, gaps=gaps)


@pytest.mark.parametrize("gaps", ["fill", "interpolate"])
def test_what_comes_after_an_observed_row_never_changes_what_lies_before_it(gaps: str) -> None:
    generator = np.random.default_rng(1)
    frame = shops()
    holes = generator.random((20, 2)) < 0.3
    holes[[0, 9, 10, 19]] = False
    frame[["sales", "visits"]] = frame[["sales", "visits"]].mask(holes)
    frame = frame.drop(index=[4, 13, 14])
    panel = panel_of(frame, gaps=gaps)
    assert (~panel.observed).any()
    for day in panel.times[:10][panel.observed[:10]]:
        later = frame["date"] > day
        changed = frame.copy()
        changed.loc[later, ["sales", "visits"]] *= -100

        again = panel_of(changed, gaps=gaps)

        known = (panel.times <= day) & np.repeat([True, False], 10)
        np.testing.assert_array_equal(again.values[known], panel.values[known])
        np.testing.assert_array_equal(again.observed, panel.observed)


@pytest.mark.parametrize("gaps", ["error", "fill", "interpolate"])
def test_a_series_begins_when_every_column_has_had_a_value(gaps: str) -> None:
    frame = shops()
    frame.loc[:2, "sales"], frame.loc[10, "visits"] = np.nan, np.nan

    panel = panel_of(frame, gaps=gaps)

    whole = panel_of(shops())
    assert panel.lengths.tolist() == [7, 9]
    np.testing.assert_array_equal(panel.values, whole.values[[*range(3, 10), *range(11, 20)]])
    np.testing.assert_array_equal(panel.times, whole.times[[*range(3, 10), *range(11, 20)]])
    assert panel.observed.all()
    assert (panel.trimmed, whole.trimmed) == (4, 0)


def test_columns_may_begin_in_turn_where_gaps_are_filled() -> None:
    frame = shops().head(10)
    frame.loc[[1, 2, 3, 4], "sales"], frame.loc[:2, "visits"] = np.nan, np.nan

    panel = panel_of(frame, gaps="fill")

    assert panel.lengths.tolist() == [7]
    assert panel.values[:3, 0].tolist() == [np.float32(frame["sales"][0])] * 2 + [np.float32(frame["sales"][5])]
    assert panel.observed.tolist() == [False, False, *[True] * 5]
    assert panel.known[:, 0].tolist() == [False, False, *[True] * 5]

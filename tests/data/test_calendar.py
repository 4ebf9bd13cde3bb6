"""Calendar features are points on a circle that close up exactly, and years that go on."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from helpers.combinations import each_row

from lstmgru.data.forecasting.calendar import (
    CALENDAR_FEATURES,
    auto_calendar,
    calendar_channels,
    calendar_values,
    channel_features,
)
from lstmgru.data.tables.grid import Times
from lstmgru.errors import DataError

ROUND = tuple(feature for feature in CALENDAR_FEATURES if feature != "year")


def times(*texts: str) -> Times:
    return np.array(texts, dtype="datetime64[ns]")


def turn(time: str, feature: str, timezone: str | None = None) -> float:
    """Share of the circle, in [0, 1)."""
    sin, cos = calendar_values(times(time), [feature], timezone)[0].astype(np.float64)
    return float(np.arctan2(sin, cos) / (2 * np.pi) % 1)


@each_row(
    ("feature", "time", "expected"),
    [
        ("minute_of_hour", "2020-01-01T05:15", 0.25),
        ("minute_of_hour", "2020-01-01T05:15:36", 0.26),
        ("hour_of_day", "2020-01-01T06:00", 0.25),
        ("hour_of_day", "2020-01-01T06:36", 0.275),
        ("day_of_week", "2020-01-06T23:00", 0),  # a Monday
        ("day_of_week", "2020-01-12", 6 / 7),
        ("day_of_week", "1960-01-04", 0),  # a Monday before 1970
        ("day_of_month", "2020-02-01", 0),
        ("day_of_month", "2020-02-29", 28 / 29),
        ("day_of_month", "2021-02-28", 27 / 28),
        ("day_of_year", "2020-12-31", 365 / 366),
        ("day_of_year", "2021-12-31", 364 / 365),
        ("week_of_year", "2019-12-30", 0),  # ISO week 1 of 2020
        ("week_of_year", "2021-01-03", 52 / 53),  # ISO week 53 of 2020
        ("week_of_year", "2021-01-04", 0),
        ("month_of_year", "2020-04-30", 0.25),
        ("month_of_year", "1969-12-31", 11 / 12),
        ("quarter_of_year", "2020-12-31", 0.75),
    ],
)
def test_a_time_is_a_share_of_its_period(feature: str, time: str, expected: float) -> None:
    assert turn(time, feature) == pytest.approx(expected, abs=1e-6)


def test_weeks_agree_with_the_iso_calendar_of_pandas() -> None:
    days = pd.date_range("1995-01-01", "2040-12-31", freq="D")
    iso = days.isocalendar()
    weeks = iso.groupby("year")["week"].transform("max").where(iso["year"].between(1995, 2039))
    known = weeks.notna()
    angle = 2 * np.pi * ((iso["week"] - 1) / weeks)[known].to_numpy(np.float64)

    values = calendar_values(days.to_numpy().astype("datetime64[ns]"), ["week_of_year"])[known.to_numpy()]

    np.testing.assert_allclose(values, np.column_stack([np.sin(angle), np.cos(angle)]), atol=1e-6)


def test_the_wall_clock_of_the_time_zone_is_read() -> None:
    assert turn("2020-07-01T22:00", "hour_of_day") == pytest.approx(22 / 24)
    assert turn("2020-07-01T22:00", "hour_of_day", "Europe/Paris") == pytest.approx(0)
    assert turn("2020-01-01T22:00", "hour_of_day", "Europe/Paris") == pytest.approx(23 / 24)


def test_channels_lie_on_the_unit_circle_and_have_a_sine_and_cosine_each() -> None:
    hours = np.arange("2019-12-25", "2021-01-05", dtype="datetime64[h]").astype("datetime64[ns]")

    values = calendar_values(hours, ROUND)

    assert values.dtype == np.float32
    assert values.shape == (len(hours), len(calendar_channels(ROUND)))
    np.testing.assert_allclose(values[:, ::2] ** 2 + values[:, 1::2] ** 2, 1, atol=1e-6)
    assert calendar_channels(["hour_of_day"]) == ("hour_of_day_sin", "hour_of_day_cos")


@pytest.mark.parametrize(
    "features", [CALENDAR_FEATURES, ("year",), ("year", "day_of_week"), ("day_of_week", "year"), ()]
)
def test_channels_tell_the_features_that_they_were_made_of(features: tuple[str, ...]) -> None:
    assert channel_features(calendar_channels(features)) == features
    assert calendar_values(times("2020-01-01"), features).shape == (1, len(calendar_channels(features)))


@each_row(
    ("time", "timezone", "expected"),
    [
        ("2000-01-01", None, 0),
        ("1999-07-02T12:00", None, -0.5),
        ("2020-07-02", None, 20.5),  # a leap year
        ("2021-12-31T12:00", None, 21 + 364.5 / 365),
        ("2021-12-31T23:00", "Europe/Paris", 22),
        ("1678-01-01", None, -322),
        ("2262-04-02", None, 262 + 91 / 365),
    ],
)
def test_the_year_counts_on_from_2000_with_its_fraction(time: str, timezone: str | None, expected: float) -> None:
    values = calendar_values(times(time), ["year"], timezone)

    assert values.shape == (1, 1)
    assert values[0, 0] == pytest.approx(expected, abs=1e-5)


def test_yearly_times_are_a_year_apart() -> None:
    ends = pd.date_range("1990-12-31", periods=40, freq="YE").to_numpy().astype("datetime64[ns]")

    np.testing.assert_allclose(np.diff(calendar_values(ends, ["year"])[:, 0]), 1, atol=1e-4)


def test_the_sine_of_half_a_turn_is_exactly_zero() -> None:
    """A rounding error there would be scaled up to unit variance."""
    values = calendar_values(times("2020-01-01T00:00", "2020-01-01T12:00"), ["hour_of_day"])

    np.testing.assert_array_equal(values, [[0, 1], [0, -1]])


@each_row(
    ("frequency", "features"),
    [
        ("s", ("minute_of_hour", "hour_of_day", "day_of_week", "day_of_year")),
        ("min", ("minute_of_hour", "hour_of_day", "day_of_week", "day_of_year")),
        ("5min", ("hour_of_day", "day_of_week", "day_of_year")),
        ("15min", ("hour_of_day", "day_of_week", "day_of_year")),
        ("30min", ("hour_of_day", "day_of_week", "day_of_year")),
        ("h", ("hour_of_day", "day_of_week", "day_of_year")),
        ("2h", ("hour_of_day", "day_of_week", "day_of_year")),
        ("D", ("day_of_week", "day_of_year")),
        ("24h", ("day_of_week", "day_of_year")),
        ("B", ("day_of_week", "day_of_year")),
        ("W", ("week_of_year",)),
        ("W-MON", ("week_of_year",)),
        ("7D", ("week_of_year",)),
        ("MS", ("month_of_year",)),
        ("ME", ("month_of_year",)),
        ("2ME", ("month_of_year",)),
        ("QS", ("quarter_of_year",)),
        ("QE", ("quarter_of_year",)),
        ("YS", ("year",)),
        ("YE", ("year",)),
        ("5YS-JUN", ("year",)),
        ("step", ()),
    ],
)
def test_automatic_features_are_those_that_vary_at_the_frequency(frequency: str, features: tuple[str, ...]) -> None:
    assert auto_calendar(frequency) == features
    if frequency != "step":
        rows = pd.date_range("2019-12-30", periods=53, freq=frequency).to_numpy().astype("datetime64[ns]")
        values = calendar_values(rows, features)
        # The features together tell neighbors apart, which is what a channel is for.
        assert (np.abs(np.diff(values, axis=0)).max(axis=1) > 1e-6).all()


@pytest.mark.parametrize(
    ("features", "message"),
    [
        (["day_of_weak"], "got 'day_of_weak'; did you mean 'day_of_week'"),
        (["hour_of_day", "hour_of_day"], "'hour_of_day' is listed twice"),
    ],
)
def test_unknown_and_repeated_features_are_refused(features: list[str], message: str) -> None:
    with pytest.raises(DataError, match=message):
        calendar_values(times("2020-01-01"), features)


def test_integer_times_have_no_calendar() -> None:
    with pytest.raises(DataError, match="'day_of_week' needs dates but the time column holds integers"):
        calendar_values(np.arange(3), ["day_of_week"])
    assert calendar_values(np.arange(3), []).shape == (3, 0)


def test_the_features_of_many_times_are_those_of_a_few() -> None:
    rows = pd.date_range("1990-01-01", periods=300_000, freq="h").to_numpy().astype("datetime64[ns]")
    whole = calendar_values(rows, ["hour_of_day", "day_of_year"], "Europe/Berlin")
    last = slice(262_000, 263_000)
    np.testing.assert_array_equal(
        whole[last], calendar_values(rows[last], ["hour_of_day", "day_of_year"], "Europe/Berlin")
    )

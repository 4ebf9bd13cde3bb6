"""Weeks with rows on some days or at some times only: found, named, continued, and not mistaken for gaps."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from helpers.combinations import each_row

from lstmgru.data.forecasting.build_panel import build_panel
from lstmgru.data.tables.frequency import infer_frequency, parse_frequency
from lstmgru.data.tables.grid import Times, positions, times_at
from lstmgru.errors import DataError

WEEKS = {
    "MON-SAT": lambda at: at.weekday < 6,
    "TUE-SUN": lambda at: at.weekday > 0,
    "MON-WED,FRI": lambda at: at.weekday.isin([0, 1, 2, 4]),
    "MON,WED,FRI": lambda at: at.weekday.isin([0, 2, 4]),
    "TUE,THU": lambda at: at.weekday.isin([1, 3]),
    "MON-FRI 08:00-17:00 h": lambda at: (at.weekday < 5) & (at.hour >= 8) & (at.hour < 18),
    "MON-SUN 06:00-22:00 h": lambda at: (at.hour >= 6) & (at.hour < 23),
    "MON-FRI 08:00-17:00 h; SAT 08:00-12:00 h": lambda at: (
        ((at.weekday < 5) & (at.hour >= 8) & (at.hour < 18)) | ((at.weekday == 5) & (at.hour >= 8) & (at.hour < 13))
    ),
}


def rows_of(alias: str, weeks: int = 8, timezone: str | None = None) -> Times:
    """All rows of some weeks, in UTC if there is a time zone; summer time begins in the second."""
    step = "h" if ":" in alias else "D"
    index = pd.date_range("2019-03-20", periods=7 * weeks * (24 if step == "h" else 1), freq=step, tz=timezone)
    index = index[WEEKS[alias](index)]
    if timezone is not None:
        index = index.tz_convert("UTC").tz_localize(None)
    return index.to_numpy().astype("datetime64[ns]")


def found(times: Times, given: str = "auto", timezone: str | None = None) -> str:
    return infer_frequency(times, np.array([0, len(times)]), given, timezone=timezone)[0]


@each_row("alias", WEEKS)
@each_row("timezone", [None, "Europe/Paris"])
def test_a_week_is_found_with_and_without_gaps_and_continued(alias: str, timezone: str | None) -> None:
    times = rows_of(alias, timezone=timezone)
    holes = np.delete(times, np.arange(3, len(times) - 3, 23))

    assert found(times, timezone=timezone) == alias
    assert found(holes, timezone=timezone) == alias
    assert parse_frequency(alias).alias == alias
    later = times_at(parse_frequency(alias), times[:1], np.arange(len(times)), timezone)
    np.testing.assert_array_equal(later, times)
    steps, on_grid = positions(parse_frequency(alias), holes, np.array([0, len(holes)]), timezone)
    assert on_grid.all()
    np.testing.assert_array_equal(times[steps], holes)


@pytest.mark.parametrize(
    ("given", "canonical"),
    [("SAT-MON", "MON,SAT-SUN"), ("MON,TUE,WED", "MON-WED"), ("MON-FRI", "B"), ("MON-SUN", "D"),
     ("SAT 10:00; FRI 10:00", "FRI-SAT 10:00"), ("MON,TUE 09:00-10:00 60min", "MON-TUE 09:00-10:00 h")],
)  # fmt: skip
def test_a_given_week_gets_one_name(given: str, canonical: str) -> None:
    assert parse_frequency(given).alias == canonical
    assert parse_frequency(canonical) == parse_frequency(given)


def test_shops_may_have_rows_at_their_own_hour() -> None:
    morning = rows_of("MON-SAT")
    both = np.concatenate([morning, morning + np.timedelta64(6, "h")])
    assert infer_frequency(both, np.array([0, len(morning), len(both)]))[0] == "MON-SAT"


@each_row("seed", range(5))
@each_row(("step", "weeks", "missing"), [("D", 4, 0.1), ("D", 8, 0.3), ("h", 4, 0.15), ("h", 9, 0.4)])
def test_rows_that_are_missing_by_chance_make_no_week(step: str, weeks: int, missing: float, seed: int) -> None:
    times = pd.date_range("2020-01-01", periods=weeks * 7 * (24 if step == "h" else 1), freq=step)
    kept = np.random.default_rng(seed).random(len(times)) >= missing
    assert found(times[kept].to_numpy("datetime64[ns]")) == step


def test_too_few_weeks_are_gaps_with_a_way_out_that_works() -> None:
    times = rows_of("MON-SAT", weeks=3)
    frame = pd.DataFrame({"day": times, "y": np.arange(len(times), dtype=float)})
    roles = {"time": "day", "targets": ["y"], "source": "y.csv"}
    with pytest.raises(DataError, match=r"lacks 3 rows .*; if there never are others, set data\.frequency: MON-SAT;"):
        build_panel(frame, **roles)
    panel = build_panel(frame, **roles, frequency="MON-SAT")
    np.testing.assert_array_equal(panel.times, times)
    assert panel.observed.all()
    assert panel.schema.calendar[0] == "day_of_week_sin"


def test_closed_hours_are_not_filled_in() -> None:
    times = rows_of("MON-FRI 08:00-17:00 h", weeks=3)
    frame = pd.DataFrame({"at": times, "y": np.arange(len(times), dtype=float)})
    with pytest.raises(DataError, match=r"data\.frequency: MON-FRI 08:00-17:00 h; otherwise that is more than"):
        build_panel(frame, time="at", targets=["y"], gaps="fill", source="y.csv")
    panel = build_panel(frame, time="at", targets=["y"], frequency="MON-FRI 08:00-17:00 h", source="y.csv")
    assert panel.schema.calendar[0] == "hour_of_day_sin"


@pytest.mark.parametrize(
    ("alias", "first"), [("MS@15", "2020-01-15"), ("QS-FEB@10", "2020-02-10"), ("YS-APR@28", "2020-04-28")]
)
def test_months_may_be_dated_on_any_day_that_all_have(alias: str, first: str) -> None:
    months = {"M": 1, "Q": 3, "Y": 12}[alias[0]]
    index = pd.DatetimeIndex([pd.Timestamp(first) + pd.DateOffset(months=months * n) for n in range(20)])
    times = index.to_numpy().astype("datetime64[ns]")
    assert found(times) == alias
    assert found(np.delete(times, [3, 4, 9])) == alias
    np.testing.assert_array_equal(times_at(parse_frequency(alias), times[:1], np.arange(20), None), times)

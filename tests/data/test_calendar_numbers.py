"""Integers that are calendars are refused with the date to write; integers that are steps are not."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from helpers.combinations import each_row

from lstmgru.data.tables.calendar_numbers import unix_time
from lstmgru.data.tables.timestamps import read_times
from lstmgru.errors import DataError

_DAYS = pd.date_range("2019-11-01", "2021-02-28", freq="D")
_WEEKS = pd.date_range("2019-11-01", "2021-02-28", freq="W")
_MONTHS = pd.date_range("2019-11-01", "2021-02-28", freq="MS")
_HOURS = pd.date_range("2020-12-31", periods=48, freq="h")


@each_row(
    ("numbers", "message"),
    [
        ([time.year * 100 + time.month for time in _MONTHS],
         r"years and months \(201912 is followed by 202001\), .*; write 2019-11-01 for 201911"),
        ([time.isocalendar().year * 100 + time.isocalendar().week for time in _WEEKS],
         r"years and weeks \(201952 is followed by 202001\), .*; write 2019-10-28 for 201944"),
        ([time.year * 10 + time.quarter for time in _MONTHS[::3]],
         r"years and quarters \(20194 is followed by 20201\), .*; write 2019-10-01 for 20194"),
        ([time.year * 1000 + time.day_of_year for time in _DAYS],
         r"years and days of the year \(2019365 is followed by 2020001\), .*; write 2019-11-01 for 2019305"),
        ([int(time.strftime("%Y%m%d")) for time in _DAYS],
         r"dates without dashes \(20191101\).*; write 2019-11-01, or set .*'%Y%m%d'$"),
        ([int(time.strftime("%Y%m%d%H")) for time in _HOURS],
         r"\(2020123100\).*; write 2020-12-31 00:00, or set .*'%Y%m%d%H'$"),
        ([int(time.strftime("%Y%m%d%H%M")) for time in _HOURS],
         r"\(202012310000\).*; write 2020-12-31 00:00, or set .*'%Y%m%d%H%M'$"),
        ([int(time.strftime("%Y%m%d%H%M%S")) for time in _HOURS],
         r"\(20201231000000\).*; write 2020-12-31 00:00:00, or set .*'%Y%m%d%H%M%S'$"),
    ],
)  # fmt: skip
def test_calendars_written_as_integers_are_refused_with_the_date_to_write(numbers: list[int], message: str) -> None:
    with pytest.raises(DataError, match=message):
        read_times(pd.Series(numbers, name="when"), "table.csv", may_set_format=True)
    with pytest.raises(DataError, match=r"table\.csv: column 'when'"):
        read_times(pd.Series(numbers[:1] + numbers[:0:-1], name="when"), "table.csv")


@each_row(
    "numbers",
    [
        np.arange(201_201, 201_500),
        np.arange(201_201, 201_500, 100),
        np.arange(20_191, 20_300),
        np.r_[201_201:201_205, 201_250:201_299],
        np.arange(2012, 2020),
        np.array([1, 2, 4, 5, 9]),
        1_577_836_800 + 3600 * np.arange(100),
        1_577_836_800_000 + 60_000 * np.arange(100),
    ],
)
def test_steps_stay_steps(numbers: np.ndarray) -> None:
    assert read_times(pd.Series(numbers, name="when"), "table.csv")[0].tolist() == numbers.tolist()


@pytest.mark.parametrize(("unit", "factor"), [("s", 1), ("ms", 10**3), ("us", 10**6), ("ns", 10**9)])
def test_unix_time_is_recognized_in_any_unit(unit: str, factor: int) -> None:
    hours = (1_577_836_800 + 3600 * np.arange(48)) * factor
    assert unix_time(hours) == "2020-01-01 00:00:00", unit


def test_numbers_outside_the_years_2000_to_2100_are_no_unix_time() -> None:
    assert unix_time(np.arange(10)) is None
    assert unix_time(np.array([0, 1_577_836_800])) is None

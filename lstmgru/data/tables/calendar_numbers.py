"""Integers that are calendars, such as 202012 for a month: counted as steps, they would leave gaps that are none."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from lstmgru.errors import DataError

Integers = npt.NDArray[np.int64]
_FIRST_YEAR, _LAST_YEAR = 1600, 2399


@dataclass(frozen=True)
class _Pattern:
    """A way to write a period of a year as an integer.

    Attributes:
        name: Of what is written so.
        base: The year is the integer divided by it.
        last: Largest number of a period within a year.
        example: (year, period) → how to write it; a period that is no date itself begins with this one.
        time_format: Value of ``data.time_format`` that reads it; empty if there is none.
    """

    name: str
    base: int
    last: int
    example: Callable[[int, int], str]
    time_format: str = ""


def _of_week(year: int, week: int) -> str:
    monday = np.datetime64(f"{year}-01-04") - (np.datetime64(f"{year}-01-04").astype(int) + 3) % 7
    return str(monday + 7 * (week - 1))


_PATTERNS = (
    _Pattern("quarters", 10, 4, lambda year, quarter: f"{year}-{3 * quarter - 2:02}-01"),
    _Pattern("months", 100, 12, lambda year, month: f"{year}-{month:02}-01", "%Y%m"),
    _Pattern("weeks", 100, 53, _of_week),
    _Pattern("days of the year", 1000, 366, lambda year, day: str(np.datetime64(f"{year}-01-01") + day - 1), "%Y%j"),
)
_STAMPS = {"%Y%m%d": 1, "%Y%m%d%H": 100, "%Y%m%d%H%M": 10_000, "%Y%m%d%H%M%S": 1_000_000}


def refuse_calendar_numbers(steps: Integers, where: str, *, may_set_format: bool = True) -> None:
    """Refuse integers that are dates, or that are regular as quarters, months, weeks or days of years but not as steps.

    Args:
        steps: (rows,) integer times of one or many series, in any order.
        where: The column, for messages.
        may_set_format: Whether messages advise to set ``data.time_format``.

    Raises:
        DataError: They are; the message says how to write them.
    """
    for pattern, time_of_day in _STAMPS.items():
        if _are_dates(steps // time_of_day) and _are_clock_times(steps % time_of_day, time_of_day):
            text = str(steps[0])
            date = f"{text[:4]}-{text[4:6]}-{text[6:8]}"
            clock = ":".join((text[8:] + "00")[at : at + 2] for at in range(0, max(4, len(text) - 8), 2))
            raise DataError(
                f"{where} looks like dates without dashes ({text}), and integers count as steps; "
                f"write {date if pattern == '%Y%m%d' else f'{date} {clock}'}"
                + _or_set(pattern if may_set_format else "")
            )
    distinct = np.unique(steps)
    if len(np.unique(np.diff(distinct))) <= 1:
        return  # regular as steps
    for kind in _PATTERNS:
        years, periods = distinct // kind.base, distinct % kind.base
        within = (years >= _FIRST_YEAR) & (years <= _LAST_YEAR) & (periods >= 1) & (periods <= kind.last)
        if within.all() and years[0] < years[-1]:
            before, after = next((a, b) for a, b in pairwise(distinct.tolist()) if a // kind.base < b // kind.base)
            date = kind.example(int(steps[0]) // kind.base, int(steps[0]) % kind.base)
            or_set = _or_set(kind.time_format) if may_set_format else ""
            raise DataError(
                f"{where} looks like years and {kind.name} ({before} is followed by {after}), and integers count as "
                f"steps; write {date} for {steps[0]}" + or_set
            )


def _or_set(time_format: str) -> str:
    return f", or set data.time_format: '{time_format}'" if time_format else ""


def _are_dates(numbers: Integers) -> bool:
    year, month, day = numbers // 10_000, numbers // 100 % 100, numbers % 100
    years = (year >= _FIRST_YEAR) & (year <= _LAST_YEAR)
    return bool((years & (month >= 1) & (month <= 12) & (day >= 1) & (day <= 31)).all())


def _are_clock_times(numbers: Integers, size: int) -> bool:
    """Whether numbers are hours, hours and minutes, or also seconds, which ``size`` is larger than."""
    if size == 1:
        return True
    hours = numbers // (size // 100)
    rest = numbers % (size // 100)
    return bool((hours < 24).all() and (rest % 100 < 60).all() and (rest // 100 < 60).all())


_UNITS = 4  # seconds, milliseconds, microseconds, nanoseconds


def unix_time(steps: Integers) -> str | None:
    """The first of integer times as a date if they look like Unix time of the years 2000 to 2100, in any unit."""
    for power in range(_UNITS):
        seconds = steps // 1000**power
        if ((seconds >= 946_684_800) & (seconds < 4_102_444_800)).all():
            return str(np.datetime64(int(seconds[0]), "s")).replace("T", " ")
    return None

"""pandas offset aliases as grids, and grids by the alias that pandas would write."""

from __future__ import annotations

import warnings

import pandas as pd
from pandas.tseries.frequencies import to_offset

from lstmgru.data.tables.grid import Grid, Unit
from lstmgru.errors import DataError, did_you_mean

STEP = "step"
_MOST_UNITS = 2**63 - 1
"""Units between two neighboring times: distances are reckoned with in 64 bits."""

_COMMON = [
    "D",
    "h",
    "min",
    "s",
    "W-SUN",
    "B",
    "MS",
    "ME",
    "BMS",
    "BME",
    "QS",
    "QE",
    "YS",
    "YE",
    "15min",
    "30min",
]
_TICKS = {"h": 3600 * 10**9, "min": 60 * 10**9, "s": 10**9, "ms": 10**6, "us": 10**3, "ns": 1}
_WEEKDAYS = ("MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN")
_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
MONTH_UNITS: dict[str, Unit] = {
    "S": "month start", "E": "month end", "BS": "business month start", "BE": "business month end",
}  # fmt: skip
_MONTH_OFFSETS = {
    "MonthBegin": ("S", 1), "MonthEnd": ("E", 1),
    "BusinessMonthBegin": ("BS", 1), "BusinessMonthEnd": ("BE", 1),
    "QuarterBegin": ("S", 3), "QuarterEnd": ("E", 3), "BQuarterBegin": ("BS", 3), "BQuarterEnd": ("BE", 3),
    "YearBegin": ("S", 12), "YearEnd": ("E", 12), "BYearBegin": ("BS", 12), "BYearEnd": ("BE", 12),
}  # fmt: skip


def parse_frequency(alias: str, *, step: int = 1) -> Grid:
    """The grid of a pandas offset alias, or of ``step``.

    Args:
        alias: ``D``, ``15min``, ``W-SUN``, ``2MS``, …, or ``step`` for integer times.
        step: Distance of two integer times; used with ``step`` only.

    Raises:
        DataError: The alias is unknown, not positive, more than 64 bits can count, or its times are not one regular
            grid (business hours).
    """
    if alias == STEP:
        return Grid(STEP, "step", step)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # an alias that pandas is about to drop is an alias that we do not take
            offset = to_offset(alias)
        grid = _grid(offset) if offset is not None and offset.n > 0 else None
    except (ValueError, OverflowError, Warning) as error:
        raise _unknown(alias) from error
    if grid is None or grid.size > _MOST_UNITS:
        raise _unknown(alias)
    return grid


def _unknown(alias: str) -> DataError:
    return DataError(
        f"data.frequency must be auto, step or a pandas offset alias with a positive multiple such as "
        f"{', '.join(_COMMON[:9])} but got {alias!r}{did_you_mean(alias, _COMMON)}"
    )


def _grid(offset: pd.offsets.BaseOffset) -> Grid | None:
    n = int(offset.n)
    if isinstance(offset, pd.offsets.Day):  # before Tick: pandas 2 counts it as one
        return day_grid(n)
    if isinstance(offset, pd.offsets.Tick):
        return tick_grid(int(offset.nanos))
    if isinstance(offset, pd.offsets.Week):
        weekday = getattr(offset, "weekday", None)
        return None if weekday is None else week_grid(n, int(weekday))
    if type(offset) is pd.offsets.BusinessDay and offset.freqstr.endswith("B"):
        return Grid(_times(n, "B"), "business day", n)
    if type(offset).__name__ not in _MONTH_OFFSETS:
        return None
    kind, months = _MONTH_OFFSETS[type(offset).__name__]
    anchor = getattr(offset, "startingMonth", None) or getattr(offset, "month", None) or 1
    return month_grid(kind, n * months, months, (int(anchor) - 1) % months)


def _times(n: int, alias: str) -> str:
    return alias if n == 1 else f"{n}{alias}"


def tick_grid(nanoseconds: int) -> Grid:
    """A grid that counts elapsed time."""
    unit = next(name for name, size in _TICKS.items() if nanoseconds % size == 0)
    return Grid(_times(nanoseconds // _TICKS[unit], unit), "ns", nanoseconds)


def day_grid(days: int) -> Grid:
    """A grid every ``days`` days of the wall clock."""
    return Grid(_times(days, "D"), "day", days)


def week_grid(weeks: int, weekday: int) -> Grid:
    """A grid every ``weeks`` weeks; ``weekday`` counts from Monday, 0."""
    # 1970-01-01 was a Thursday, so Mondays are days 4, 11, … since then.
    return Grid(_times(weeks, f"W-{_WEEKDAYS[weekday]}"), "day", 7 * weeks, modulus=7, phase=(weekday + 4) % 7)


def month_grid(kind: str, months: int, modulus: int, phase: int) -> Grid:
    """A grid every ``months`` months; ``modulus`` 1, 3 or 12 makes it monthly, quarterly or yearly."""
    business, edge = kind[:-1], kind[-1]
    if modulus == 1:
        alias = f"{business}M{edge}"
    elif modulus == 3:
        # Quarters that start in January also start in October: the names that pandas defaults to.
        alias = f"{business}Q{edge}-{_MONTHS[phase if edge == 'S' else phase + 9]}"
    else:
        alias = f"{business}Y{edge}-{_MONTHS[phase]}"
    return Grid(_times(months // modulus, alias), MONTH_UNITS[kind], months, modulus, phase)

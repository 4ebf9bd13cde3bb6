"""Regular time grids: vectorized conversion between times and their numbers on a grid.

A grid has a time every ``size`` units (nanoseconds, days, business days, months, rows of a week). Days and longer units
refer to local time: a daily series keeps its hour when daylight saving time begins.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from lstmgru.data.tables.columns import group_of

Unit = Literal[
    "step",
    "ns",
    "day",
    "business day",
    "month start",
    "month end",
    "business month start",
    "business month end",
    "week",
]
Times = npt.NDArray[Any]
Integers = npt.NDArray[np.int64]

DAY_NS = 86_400 * 10**9
WEEK_NS = 7 * DAY_NS
MONDAY_NS = -3 * DAY_NS
"""Time of the Monday before 1970-01-01, a Thursday."""
_TICKS = {"h": 3600 * 10**9, "min": 60 * 10**9, "s": 10**9, "ms": 10**6, "us": 10**3, "ns": 1}
# Limits the memory of intermediate results, which is many times that of the times.
_BLOCK_ROWS = 262_144


@dataclass(frozen=True)
class Grid:
    """A regular grid of times.

    Attributes:
        alias: pandas offset alias, or ``step`` for integers.
        unit: The unit.
        size: Units between two neighboring times.
        modulus: Unit numbers on the grid have the remainder ``phase`` modulo ``modulus`` (7 days for a weekly grid);
            1 if series may start anywhere.
        phase: That remainder.
        day: Day of the month, for the unit ``month start``.
        week: Times of the rows of a week since its Monday in nanoseconds, for the unit ``week``. If all are whole days,
            series may have any time of day.
    """

    alias: str
    unit: Unit
    size: int
    modulus: int = 1
    phase: int = 0
    day: int = 1
    week: tuple[int, ...] = ()

    @property
    def counts_elapsed_time(self) -> bool:
        """True if times are equidistant regardless of local time."""
        return self.unit in ("step", "ns")


def tick_grid(nanoseconds: int) -> Grid:
    """A grid of elapsed time."""
    unit = next(name for name, size in _TICKS.items() if nanoseconds % size == 0)
    return Grid(times_alias(nanoseconds // _TICKS[unit], unit), "ns", nanoseconds)


def day_grid(days: int) -> Grid:
    """A grid of every ``days`` calendar days."""
    return Grid(times_alias(days, "D"), "day", days)


def row_blocks(rows: int) -> Iterator[slice]:
    """Blocks of rows whose intermediate results need little memory."""
    for start in range(0, rows, _BLOCK_ROWS):
        yield slice(start, min(rows, start + _BLOCK_ROWS))


def times_alias(n: int, alias: str) -> str:
    """The alias of ``n`` times another one: ``D``, ``2D``."""
    return alias if n == 1 else f"{n}{alias}"


def positions(
    grid: Grid, times: Times, offsets: Integers, timezone: str | None
) -> tuple[Integers, npt.NDArray[np.bool_]]:
    """Positions of times on a grid, relative to the first time of their series.

    Args:
        grid: The grid.
        times: (rows,) ``datetime64[ns]`` (UTC if there is a time zone) or ``int64``, sorted within a series.
        offsets: (series + 1,) rows of series ``s`` are ``offsets[s]:offsets[s + 1]``; no series is empty.
        timezone: Time zone of local time; ``None`` for naive times.

    Returns:
        (rows,) positions, 0 for the first row of a series, and (rows,) False for times that are not on the grid.
    """
    steps, on_grid = np.empty(len(times), np.int64), np.empty(len(times), bool)
    origins = times[offsets[:-1]]
    if grid.counts_elapsed_time:
        first, time_of_day = origins.astype(np.int64), origins
    else:
        first, time_of_day = _unit_numbers(grid, origins, timezone)
    for part in row_blocks(len(times)):
        series = group_of(offsets, np.arange(part.start, part.stop))
        steps[part], on_grid[part] = _positions(grid, times[part], first[series], time_of_day[series], timezone)
    return steps, on_grid


def _positions(
    grid: Grid, times: Times, first: Integers, time_of_day: Times, timezone: str | None
) -> tuple[Integers, npt.NDArray[np.bool_]]:
    """Likewise for some rows, from the (rows,) first unit of their series and its time of day."""
    if grid.counts_elapsed_time:
        distance = times.astype(np.int64) - first
        return distance // grid.size, distance % grid.size == 0
    numbers, _ = _unit_numbers(grid, times, timezone)
    distance = numbers - first
    on_grid = (distance % grid.size == 0) & (numbers % grid.modulus == grid.phase)
    on_grid &= _times_of(grid, numbers, time_of_day, timezone) == times
    return distance // grid.size, on_grid


def times_at(grid: Grid, origin: Times, steps: Integers, timezone: str | None) -> Times:
    """The times ``steps`` grid steps after ``origin``.

    Args:
        grid: The grid.
        origin: Times on the grid, any shape.
        steps: Number of steps, broadcast with ``origin``.
        timezone: Time zone of local time; ``None`` for naive times.

    Raises:
        OverflowError: A time is outside the range of ``datetime64[ns]`` or ``int64``.
    """
    origin, steps = np.broadcast_arrays(origin, steps)
    shape, origin, steps = origin.shape, origin.ravel(), steps.ravel()
    if len(steps) == 0:
        return origin.reshape(shape)
    if grid.counts_elapsed_time:
        far = int(origin.astype(np.int64).max()) + int(steps.max()) * grid.size
        if far > np.iinfo(np.int64).max:
            raise OverflowError(f"{int(steps.max())} steps of {grid.alias} after {origin.max()}")
        return (origin.astype(np.int64) + steps * grid.size).astype(origin.dtype).reshape(shape)
    numbers, time_of_day = _unit_numbers(grid, origin, timezone)
    return _times_of(grid, numbers + steps * grid.size, time_of_day, timezone).reshape(shape)


def wall_clock(times: Times, timezone: str | None) -> Times:
    """UTC times → naive local times of a time zone."""
    if timezone is None:
        return times
    local = pd.DatetimeIndex(times).tz_localize("UTC").tz_convert(timezone).tz_localize(None)
    return local.to_numpy().astype("datetime64[ns]")


def _utc(wall: Times, timezone: str | None) -> Times:
    if timezone is None:
        return wall
    summer = np.ones(len(wall), bool)  # the first of two ambiguous hours
    index = pd.DatetimeIndex(wall).tz_localize(timezone, ambiguous=summer, nonexistent="shift_forward")
    return index.tz_convert("UTC").tz_localize(None).to_numpy().astype("datetime64[ns]")


def _unit_numbers(grid: Grid, times: Times, timezone: str | None) -> tuple[Integers, Times]:
    """(rows,) number of the unit that contains a time, and (rows,) time since midnight."""
    wall = wall_clock(times, timezone)
    day = wall.astype("datetime64[D]")
    if grid.unit == "week":
        rows = np.array(grid.week)
        start = wall if (rows % DAY_NS).any() else day.astype("datetime64[ns]")
        week, within = np.divmod(start.astype(np.int64) - MONDAY_NS, WEEK_NS)
        return week * len(rows) + group_of(rows, within), wall - start
    return unit_number(grid.unit, day), wall - day


def unit_number(unit: Unit, day: Times) -> Integers:
    """(rows,) ``datetime64[D]`` → number of the unit that contains the day; months count from January 1970."""
    if unit == "day":
        return day.astype(np.int64)
    if unit == "business day":
        return np.busday_count(np.datetime64("1970-01-01"), day).astype(np.int64)
    return day.astype("datetime64[M]").astype(np.int64)


def unit_day(unit: Unit, numbers: Integers) -> Times:
    """(rows,) numbers of units → the ``datetime64[D]`` of the unit on a grid."""
    if unit == "day":
        return numbers.astype("datetime64[D]")
    if unit == "business day":
        return np.busday_offset(np.datetime64("1970-01-01"), numbers, roll="forward")
    if unit.endswith("start"):
        day = numbers.astype("datetime64[M]").astype("datetime64[D]")
        return np.busday_offset(day, 0, roll="forward") if unit.startswith("business") else day
    day = (numbers + 1).astype("datetime64[M]").astype("datetime64[D]") - 1
    return np.busday_offset(day, 0, roll="backward") if unit.startswith("business") else day


def _times_of(grid: Grid, numbers: Integers, time_of_day: Times, timezone: str | None) -> Times:
    if grid.unit == "week":
        week, row = np.divmod(numbers, len(grid.week))
        rows = np.array(grid.week)[row]
        day = (7 * week + (MONDAY_NS + rows) // DAY_NS).astype("datetime64[D]")
        time_of_day = time_of_day + (rows % DAY_NS).astype("timedelta64[ns]")
    else:
        day = unit_day(grid.unit, numbers) + (grid.day - 1)
    if len(day) and (day.max() > np.datetime64("2262-04-10") or day.min() < np.datetime64("1677-09-22")):
        raise OverflowError(f"{day.max()} lies outside of the years 1678 to 2261")
    return _utc(day.astype("datetime64[ns]") + time_of_day, timezone)

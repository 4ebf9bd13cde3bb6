"""Regular grids of times: numbering grid times, and the times that numbers stand for, vectorized.

A grid counts in units (nanoseconds, days, business days, months) and has a time every ``size`` units. Days
and everything longer are counted on the wall clock: a daily series keeps its hour when summer time begins.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

Unit = Literal[
    "step", "ns", "day", "business day", "month start", "month end", "business month start", "business month end"
]
Times = npt.NDArray[Any]
Integers = npt.NDArray[np.int64]

DAY_NS = 86_400 * 10**9
# Of millions of times, what is worked out on the way would take many times the memory of the times themselves.
_BLOCK_ROWS = 262_144


@dataclass(frozen=True)
class Grid:
    """Times at a regular distance.

    Attributes:
        alias: pandas offset alias, or ``step`` for integers.
        unit: What is counted.
        size: Units between two neighboring times.
        modulus: Unit numbers on the grid leave the remainder ``phase`` when divided by ``modulus`` (7 days
            for a weekly grid on Sundays); 1 where every series may start anywhere.
        phase: That remainder.
    """

    alias: str
    unit: Unit
    size: int
    modulus: int = 1
    phase: int = 0

    @property
    def counts_elapsed_time(self) -> bool:
        """True if neighbors are always equally far apart, regardless of the wall clock."""
        return self.unit in ("step", "ns")


def positions(
    grid: Grid, times: Times, offsets: Integers, timezone: str | None
) -> tuple[Integers, npt.NDArray[np.bool_]]:
    """Where times lie on a grid, counted from the first time of their series.

    Args:
        grid: The grid.
        times: (rows,) ``datetime64[ns]`` (UTC if there is a time zone) or ``int64``, sorted within a series.
        offsets: (series + 1,) rows of series ``s`` are ``offsets[s]:offsets[s + 1]``; no series is empty.
        timezone: Whose wall clock counts; ``None``: naive times.

    Returns:
        (rows,) positions, 0 for the first row of a series, and (rows,) False where a time is not on the grid.
    """
    steps, on_grid = np.empty(len(times), np.int64), np.empty(len(times), bool)
    origins = times[offsets[:-1]]
    if grid.counts_elapsed_time:
        first, time_of_day = origins.astype(np.int64), origins
    else:
        first, time_of_day = _unit_numbers(grid, origins, timezone)
    for start in range(0, len(times), _BLOCK_ROWS):
        part = slice(start, start + _BLOCK_ROWS)
        series = np.searchsorted(offsets, np.arange(start, start + len(times[part])), side="right") - 1
        steps[part], on_grid[part] = _positions(grid, times[part], first[series], time_of_day[series], timezone)
    return steps, on_grid


def _positions(
    grid: Grid, times: Times, first: Integers, time_of_day: Times, timezone: str | None
) -> tuple[Integers, npt.NDArray[np.bool_]]:
    """The same for some rows, from the (rows,) number of their series' first unit, and the time of day in there."""
    if grid.counts_elapsed_time:
        distance = times.astype(np.int64) - first
        return distance // grid.size, distance % grid.size == 0
    numbers, _ = _unit_numbers(grid, times, timezone)
    distance = numbers - first
    on_grid = (distance % grid.size == 0) & (numbers % grid.modulus == grid.phase)
    on_grid &= _times_of(grid, numbers, time_of_day, timezone) == times
    return distance // grid.size, on_grid


def times_at(grid: Grid, origin: Times, steps: Integers, timezone: str | None) -> Times:
    """The times that lie ``steps`` grid steps after ``origin``.

    Args:
        grid: The grid.
        origin: Times on the grid, any shape.
        steps: Steps to go, of a shape that broadcasts with ``origin``.
        timezone: Whose wall clock counts; ``None``: naive times.

    Raises:
        OverflowError: A time lies outside of what ``datetime64[ns]`` or ``int64`` can hold.
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
    """UTC times → local times of a time zone, without the zone."""
    if timezone is None:
        return times
    local = pd.DatetimeIndex(times).tz_localize("UTC").tz_convert(timezone).tz_localize(None)
    return local.to_numpy().astype("datetime64[ns]")


def _utc(wall: Times, timezone: str | None) -> Times:
    if timezone is None:
        return wall
    summer = np.ones(len(wall), bool)  # of an hour that the clocks show twice, the first
    index = pd.DatetimeIndex(wall).tz_localize(timezone, ambiguous=summer, nonexistent="shift_forward")
    return index.tz_convert("UTC").tz_localize(None).to_numpy().astype("datetime64[ns]")


def _unit_numbers(grid: Grid, times: Times, timezone: str | None) -> tuple[Integers, Times]:
    """(rows,) number of the unit that contains a time, and (rows,) time since midnight."""
    wall = wall_clock(times, timezone)
    day = wall.astype("datetime64[D]")
    return unit_number(grid.unit, day), wall - day


def unit_number(unit: Unit, day: Times) -> Integers:
    """(rows,) ``datetime64[D]`` → number of the unit that contains the day; months count from January 1970."""
    if unit == "day":
        return day.astype(np.int64)
    if unit == "business day":
        return np.busday_count(np.datetime64("1970-01-01"), day).astype(np.int64)
    return day.astype("datetime64[M]").astype(np.int64)


def unit_day(unit: Unit, numbers: Integers) -> Times:
    """(rows,) numbers of units → the ``datetime64[D]`` that stands for the unit on a grid."""
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
    day = unit_day(grid.unit, numbers)
    if len(day) and (day.max() > np.datetime64("2262-04-10") or day.min() < np.datetime64("1677-09-22")):
        raise OverflowError(f"{day.max()} lies outside of the years 1678 to 2261")
    return _utc(day.astype("datetime64[ns]") + time_of_day, timezone)

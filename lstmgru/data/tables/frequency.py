"""How far apart rows are: frequencies given or inferred from the times, robust to gaps."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from lstmgru.data.formatting import show_time
from lstmgru.data.tables.aliases import (
    MONTH_UNITS,
    STEP,
    day_grid,
    month_grid,
    parse_frequency,
    tick_grid,
    week_grid,
)
from lstmgru.data.tables.grid import (
    DAY_NS,
    Grid,
    Integers,
    Times,
    positions,
    times_at,
    unit_day,
    unit_number,
    wall_clock,
)
from lstmgru.errors import DataError


def infer_frequency(
    times: Times,
    offsets: Integers,
    given: str = "auto",
    *,
    timezone: str | None = None,
    ids: npt.NDArray[np.object_] | None = None,
    source: str = "the table",
) -> tuple[str, int]:
    """The frequency of one or many series; missing rows do not hide it.

    Args:
        times: (rows,) ``datetime64[ns]`` (UTC if there is a time zone) or ``int64``, rising within a series.
        offsets: (series + 1,) rows of series ``s`` are ``offsets[s]:offsets[s + 1]``; at least two rows each.
        given: ``auto``, or the frequency that all times must fit.
        timezone: Whose wall clock counts from a day on.
        ids: (series,) names for messages; ``None`` for a single series.
        source: File or data set, for messages.

    Returns:
        The alias as pandas writes it and 1, or ``("step", distance)`` for integer times.

    Raises:
        DataError: No regular grid explains the times, or the given one does not.
    """
    integer = times.dtype.kind == "i"
    if given not in ("auto", STEP) and integer:
        raise DataError(
            f"{source}: data.frequency is {given!r} but the time column holds integers, not dates; "
            "use auto, or write the times as dates (2020-01-31)"
        )
    if given == STEP and not integer:
        raise DataError(f"{source}: data.frequency is 'step' but the time column holds dates; use auto")
    candidates = list(_candidates(times, offsets, timezone)) if given in ("auto", STEP) else [parse_frequency(given)]
    for grid in candidates:
        on_grid = positions(grid, times, offsets, timezone)[1]
        if on_grid.all():
            return grid.alias, grid.size if integer else 1
    row = int(np.argmin(on_grid))
    series = int(np.searchsorted(offsets, row, side="right")) - 1
    of_series = f" in series {ids[series]!r}" if ids is not None and len(ids) > 1 else ""
    if given in ("auto", STEP):
        raise _irregular(times, row, grid, of_series, source)
    raise _misfit(times, offsets, row, given, timezone, of_series, source)


def _irregular(times: Times, row: int, grid: Grid, of_series: str, source: str) -> DataError:
    apart = f"{grid.size} apart" if grid.unit == "step" else f"{grid.alias} apart"
    return DataError(
        f"{source}: the times follow no regular grid: most rows are {apart}, but {show_time(times[row - 1])} "
        f"is followed by {show_time(times[row])}{of_series}; set data.frequency, or bring the table to a "
        "regular frequency"
    )


def _misfit(
    times: Times, offsets: Integers, row: int, given: str, timezone: str | None, of_series: str, source: str
) -> DataError:
    fitting = next(
        (g.alias for g in _candidates(times, offsets, timezone) if positions(g, times, offsets, timezone)[1].all()),
        None,
    )
    way_out = f"{fitting!r} would fit" if fitting else "use auto, or bring the table to a regular frequency"
    return DataError(
        f"{source}: data.frequency is {given!r} but {show_time(times[row])}{of_series} is not one of its "
        f"times; {way_out}"
    )


def _candidates(times: Times, offsets: Integers, timezone: str | None) -> Iterator[Grid]:
    """Grids with the most common distance of neighboring rows, the most telling name first."""
    if times.dtype.kind == "i":
        yield Grid(STEP, "step", _most_common(times.astype(np.int64), offsets))
        return
    wall = wall_clock(times, timezone).astype(np.int64)
    distance = _most_common(wall, offsets)
    if distance % DAY_NS:
        yield tick_grid(_most_common(times.astype(np.int64), offsets))
        return
    days = distance // DAY_NS
    day = (wall // DAY_NS).astype("datetime64[D]")
    if days >= 28:
        yield from _month_candidates(day, offsets)
    if days == 1 and _skips_weekends(day):
        yield Grid("B", "business day", 1)
    if days % 7 == 0:
        yield week_grid(days // 7, int(day[0].astype(np.int64) + 3) % 7)
    yield day_grid(days)


def _month_candidates(day: Times, offsets: Integers) -> Iterator[Grid]:
    for kind, unit in MONTH_UNITS.items():
        numbers = unit_number(unit, day)
        if not (unit_day(unit, numbers) == day).all():
            continue
        months = _most_common(numbers, offsets)
        modulus = next(size for size in (12, 3, 1) if months % size == 0)
        yield month_grid(kind, months, modulus, int(numbers[0]) % modulus)
        if modulus > 1:  # series that have their years or quarters start in different months
            yield month_grid(kind, months, 1, 0)


def _skips_weekends(day: Times) -> bool:
    """True if no row lies on a weekend although a Monday follows a Friday."""
    friday_to_monday = (np.diff(day.astype(np.int64)) == 3) & ((day[:-1].astype(np.int64) + 3) % 7 == 4)
    return bool(np.is_busday(day).all() and friday_to_monday.any())


def _most_common(numbers: Integers, offsets: Integers) -> int:
    """The most common distance of neighboring rows; of equally common ones the smallest."""
    inner = np.delete(np.diff(numbers), offsets[1:-1] - 1)
    values, counts = np.unique(inner, return_counts=True)
    return int(values[np.argmax(counts)])


def default_season_length(frequency: str) -> int:
    """Steps in the season that a frequency usually has; 1 where it has none.

    A day for steps of 5 minutes to hours, an hour for shorter minutes, a minute for seconds, a week for days,
    a year for weeks, months and quarters.

    Raises:
        DataError: The frequency is unknown.
    """
    grid = parse_frequency(frequency)
    size = grid.size
    if grid.unit == "step":
        return 1
    if grid.unit == "business day":
        season = 5
    elif grid.unit == "ns" and size % DAY_NS:
        season = next((season for least, season in _TICK_SEASONS if size >= least), 1)
    elif grid.unit in ("day", "ns"):
        size = size // DAY_NS if grid.unit == "ns" else size
        season = 364 if size % 7 == 0 else 7
    else:
        season = 12
    return season // size if season % size == 0 else 1


_MINUTE_NS = 60 * 10**9
_TICK_SEASONS = ((5 * _MINUTE_NS, DAY_NS), (_MINUTE_NS, 60 * _MINUTE_NS), (10**9, _MINUTE_NS))
"""Least distance of two rows, and the season that rows so far apart have, in nanoseconds."""


def future_times(last_time: object, frequency: str, n: int, step: int = 1, timezone: str | None = None) -> Times:
    """(n,) the times that follow ``last_time``, of its own type.

    Args:
        last_time: ``datetime64[ns]`` (UTC if there is a time zone) or an integer step, on the grid.
        frequency: pandas offset alias, or ``step``.
        n: How many.
        step: Distance of two integer times.
        timezone: Whose wall clock counts from a day on.

    Raises:
        DataError: The frequency is unknown, or a time lies outside of what can be represented.
    """
    origin = np.asarray(last_time)
    grid = parse_frequency(frequency, step=step)
    try:
        return times_at(
            grid,
            origin if grid.unit == STEP else origin.astype("datetime64[ns]"),
            np.arange(1, n + 1),
            timezone,
        )
    except OverflowError as error:
        raise DataError(
            f"the times of a forecast {n} steps after {last_time} cannot be represented: {error}"
        ) from error

"""Grids from pandas offset aliases, and from times that may have gaps."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pandas as pd
from pandas.tseries.frequencies import to_offset

from lstmgru.data.tables.columns import group_of
from lstmgru.data.tables.grid import (
    DAY_NS,
    Grid,
    Integers,
    Times,
    Unit,
    day_grid,
    positions,
    row_blocks,
    tick_grid,
    times_alias,
    unit_day,
    unit_number,
    wall_clock,
)
from lstmgru.data.tables.week import WEEKDAYS, parse_week, recurring_week
from lstmgru.errors import DataError, did_you_mean, show_time

STEP = "step"
_LAST_DAY = 28
"""Last day that every month has."""
_MOST_UNITS = 2**63 - 1
"""Maximum number of units between neighboring times, a 64-bit integer."""

_COMMON = ["D", "h", "min", "s", "W-SUN", "B", "MS", "ME", "BMS", "BME", "QS", "QE", "YS", "YE", "15min", "30min"]
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
        alias: ``D``, ``15min``, ``W-SUN``, ``2MS``, …, days of the week (``MON-SAT``), a month and its day (``MS@15``),
            or ``step`` for integer times.
        step: Distance between two integer times; only used with ``step``.

    Raises:
        DataError: The alias is unknown, not positive, too large for 64 bits, or not a single regular grid (business
            hours).
    """
    if alias == STEP:
        return Grid(STEP, "step", step)
    if (week := parse_week(alias)) is not None:
        return week
    alias, at, day = alias.partition("@")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # refuse deprecated aliases
            offset = to_offset(alias)
        grid = _grid(offset) if offset is not None and offset.n > 0 else None
    except (ValueError, OverflowError, Warning) as error:
        raise _unknown(alias) from error
    if grid is None or grid.size > _MOST_UNITS:
        raise _unknown(alias)
    if not at:
        return grid
    if grid.unit != "month start" or not day.isdecimal() or not 1 < int(day) <= _LAST_DAY:
        raise _unknown(f"{alias}@{day}")
    return on_day(grid, int(day))


def _unknown(alias: str) -> DataError:
    return DataError(
        f"data.frequency must be auto, step or a pandas offset alias with a positive multiple such as "
        f"{', '.join(_COMMON[:9])}, or days of the week such as MON-SAT, but got {alias!r}"
        f"{did_you_mean(alias, _COMMON)}"
    )


def _grid(offset: pd.offsets.BaseOffset) -> Grid | None:
    n = int(offset.n)
    if isinstance(offset, pd.offsets.Day):  # before Tick, which it is a subclass of in pandas 2
        return day_grid(n)
    if isinstance(offset, pd.offsets.Tick):
        return tick_grid(int(offset.nanos))
    if isinstance(offset, pd.offsets.Week):
        weekday = getattr(offset, "weekday", None)
        return None if weekday is None else week_grid(n, int(weekday))
    if type(offset) is pd.offsets.BusinessDay and offset.freqstr.endswith("B"):
        return Grid(times_alias(n, "B"), "business day", n)
    if type(offset).__name__ not in _MONTH_OFFSETS:
        return None
    kind, months = _MONTH_OFFSETS[type(offset).__name__]
    anchor = getattr(offset, "startingMonth", None) or getattr(offset, "month", None) or 1
    return month_grid(kind, n * months, months, (int(anchor) - 1) % months)


def on_day(grid: Grid, day: int) -> Grid:
    """A grid of first days of months → one of other days of the same months."""
    return replace(grid, alias=f"{grid.alias}@{day}", day=day)


def week_grid(weeks: int, weekday: int) -> Grid:
    """A grid of every ``weeks`` weeks; ``weekday`` 0 is Monday."""
    # 1970-01-01 was a Thursday, so Mondays are days 4, 11, … since then.
    return Grid(times_alias(weeks, f"W-{WEEKDAYS[weekday]}"), "day", 7 * weeks, modulus=7, phase=(weekday + 4) % 7)


def month_grid(kind: str, months: int, modulus: int, phase: int) -> Grid:
    """A grid of every ``months`` months; ``modulus`` 1, 3 or 12 for monthly, quarterly or yearly aliases."""
    business, edge = kind[:-1], kind[-1]
    if modulus == 1:
        alias = f"{business}M{edge}"
    elif modulus == 3:
        # Quarters that start in January also start in October; these are the default names of pandas.
        alias = f"{business}Q{edge}-{_MONTHS[phase if edge == 'S' else phase + 9]}"
    else:
        alias = f"{business}Y{edge}-{_MONTHS[phase]}"
    return Grid(times_alias(months // modulus, alias), MONTH_UNITS[kind], months, modulus, phase)


def infer_frequency(
    times: Times,
    offsets: Integers,
    given: str = "auto",
    *,
    timezone: str | None = None,
    ids: npt.NDArray[np.object_] | None = None,
    source: str = "the table",
) -> tuple[str, int]:
    """Infer the frequency of one or many series, which may have missing rows.

    Args:
        times: (rows,) ``datetime64[ns]`` (UTC if there is a time zone) or ``int64``, ascending within a series.
        offsets: (series + 1,) rows of series ``s`` are ``offsets[s]:offsets[s + 1]``; at least two rows each.
        given: ``auto``, or the frequency that all times must fit.
        timezone: Time zone for frequencies of a day or longer.
        ids: (series,) names for messages; ``None`` for a single series.
        source: File or data set, for messages.

    Returns:
        The alias as pandas writes it and 1, or ``("step", distance)`` for integer times.

    Raises:
        DataError: The times do not fit a regular grid, or the given one.
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
    series = int(group_of(offsets, row))
    of_series = f" in series {ids[series]!r}" if ids is not None and len(ids) > 1 else ""
    if given in ("auto", STEP):
        raise _irregular(times, offsets, row, grid, timezone, of_series, source)
    raise _misfit(times, offsets, row, given, timezone, of_series, source)


def _irregular(
    times: Times, offsets: Integers, row: int, grid: Grid, timezone: str | None, of_series: str, source: str
) -> DataError:
    finer = None if times.dtype.kind == "i" else _finer(times, offsets, timezone)
    way_out = f"set data.frequency: {finer} and data.gaps, or " if finer else ""
    apart = f"{grid.size} apart" if grid.unit == "step" else f"{grid.alias} apart"
    return DataError(
        f"{source}: the times follow no regular grid: most rows are {apart}, but {show_time(times[row - 1])} "
        f"is followed by {show_time(times[row])}{of_series}; {way_out}resample the table to a "
        "regular frequency"
    )


def _finer(times: Times, offsets: Integers, timezone: str | None) -> str | None:
    """The frequency with the largest step that all times fit, if at most as many rows as there are would be missing."""
    for clock, grid_of, unit in ((wall_clock(times, timezone), day_grid, DAY_NS), (times, tick_grid, 1)):
        size = int(np.gcd.reduce(np.delete(np.diff(clock.astype(np.int64)), offsets[1:-1] - 1)))
        if size == 0 or size % unit:
            continue
        grid = grid_of(size // unit)
        steps, on_grid = positions(grid, times, offsets, timezone)
        rows = int((steps[offsets[1:] - 1] + 1).sum(dtype=np.float64))
        return grid.alias if on_grid.all() and rows <= 2 * len(times) else None
    return None


def _misfit(
    times: Times, offsets: Integers, row: int, given: str, timezone: str | None, of_series: str, source: str
) -> DataError:
    fitting = next(
        (g.alias for g in _candidates(times, offsets, timezone) if positions(g, times, offsets, timezone)[1].all()),
        None,
    )
    finer = None if fitting or times.dtype.kind == "i" else _finer(times, offsets, timezone)
    way_out = f"{fitting!r} would fit" if fitting else "resample the table to a regular frequency"
    way_out = f"{finer!r} would fit with data.gaps, or {way_out}" if finer else way_out
    return DataError(
        f"{source}: data.frequency is {given!r} but {show_time(times[row])}{of_series} is not one of its "
        f"times; {way_out}"
    )


def _candidates(times: Times, offsets: Integers, timezone: str | None) -> Iterator[Grid]:
    """Grids with the most common distance between neighboring rows, most specific first."""
    if times.dtype.kind == "i":
        yield Grid(STEP, "step", _most_common(times.astype(np.int64), offsets))
        return
    wall = wall_clock(times, timezone).view(np.int64)
    distance = _most_common(wall, offsets)
    if distance % DAY_NS:
        tick = _most_common(times.astype(np.int64), offsets)
        if week := recurring_week(times, offsets, timezone, tick):
            yield week
        yield tick_grid(tick)
        return
    days = distance // DAY_NS
    if days >= 28:
        yield from _month_candidates((wall // DAY_NS).astype("datetime64[D]"), offsets)
    if days < 7 and (week := recurring_week(times, offsets, timezone, distance)):
        yield week
    if days == 1 and _skips_weekends(wall):
        yield Grid("B", "business day", 1)
    if days % 7 == 0:
        yield week_grid(days // 7, int(wall[0] // DAY_NS + 3) % 7)
    yield day_grid(days)


def _month_candidates(day: Times, offsets: Integers) -> Iterator[Grid]:
    of_month = int((day[0] - day[0].astype("datetime64[M]").astype("datetime64[D]")).astype(int)) + 1
    if 1 < of_month <= _LAST_DAY:  # moved to the first days of the months
        grids = _month_grids(day - (of_month - 1), offsets)
        yield from (on_day(grid, of_month) for grid in grids if grid.unit == "month start")
    yield from _month_grids(day, offsets)


def _month_grids(day: Times, offsets: Integers) -> Iterator[Grid]:
    for kind, unit in MONTH_UNITS.items():
        numbers = unit_number(unit, day)
        if not (unit_day(unit, numbers) == day).all():
            continue
        months = _most_common(numbers, offsets)
        modulus = next(size for size in (12, 3, 1) if months % size == 0)
        yield month_grid(kind, months, modulus, int(numbers[0]) % modulus)
        if modulus > 1:  # series whose years or quarters start in different months
            yield month_grid(kind, months, 1, 0)


def _skips_weekends(wall: Integers) -> bool:
    """True if no row is on a weekend and a Monday follows a Friday; times are in nanoseconds."""
    skipped = False
    for part in row_blocks(len(wall)):
        day = wall[part.start : part.stop + 1] // DAY_NS
        if not np.is_busday(day.astype("datetime64[D]")).all():
            return False
        skipped |= bool(((np.diff(day) == 3) & ((day[:-1] + 3) % 7 == 4)).any())
    return skipped


def _most_common(numbers: Integers, offsets: Integers) -> int:
    """The most common distance between neighboring rows; the smallest one of ties."""
    counts: Counter[int] = Counter()
    inner = np.ones(len(numbers) - 1, bool)
    inner[offsets[1:-1] - 1] = False
    for part in row_blocks(len(inner)):
        distances = np.diff(numbers[part.start : part.stop + 1])[inner[part]]
        found, times = np.unique(distances, return_counts=True)
        counts.update(dict(zip(found.tolist(), times.tolist(), strict=True)))
    return min(counts, key=lambda distance: (-counts[distance], distance))


def default_season_length(frequency: str) -> int:
    """Steps in the usual season of a frequency; 1 if it has none.

    The season is a day for 5 minutes to hours and for opening hours that are the same on all days, an hour for shorter
    minutes, a minute for seconds, a week for days and other opening hours, and a year for weeks, months and quarters.

    Raises:
        DataError: The frequency is unknown.
    """
    grid = parse_frequency(frequency)
    size = grid.size
    if grid.unit == "step":
        return 1
    if grid.unit == "business day":
        season = 5
    elif grid.unit == "week":
        per_day = set(Counter(row // DAY_NS for row in grid.week).values())
        season = len(grid.week) if len(per_day) > 1 or per_day == {1} else per_day.pop()
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
"""Minimum distance between rows and their season, in nanoseconds."""

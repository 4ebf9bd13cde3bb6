"""Grids of rows that recur every week, such as Monday to Saturday or opening hours, named ``MON-SAT`` and the like."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import groupby

import numpy as np
from pandas.tseries.frequencies import to_offset

from lstmgru.data.tables.grid import (
    DAY_NS,
    MONDAY_NS,
    WEEK_NS,
    Grid,
    Integers,
    Times,
    day_grid,
    row_blocks,
    tick_grid,
    wall_clock,
)

WEEKDAYS = ("MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN")
_MINUTE_NS = 60 * 10**9
_DAY, _TIME = "|".join(WEEKDAYS), r"\d\d:\d\d"
_PART = re.compile(rf"((?:{_DAY})(?:[-,](?:{_DAY}))*)(?: ({_TIME})(?:-({_TIME}) (\w+))?)?$")
_FEWEST_WEEKS = 4
_CHANCE = 1e-6
"""Probability below which rows that never occur are not missing by chance."""


def parse_week(alias: str) -> Grid | None:
    """The grid of a week with rows on some days (``MON-SAT``, ``MON,WED,FRI``) or at some times of them.

    Times are those of the first and the last row of a day and their distance: ``MON-FRI 08:00-17:30 30min``. Days with
    other times follow after a semicolon: ``MON-FRI 08:00-17:00 h; SAT 08:00-12:00 h``.

    Returns:
        ``None`` if the alias names no such week.
    """
    rows: set[int] = set()
    for part in alias.split("; "):
        match = _PART.match(part)
        if match is None:
            return None
        days, first, last, step = match.groups()
        times = list(_times(first or "00:00", last, step))
        if not times:
            return None
        rows |= {day * DAY_NS + time for day in _days(days) for time in times}
    return _grid(sorted(rows))


def _days(text: str) -> Iterator[int]:
    for part in text.split(","):
        first, *last = (WEEKDAYS.index(name) for name in part.split("-"))
        yield from ((first + n) % 7 for n in range(((last[-1] if last else first) - first) % 7 + 1))


def _times(first: str, last: str | None, step: str | None) -> Iterator[int]:
    """Times of a day in nanoseconds; none if they are invalid."""
    start, end = (int(text[:2]) * 60 + int(text[3:]) for text in (first, last or first))
    try:
        size = 1 if step is None else to_offset(step).nanos // _MINUTE_NS
    except ValueError:
        return
    if size > 0 and start <= end < 24 * 60 and (end - start) % size == 0:
        yield from (minute * _MINUTE_NS for minute in range(start, end + 1, size))


def recurring_week(
    times: Times, offsets: Integers, timezone: str | None, tick: int, *, certain: bool = True
) -> Grid | None:
    """The week whose rows all times are among, if it has a name and is no regular grid.

    Args:
        times: (rows,) ``datetime64[ns]``, as of :func:`~lstmgru.data.tables.grid.positions`.
        offsets: (series + 1,) first rows of the series.
        timezone: Time zone of local time.
        tick: Most common distance of neighboring rows in nanoseconds.
        certain: Whether there must be four weeks, and too few missing rows for others to be missing by chance.
    """
    if tick % _MINUTE_NS or (tick < DAY_NS and WEEK_NS % tick):
        return None
    wall, unit = wall_clock(times, timezone).view(np.int64), min(tick, DAY_NS)
    rows = sorted({row for part in row_blocks(len(wall)) for row in _rows_of_week(wall[part], unit)})
    grid = _grid(rows) if 1 < len(rows) < WEEK_NS // unit else None
    if grid is None or not certain:
        return grid
    weeks = (wall[offsets[1:] - 1] - wall[offsets[:-1]]) / WEEK_NS
    missing = max(0.0, 1 - len(times) / (len(rows) * float(weeks.sum()) + 1e-9))
    by_chance = WEEK_NS // unit * missing ** float(weeks.max())
    return grid if weeks.max() >= _FEWEST_WEEKS and missing < 0.5 and by_chance < _CHANCE else None


def _rows_of_week(wall: Times, unit: int) -> list[int]:
    """The distinct times since Monday, those of days as midnight."""
    since = wall - MONDAY_NS
    found: list[int] = np.unique((since // DAY_NS * DAY_NS if unit == DAY_NS else since) % WEEK_NS).tolist()
    return found


def _grid(rows: Sequence[int]) -> Grid | None:
    """The grid of ascending rows of a week, nanoseconds since its Monday; ``None`` if it has no name."""
    days = {day: tuple(row % DAY_NS for row in of_day) for day, of_day in groupby(rows, lambda row: row // DAY_NS)}
    daily = set(days.values()) == {(0,)}
    if daily and len(days) == 7:
        return day_grid(1)
    if daily and tuple(days) == tuple(range(5)):
        return Grid("B", "business day", 1)
    parts = []
    for times in dict.fromkeys(days.values()):
        clock = "" if daily else _clock(times)
        if clock is None:
            return None
        parts.append(_names([day for day in days if days[day] == times]) + clock)
    return Grid("; ".join(parts), "week", 1, week=tuple(rows)) if len(rows) > 1 else None


def _clock(times: tuple[int, ...]) -> str | None:
    """`` 08:00-17:00 h``; ``None`` if they are no whole minutes or not equidistant."""
    if any(time % _MINUTE_NS for time in times) or len(set(np.diff(times).tolist())) > 1:
        return None
    ends = "-".join(f"{time // (60 * _MINUTE_NS):02}:{time // _MINUTE_NS % 60:02}" for time in (times[0], times[-1]))
    return f" {ends} {tick_grid(times[1] - times[0]).alias}" if len(times) > 1 else f" {ends[:5]}"


def _names(days: Sequence[int]) -> str:
    """``MON-SAT`` or ``MON,WED,FRI``."""
    runs = [[day for _, day in run] for _, run in groupby(enumerate(days), lambda pair: pair[1] - pair[0])]
    return ",".join("-".join(dict.fromkeys(WEEKDAYS[day] for day in (run[0], run[-1]))) for run in runs)

"""Calendar features: the position of a time in the hour, day, week or year, and the year itself.

A periodic feature has two channels, the sine and cosine of its angle, so that the end of a period is next to its start.
The year has a single channel. All features refer to local time in the time zone of the data.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from lstmgru.data.tables.frequency import parse_frequency
from lstmgru.data.tables.grid import DAY_NS, Times, wall_clock
from lstmgru.errors import DataError, did_you_mean

Fractions = npt.NDArray[np.float64]
# Limits the memory of intermediate results, which is several times that of the channels.
_BLOCK_ROWS = 262_144


def _since(times: Times, unit: str) -> npt.NDArray[Any]:
    """Time since the start of the unit that a time lies in."""
    since: npt.NDArray[Any] = times - times.astype(f"datetime64[{unit}]")
    return since


def _minute_of_hour(times: Times) -> Fractions:
    return _since(times, "h") / np.timedelta64(1, "h")


def _hour_of_day(times: Times) -> Fractions:
    return _since(times, "D") / np.timedelta64(1, "D")


def _day_number(times: Times) -> npt.NDArray[np.int64]:
    return times.astype("datetime64[D]").astype(np.int64)


def _day_of_week(times: Times) -> Fractions:
    return ((_day_number(times) + 3) % 7) / 7


def _day_within(times: Times, unit: str) -> Fractions:
    start = times.astype(f"datetime64[{unit}]")
    first, following = start.astype("datetime64[D]"), (start + 1).astype("datetime64[D]")
    fraction: Fractions = (times.astype("datetime64[D]") - first) / (following - first)
    return fraction


def _day_of_month(times: Times) -> Fractions:
    return _day_within(times, "M")


def _day_of_year(times: Times) -> Fractions:
    return _day_within(times, "Y")


def _week_of_year(times: Times) -> Fractions:
    """ISO 8601: a week belongs to the year of its Thursday, a year has 52 or 53 Thursdays."""
    day = _day_number(times)
    thursday = (day - (day + 3) % 7 + 3).astype("datetime64[D]")
    year = thursday.astype("datetime64[Y]")
    first, following = (
        year.astype("datetime64[D]").astype(np.int64),
        (year + 1).astype("datetime64[D]").astype(np.int64),
    )
    week = (thursday.astype(np.int64) - first) // 7
    weeks = (following - 1 - thursday.astype(np.int64)) // 7 + week + 1
    fraction: Fractions = week / weeks
    return fraction


def _month_of_year(times: Times) -> Fractions:
    return (times.astype("datetime64[M]").astype(np.int64) % 12) / 12


def _quarter_of_year(times: Times) -> Fractions:
    return (times.astype("datetime64[M]").astype(np.int64) % 12 // 3) / 4


def _year(times: Times) -> Fractions:
    """Years since the start of 2000, with their fraction."""
    year = times.astype("datetime64[Y]")
    days = (year + 1).astype("datetime64[D]") - year.astype("datetime64[D]")
    fraction: Fractions = _since(times, "Y") / days
    return year.astype(np.int64) + 1970 - _YEAR_ZERO + fraction


_YEAR_ZERO = 2000
"""Near most data, so that single precision resolves the time within a year."""

_FRACTIONS: dict[str, Callable[[Times], Fractions]] = {
    "minute_of_hour": _minute_of_hour,
    "hour_of_day": _hour_of_day,
    "day_of_week": _day_of_week,
    "day_of_month": _day_of_month,
    "day_of_year": _day_of_year,
    "week_of_year": _week_of_year,
    "month_of_year": _month_of_year,
    "quarter_of_year": _quarter_of_year,
}

_LINEAR = {"year": _year}

CALENDAR_FEATURES: tuple[str, ...] = (*_FRACTIONS, *_LINEAR)


def check_features(features: Sequence[str]) -> None:
    """Refuse names that are not in ``CALENDAR_FEATURES``, and repeated ones.

    Raises:
        DataError: Names the first such feature.
    """
    for index, feature in enumerate(features):
        if feature not in CALENDAR_FEATURES:
            raise DataError(
                f"data.calendar must be auto, none or names among {', '.join(CALENDAR_FEATURES)} "
                f"but got {feature!r}{did_you_mean(feature, list(CALENDAR_FEATURES))}"
            )
        if feature in features[:index]:
            raise DataError(f"data.calendar: {feature!r} is listed twice; list each feature once")


def calendar_channels(features: Sequence[str]) -> tuple[str, ...]:
    """Names of the channels: ``day_of_week`` → ``day_of_week_sin``, ``day_of_week_cos``; ``year`` → ``year``."""
    return tuple(channel for feature in features for channel in _channels(feature))


def _channels(feature: str) -> tuple[str, ...]:
    return (feature,) if feature in _LINEAR else (f"{feature}_sin", f"{feature}_cos")


def channel_features(channels: Sequence[str]) -> tuple[str, ...]:
    """The features of the names from :func:`calendar_channels`."""
    return tuple(channel.removesuffix("_sin") for channel in channels if not channel.endswith("_cos"))


def calendar_values(times: Times, features: Sequence[str], timezone: str | None = None) -> npt.NDArray[np.float32]:
    """The channels of some features.

    Args:
        times: (rows,) ``datetime64[ns]``, UTC if there is a time zone.
        features: Names from ``CALENDAR_FEATURES``.
        timezone: Time zone of the features; ``None`` for naive times.

    Returns:
        (rows, channels) in the order of :func:`calendar_channels`; sines and cosines are in [-1, 1], years count from
        the start of 2000.

    Raises:
        DataError: A feature is unknown, or the times are integers.
    """
    check_features(features)
    if features and times.dtype.kind != "M":
        raise DataError(
            f"data.calendar: {features[0]!r} needs dates but the time column holds integers; "
            "set data.calendar to none, or write the times as dates (2020-01-31)"
        )
    values = np.empty((len(times), len(calendar_channels(features))), np.float32)
    for start in range(0, len(times) if features else 0, _BLOCK_ROWS):
        part = slice(start, start + _BLOCK_ROWS)
        wall = wall_clock(times[part], timezone)
        columns = (column for feature in features for column in _columns(wall, feature))
        for channel, column in enumerate(columns):
            values[part, channel] = column
    return values


def _columns(wall: Times, feature: str) -> tuple[Fractions, ...]:
    """The channels of one feature."""
    if feature in _LINEAR:
        return (_LINEAR[feature](wall),)
    angle = 2 * np.pi * _FRACTIONS[feature](wall)
    # Rounded, so that sin π is 0 and not 1e-16, which a scaler would amplify.
    return np.sin(angle).round(7), np.cos(angle).round(7)


def auto_calendar(frequency: str) -> tuple[str, ...]:
    """The features that vary at a frequency and are worth a channel; none for integer steps.

    Only yearly data get the year itself, as they have no other feature: it is a trend, and models would have to
    extrapolate beyond the training years.

    Raises:
        DataError: The frequency is unknown.
    """
    grid = parse_frequency(frequency)
    size = int(np.diff(grid.week).min()) if grid.week else grid.size
    if grid.unit in ("ns", "week") and size % DAY_NS:
        within_hour = ("minute_of_hour",) if size < 5 * 60 * 10**9 else ()
        return (*within_hour, "hour_of_day", "day_of_week", "day_of_year")
    if grid.unit == "week":
        return ("day_of_week", "day_of_year")
    if grid.unit in ("day", "business day", "ns"):
        days = grid.size // DAY_NS if grid.unit == "ns" else grid.size
        return ("day_of_week", "day_of_year") if days % 7 else ("week_of_year",)
    if grid.unit == "step":
        return ()
    if grid.size % 12 == 0:
        return ("year",)
    return ("quarter_of_year",) if grid.size % 3 == 0 else ("month_of_year",)

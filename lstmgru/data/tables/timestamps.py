"""Time columns: dates, text in ISO 8601, or integer steps; ambiguous times are refused."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from pandas.api import types

from lstmgru.data.tables.calendar_numbers import refuse_calendar_numbers
from lstmgru.data.tables.columns import refuse_empty
from lstmgru.errors import DataError, RowsError

_YEAR_FIRST = re.compile(r"\d{4}([-/]|\d{4}|$)")
_ISO = re.compile(r"\d{4}-\d\d")
_ARROW_DATES = ("date32[day][pyarrow]", "date64[ms][pyarrow]")
_LOCAL_DATE = re.compile(r"\d{1,2}[/.-]\d{1,2}[/.-]\d{2,4}")
_UTC_OFFSET = re.compile(r":\d\d[^+\-Zz]*([Zz]|[+-]\d\d(?::?\d\d)?)$")


def read_times(
    column: pd.Series, source: str, time_format: str | None = None, *, may_set_format: bool = False
) -> tuple[npt.NDArray[Any], str | None]:
    """The times of a column and the name of their time zone.

    Args:
        column: Dates, text in ISO 8601, periods, or integer steps.
        source: File or data set, for messages.
        time_format: Format of text and integers as in ``strptime``; ``None`` for ISO 8601 and steps. Text in ISO 8601
            is read in any case.
        may_set_format: Whether messages advise to set ``data.time_format``.

    Returns:
        (rows,) ``int64`` or ``datetime64[ns]``, in UTC if there is a time zone. Offsets that differ are read as UTC.
        They may share the memory of the column.

    Raises:
        DataError: A time is missing, unreadable, ambiguous (not ISO 8601), decimal or not in the years 1678 to 2261,
            or the column mixes time zones; rows count from 1.
    """
    where = f"{source}: column {column.name!r} (data.time)"
    refuse_empty(column.isna().to_numpy(), where, "every row must have a time")
    if isinstance(column.dtype, pd.CategoricalDtype):
        column = column.astype(column.cat.categories.dtype)
    if column.dtype == object:
        column = column.infer_objects()
    if isinstance(column.dtype, pd.PeriodDtype):
        column = column.dt.to_timestamp()
    if column.dtype in _ARROW_DATES:
        column = column.astype("datetime64[s]")
    if types.is_bool_dtype(column.dtype) or column.dtype.kind in "mfc":
        raise DataError(
            f"{where} must hold dates or whole numbers but holds {column.dtype} ({column.iloc[0]}); "
            "write dates as 2020-01-31, or steps as whole numbers"
        )
    if time_format is not None and not types.is_datetime64_any_dtype(column.dtype):
        column = _parse_as(column.astype(str), time_format, where)
    if types.is_integer_dtype(column.dtype):
        return _steps(column, where, may_set_format), None
    if not types.is_datetime64_any_dtype(column.dtype):
        column = _parse(column, where, "set data.time_format, such as '%d/%m/%Y', or " if may_set_format else "")
    return _utc_nanoseconds(column, where)


def local_times(times: npt.NDArray[Any], timezone: str | None) -> pd.Index[Any]:
    """Times as in a raw table: steps, or dates in their own time zone.

    Args:
        times: (rows,) ``int64``, or ``datetime64[ns]``, in UTC if there is a time zone.
        timezone: Name of the time zone.
    """
    index = pd.Index(times)
    return index.tz_localize("UTC").tz_convert(timezone) if isinstance(index, pd.DatetimeIndex) and timezone else index


def _steps(column: pd.Series, where: str, may_set_format: bool) -> npt.NDArray[np.int64]:
    if int(column.max()) > np.iinfo(np.int64).max // 4 or int(column.min()) < np.iinfo(np.int64).min // 4:
        raise DataError(f"{where} holds a step too far from 0 ({column.max()}); count from a smaller number")
    steps = column.to_numpy(np.int64)
    refuse_calendar_numbers(steps, where, may_set_format=may_set_format)
    return steps


def _parse_as(column: pd.Series, time_format: str, where: str) -> pd.Series:
    """Convert text of a format to times, or return text in ISO 8601 as it is; each distinct text is parsed once."""
    codes, uniques = pd.factorize(column)
    texts = pd.Series(np.asarray(uniques, dtype=object)).str.strip()
    try:
        parsed = pd.to_datetime(texts, format=time_format, errors="coerce", utc="%z" in time_format)
    except (ValueError, OverflowError) as error:
        raise DataError(f"{where}: data.time_format {time_format!r} is not a valid time format: {error}") from error
    unread = parsed.isna().to_numpy()
    if not unread.any():
        return parsed.take(codes)
    if texts.str.match(_ISO).all():
        return column

    def message(row: int, number: int, _: str) -> str:
        return f"{where}: row {number} is {texts[codes[row]]!r}, which is not of the format {time_format!r}; correct it"

    raise RowsError(unread[codes], message)


def _parse(column: pd.Series, where: str, way_out: str) -> pd.Series:
    """Convert text to times; each distinct text is parsed once."""
    codes, uniques = pd.factorize(column.astype(str))
    texts = pd.Series(np.asarray(uniques, dtype=object)).str.strip()
    # pandas would also accept "now" and "today".
    year_first = texts.str.match(_YEAR_FIRST).to_numpy(bool)
    offsets = {_zone(text) for text in texts[year_first]}
    try:
        # Offsets that differ, as in local times across a change of clocks, name no time zone but are not ambiguous.
        in_utc = len(offsets) > 1 and "" not in offsets
        parsed = pd.to_datetime(texts.where(year_first, None), format="ISO8601", errors="coerce", utc=in_utc)
    except (ValueError, OverflowError) as error:
        raise _mixed_zones(texts, codes, where) from error
    # pandas 2 does not raise: it returns objects, or reads text without an offset as UTC.
    if parsed.dtype == object or (parsed.dt.tz is not None and not all(map(_zone, texts[year_first]))):
        raise _mixed_zones(texts, codes, where)
    unread = parsed.isna().to_numpy()
    if unread.any():
        index = int(np.argmax(unread))
        if year_first[index] and not pd.isna(pd.to_datetime(texts[index], format="ISO8601", errors="coerce")):
            raise _mixed_zones(texts, codes, where)  # readable by itself, so the time zones are mixed
        raise _unreadable(texts, unread, codes, where, way_out)
    return parsed.take(codes)


def _unreadable(
    texts: pd.Series, unread: npt.NDArray[np.bool_], codes: npt.NDArray[np.intp], where: str, way_out: str
) -> DataError:
    def message(row: int, number: int, _: str) -> str:
        text = texts[codes[row]]
        rule = "is ambiguous (day or month first?)" if _LOCAL_DATE.match(text) else "is not a time"
        return (
            f"{where}: row {number} is {text!r}, which {rule}; {way_out}write times in ISO 8601, such as "
            "2020-01-31 12:00"
        )

    return RowsError(unread[codes], message)


def _zone(text: str) -> str:
    """``+0100``, or an empty string without an offset."""
    match = _UTC_OFFSET.search(text)
    return match[1].upper().replace("Z", "+00").replace(":", "").ljust(5, "0") if match else ""


def _mixed_zones(texts: pd.Series, codes: npt.NDArray[np.intp], where: str) -> DataError:
    zones = [_zone(text) for text in texts]
    other = next((index for index, zone in enumerate(zones) if zone != zones[0]), 0)
    return DataError(
        f"{where} mixes time zones: row 1 is {texts[0]!r} and row {int(np.argmax(codes == other)) + 1} is "
        f"{texts[other]!r}; write all times in UTC (2020-01-31T12:00Z), or all without an offset"
    )


def _utc_nanoseconds(column: pd.Series, where: str) -> tuple[npt.NDArray[Any], str | None]:
    zone = getattr(column.dtype, "tz", None) or getattr(column.dt, "tz", None)
    timezone = None if zone is None else _zone_name(zone, where)
    naive = column if zone is None else column.dt.tz_convert("UTC").dt.tz_localize(None)
    times = naive.to_numpy()
    outside = (times < np.datetime64("1678-01-01")) | (times >= np.datetime64("2262-01-01"))
    if outside.any():
        raise RowsError(
            outside,
            lambda row, number, _: f"{where}: row {number} is {times[row]}; times must lie in the years 1678 to 2261",
        )
    return times.astype("datetime64[ns]", copy=False), timezone


def _zone_name(zone: object, where: str) -> str:
    name = str(zone)
    try:
        pd.Timestamp(0, tz=name)
    except (ValueError, KeyError, TypeError, OSError) as error:
        raise DataError(f"{where} has the time zone {name}, which has no standard name; convert it to UTC") from error
    return name

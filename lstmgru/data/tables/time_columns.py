"""The column of times of a table: one column, or several that are put together, and how their text is written."""

from __future__ import annotations

import re
from collections.abc import Sequence

import pandas as pd
from pandas.api import types

from lstmgru.data.tables.columns import refuse_empty
from lstmgru.data.tables.timestamps import read_times
from lstmgru.errors import DataError, RowsError

_LOCAL = re.compile(r"(\d{1,2})([/.-])(\d{1,2})\2\d{4}(?:([ T])\d{1,2}:\d\d(:\d\d)?)?$")
_CLOCK_TIME = r"(?:[01]?\d|2[0-3]):[0-5]\d(:[0-5]\d)?"
_YEARS = 1678, 2261
_DATE = {"month": (1, 12), "day": (1, 31)}
_OF_DAY = {"hour": (0, 23), "minute": (0, 59), "second": (0, 59)}
_SECONDS = {"hour": 3600, "minute": 60, "second": 1}


def time_name(columns: Sequence[str]) -> str:
    """The name of the time in messages, bundles and forecasts: that of its column, or of all with blanks between."""
    return " ".join(columns)


def join_times(
    frame: pd.DataFrame, columns: Sequence[str], source: str, time_format: str | None, *, of_study: bool = True
) -> pd.Series:
    """One column of times from several.

    With a format, their texts are joined by blanks. Otherwise the first holds dates or years, and the others numbers or
    times of day (``13:45``), in order: month and day after a year, then hour, minute and second.

    Args:
        frame: The table.
        columns: At least two, in order.
        source: File or data set, for messages.
        time_format: As in ``strptime``, of the joined texts.
        of_study: Whether messages advise to set ``data.time_format``.

    Raises:
        DataError: A cell is empty or no such part of a time; rows count from 1.
    """
    name, first, rest = time_name(columns), frame[columns[0]], list(columns[1:])
    for column in columns:
        refuse_empty(frame[column].isna().to_numpy(), _where(source, column), "every row must have a time")
    if time_format is not None:
        return first.astype(str).str.cat(frame[rest].astype(str), sep=" ").rename(name)
    if types.is_numeric_dtype(first.dtype):
        dated, rest = rest[:2], rest[2:]
        years = _numbers(first, "year", _YEARS, source)
        units = zip(_DATE, dated, strict=False)
        parts = {unit: _numbers(frame[column], unit, _DATE[unit], source) for unit, column in units}
        times = pd.to_datetime(pd.DataFrame({"month": 1, "day": 1, "year": years, **parts}), errors="coerce")
        _refuse(times.isna(), f"{_where(source, columns[0])} and {', '.join(map(repr, dated))} are not a date in row")
    else:
        dates, zone = read_times(first, source, may_set_format=of_study)
        if zone is not None or dates.dtype.kind != "M":
            raise DataError(
                f"{_where(source, columns[0])} must hold dates without a time zone, or years, as other columns hold "
                "the rest of the time; name it alone, or correct it"
            )
        times = pd.Series(dates, index=frame.index)
    for column, unit in zip(rest, _units(frame, rest, source), strict=True):
        if unit == "clock":
            clock = frame[column].astype(str).str.strip()
            at = f"{_where(source, column)} must hold times of day such as 13:45, as in other rows, but is not in row"
            _refuse(~clock.str.fullmatch(_CLOCK_TIME).astype(bool), at)
            times = times + pd.to_timedelta(clock.where(clock.str.count(":") == 2, clock + ":00"))
        else:
            numbers = _numbers(frame[column], unit, _OF_DAY[unit], source)
            times = times + pd.to_timedelta(numbers * _SECONDS[unit], unit="s")
    return times.rename(name)


def _where(source: str, column: str) -> str:
    return f"{source}: column {column!r} (data.time)"


def _units(frame: pd.DataFrame, columns: Sequence[str], source: str) -> list[str]:
    """What columns after a date hold: ``clock`` for a time of day, else ``hour``, ``minute``, ``second`` in order."""
    units: list[str] = []
    for column in columns:
        if units and (units[-1] == "clock" or len(units) == len(_OF_DAY)):
            raise DataError(f"{_where(source, column)} is one too many after a whole time of day; remove it")
        texts = not types.is_numeric_dtype(frame[column].dtype)
        is_clock = texts and frame[column].astype(str).str.strip().str.fullmatch(_CLOCK_TIME).any()
        units.append("clock" if is_clock else list(_OF_DAY)[len(units)])
    return units


def _numbers(column: pd.Series, unit: str, bounds: tuple[int, int], source: str) -> pd.Series:
    """A part of times as numbers."""
    numbers = pd.to_numeric(column, errors="coerce")
    rule = f"{_where(source, str(column.name))} must hold whole numbers from {bounds[0]} to {bounds[1]} ({unit}s)"

    def message(row: int, number: int, more: str) -> str:
        return f"{rule} but row {number} is {column.iloc[row]}{more}; correct it"

    wrong = ~(numbers.between(*bounds) & (numbers % 1 == 0)).to_numpy()
    if wrong.any():
        raise RowsError(wrong, message)
    return numbers


def _refuse(wrong: pd.Series, message: str) -> None:
    if wrong.any():
        raise RowsError(wrong.to_numpy(), lambda _, number, more: f"{message} {number}{more}; correct it")


def settled_format(frame: pd.DataFrame, columns: Sequence[str], source: str) -> str | None:
    """The format of times that begin with local dates; ``None`` for others.

    Raises:
        DataError: As :func:`local_format`.
    """
    found = local_format(frame[columns[0]], source)
    if found is None or len(columns) == 1:
        return found
    clocks = {"clock": "%H:%M", "hour": "%H", "minute": "%M", "second": "%S"}
    parts = [clocks[unit] for unit in _units(frame, columns[1:], source)]
    if parts[-1] == "%H:%M" and frame[columns[-1]].astype(str).str.count(":").max() == 2:
        parts[-1] += ":%S"
    return " ".join([found, *parts])


def local_format(column: pd.Series, source: str) -> str | None:
    """The format of local dates with the year last (``31/12/2020``, ``31.12.2020 23:00``); ``None`` for other columns.

    A number above 12 in any row says whether days or months come first.

    Raises:
        DataError: No row does, or rows contradict each other.
    """
    if not (column.dtype == object or types.is_string_dtype(column.dtype)):
        return None
    texts = column.dropna().astype(str).str.strip()
    if not _LOCAL.match(next(iter(texts), "")):
        return None
    texts = texts.drop_duplicates()
    matches = [_LOCAL.match(text) for text in texts]
    found = [match for match in matches if match]
    if len(found) < len(matches):
        return None
    firsts, seconds = ([match for match in found if int(match[group]) > 12] for group in (1, 3))
    where = f"{source}: column {column.name!r} (data.time)"
    if firsts and seconds:
        raise DataError(
            f"{where} holds dates with the day first ({firsts[0][0]}) and dates with the month first "
            f"({seconds[0][0]}); correct it, or write times in ISO 8601, such as 2020-01-31 12:00"
        )
    separator, between, has_seconds = found[0][2], found[0][4], found[0][5]
    clock = "" if between is None else f"{between}%H:%M" + (":%S" if has_seconds else "")
    day_first, month_first = (f"%{a}{separator}%{b}{separator}%Y{clock}" for a, b in ("dm", "md"))
    if not firsts and not seconds:
        raise DataError(
            f"{where}: no row says whether the day or the month comes first, as in {found[0][0]!r}; set "
            f"data.time_format: '{day_first}' or '{month_first}'"
        )
    return day_first if firsts else month_first

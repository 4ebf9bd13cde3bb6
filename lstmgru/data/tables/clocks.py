"""Local times of a time zone, on whose clocks an hour is repeated and another one left out every year."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from lstmgru.data.tables.grid import DAY_NS, Integers, Times
from lstmgru.errors import RowsError, show_time

_CHANGES_BEFORE = 4 * 3600 * 10**9
"""Time of a Sunday by which clocks are changed in most time zones, in nanoseconds."""


def utc_times(wall: Times, series: Integers, timezone: str, where: str, *, of_study: bool = True) -> Times:
    """Local times → UTC. Of a time that a series has twice, the first is before the change of clocks.

    Args:
        wall: (rows,) ``datetime64[ns]`` without a time zone.
        series: (rows,) number of each row's series.
        timezone: Name of the time zone.
        where: The column, for messages.
        of_study: Whether messages advise to remove ``data.timezone``.

    Raises:
        RowsError: A change of clocks leaves out some of the times; rows count from 1.
    """
    index = pd.DatetimeIndex(wall)
    if (wall.astype(np.int64) % DAY_NS == 0).all():  # dates; a day may begin at 1:00
        return _utc(index.tz_localize(timezone, ambiguous=np.ones(len(wall), bool), nonexistent="shift_forward"))
    rows = np.flatnonzero(index.tz_localize(timezone, ambiguous="NaT", nonexistent="NaT").isna())
    if len(rows) == 0:
        return _utc(index.tz_localize(timezone))
    summer = np.ones(len(wall), bool)
    left_out = index[rows].tz_localize(timezone, ambiguous=summer[rows], nonexistent="NaT").isna()
    if left_out.any():
        or_remove = ", or remove data.timezone if the times are of a clock that is not changed" if of_study else ""
        raise RowsError(
            np.isin(np.arange(len(wall)), rows[left_out]),
            lambda row, number, more: (
                f"{where}: row {number} is {show_time(wall[row])}{more}, which the change of clocks in {timezone} "
                f"leaves out; correct it{or_remove}"
            ),
        )
    cells = pd.DataFrame({"series": series[rows], "time": wall[rows]})
    later, alone = cells.duplicated().to_numpy(), ~cells.duplicated(keep=False).to_numpy()
    summer[rows] = later | alone if _descend(wall, series) else ~later
    return _utc(index.tz_localize(timezone, ambiguous=summer))


def _descend(wall: Times, series: Integers) -> bool:
    """Whether most rows of a series are earlier than the row before."""
    order = np.argsort(series, kind="stable")
    same = np.diff(series[order]) == 0
    change = np.diff(wall[order].astype(np.int64))[same]
    return int((change < 0).sum()) > int((change > 0).sum())


def _utc(index: pd.DatetimeIndex) -> Times:
    return index.tz_convert("UTC").tz_localize(None).to_numpy().astype("datetime64[ns]")


def suggest_change_of_clocks(times: Times, of_table: Times) -> bool:
    """Whether times without a time zone that occur twice may be those of the hour that a change of clocks repeats.

    Args:
        times: Only those that occur twice, dates or integers.
        of_table: All times. If they all have the same time of day, as in daily data, no hour is repeated.
    """
    if times.dtype.kind != "M" or len(np.unique(of_table.astype("datetime64[ns]").astype(np.int64) % DAY_NS)) < 2:
        return False
    numbers: npt.NDArray[np.int64] = times.astype("datetime64[ns]").astype(np.int64)
    sundays = (numbers // DAY_NS + 3) % 7 == 6  # 1970-01-01 was a Thursday
    return bool((sundays & (numbers % DAY_NS < _CHANGES_BEFORE)).all() and len(np.unique(numbers)) == len(numbers))

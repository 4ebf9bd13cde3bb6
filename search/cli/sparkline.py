"""The forecast of the steps after the data, as a line of block characters."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING

from lstmgru.errors import DataError, counted
from lstmgru.evaluation.decimals import decimals_of, fixed
from search.reports.holdout.forecast_table import read_forecasts
from search.study.paths import NEXT_TABLE, report_path

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd
    from rich.console import Console

    from search.study.records import StudyRecord

_BLOCKS = "▁▂▃▄▅▆▇█"
_MOST_TARGETS = 3
_BEFORE, _AFTER = 30, 30
"""Largest number of characters for the last values and for the forecast."""


def print_forecast(console: Console, study: StudyRecord) -> None:
    """Print the last values and the next forecast of the first series; nothing if there is no such forecast."""
    if study.bundle is None or not _can_print(console):
        return
    path = report_path(Path(study.bundle)) / NEXT_TABLE
    try:
        frame = read_forecasts(path)
        targets = frame.groupby("target", sort=False)
        drawn = [(str(target), rows) for target, rows in targets if rows["forecast"].notna().any()]
    except (FileNotFoundError, DataError, KeyError):
        return
    for target, rows in drawn[:_MOST_TARGETS]:
        console.print(_lines(target, rows), soft_wrap=True, markup=False)


def _can_print(console: Console) -> bool:
    try:
        _BLOCKS.encode(console.encoding)
    except (UnicodeEncodeError, LookupError):
        return False
    return True


def _lines(target: str, rows: pd.DataFrame) -> str:
    """``temp_max, next 7 steps  ▂▃▄▅▄▃│▃▄▅▅▄▃▂  11.2 to 14.1``."""
    forecast = [value for value in rows["forecast"].to_list() if math.isfinite(value)]
    before = rows.loc[rows["forecast"].isna(), "actual"].to_list()
    step = -(-len(forecast) // _AFTER)
    before, shown = before[::-1][::step][:_BEFORE][::-1], forecast[::step]
    series = str(rows["series"].iloc[0])
    of = target if series in ("series", target) else f"{target} of {series}"  # a single series has no name
    drawn = sparkline([*before, *shown])
    decimals = decimals_of(forecast)
    ends = f"{fixed(min(forecast), decimals)} to {fixed(max(forecast), decimals)}"
    return f"next {counted(len(forecast), 'step')} of {of}\n{drawn[: len(before)]}│{drawn[len(before) :]}  {ends}"


def sparkline(values: Sequence[float]) -> str:
    """A character for each value, a space where it is not known."""
    known = [value for value in values if math.isfinite(value)]
    low, high = min(known, default=0.0), max(known, default=0.0)
    scale = (len(_BLOCKS) - 1) / (high - low) if high > low else 0.0
    return "".join(_BLOCKS[round(scale * (value - low))] if math.isfinite(value) else " " for value in values)

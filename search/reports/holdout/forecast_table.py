"""Forecasts and actual values as a long table."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from lstmgru.errors import DataError

if TYPE_CHECKING:
    import pandas as pd

    from lstmgru.data.forecasting.series import SeriesPanel
    from lstmgru.data.forecasting.splits import Rows

Floats = npt.NDArray[np.floating[Any]]

BASELINE_COLUMN = "baseline_"
"""Beginning of the name of the column of a baseline's forecasts."""
_NAMES, _TIMES = ("series", "target"), ("cutoff", "time")
_OFFSET = r"[+-]\d\d:\d\d$"
_BLOCK_ROWS = 20_000


def forecast_table(
    panel: SeriesPanel,
    cutoffs: Rows,
    target: Floats,
    forecast: Floats,
    lower: Floats,
    upper: Floats,
    levels: Sequence[float],
    *,
    baseline: tuple[str, Floats] | None = None,
    history: int | None = None,
) -> pd.DataFrame:
    """Non-overlapping forecasts of each series, with the actual values before and between them.

    The first window of a series is shown, then the next one that begins where the first ends or later, and so on, so
    that no time has two forecasts.

    Args:
        panel: The series that contain the windows.
        cutoffs: (windows,) rows of the first forecast step.
        target: (windows, H, Y) actual values in original units; NaN if unknown.
        forecast: (windows, H, Y) in original units.
        lower: (levels, windows, H, Y) lower ends of the intervals.
        upper: (levels, windows, H, Y) upper ends.
        levels: Coverage of each interval, in (0, 1); may be empty.
        baseline: Name of a baseline, and its (windows, H, Y) forecasts.
        history: Largest number of rows before the first forecast of a series; ``None``: three times the horizon.

    Returns:
        A row for each series, time and target: ``series``, ``target``, ``cutoff`` (the last time known to the
        forecast), ``time``, ``actual``, ``forecast``, ``lower_80``, ``upper_80`` for a level of 0.8, and
        ``baseline_linear`` for the baseline ``linear``. Rows without a forecast have NaN there and the cutoff of the
        previous forecast or, if there is none, of the next. Actual values that are unknown or were imputed are NaN.
    """
    import pandas as pd

    from lstmgru.data.tables.timestamps import local_times

    horizon = forecast.shape[1]
    windows, steps, rows = _rows_to_show(panel, cutoffs, horizon, 3 * horizon if history is None else history)
    forecasts = steps >= 0
    known = panel.observed[rows, None] if panel.known is None else panel.known[rows]
    observed = np.where(known, panel.values[rows, : panel.n_targets], np.nan)

    def flat(values: Floats, otherwise: Floats | float = np.nan) -> npt.NDArray[np.float64]:
        """(windows, H, Y) → (rows · Y,)."""
        return np.where(forecasts[:, None], values[windows, steps], otherwise).astype(np.float64).ravel()

    names = panel.schema.targets
    series = panel.series_of(rows)
    columns: dict[str, Any] = {
        "series": panel.ids[series].repeat(len(names)),
        "target": list(names) * len(rows),
        "cutoff": local_times(panel.times[cutoffs[windows] - 1], panel.timezone).repeat(len(names)),
        "time": local_times(panel.times[rows], panel.timezone).repeat(len(names)),
        "actual": flat(target, observed),
        "forecast": flat(forecast),
    }
    for level, low, high in zip(levels, lower, upper, strict=True):
        columns |= {f"lower_{100 * level:g}": flat(low), f"upper_{100 * level:g}": flat(high)}
    if baseline is not None:
        columns[f"{BASELINE_COLUMN}{baseline[0]}"] = flat(baseline[1])
    return pd.DataFrame(columns, copy=False)


def read_forecasts(path: Path) -> pd.DataFrame:
    """Read the table that :func:`forecast_table` returned from a CSV file; times are local, without a time zone.

    The file is read in blocks, and names become categories, since a panel may have millions of rows to show.

    Raises:
        DataError: The file is not such a table.
        FileNotFoundError: The file does not exist.
    """
    import pandas as pd

    try:
        names = list(pd.read_csv(path, nrows=0, encoding="utf-8").columns)
        texts: dict[str, dict[str, int]] = {name: {} for name in names if name in (*_NAMES, *_TIMES)}
        numbers = [name for name in names if name not in texts]
        most = _lines_of(path)
        columns: dict[str, Any] = {name: np.empty(most, np.int32 if name in texts else np.float64) for name in names}
        with pd.read_csv(
            path,
            dtype={**dict.fromkeys(texts, object), **dict.fromkeys(numbers, np.float64)},
            keep_default_na=False,
            na_values={name: [""] for name in numbers},
            float_precision="round_trip",
            encoding="utf-8",
            chunksize=_BLOCK_ROWS,
        ) as blocks:
            end = 0
            for block in blocks:
                rows = slice(end, end := end + len(block))
                for name in numbers:
                    columns[name][rows] = block[name]
                for name, places in texts.items():
                    codes, distinct = pd.factorize(block[name])
                    columns[name][rows] = np.array([places.setdefault(text, len(places)) for text in distinct])[codes]
        for name in names:
            columns[name] = columns[name][:end]
            if name in texts:
                read = pd.Series(list(texts[name]), dtype="str")
                if name in _TIMES:
                    columns[name] = _read_times(read).take(columns[name]).reset_index(drop=True)
                else:
                    columns[name] = pd.Categorical.from_codes(columns[name], categories=pd.Index(read))
    except ValueError as error:  # the base class of pandas' parsing errors
        raise DataError(f"{path} is not a table of forecasts: {' '.join(str(error).split())}") from error
    return pd.DataFrame(columns, copy=False)


def _lines_of(path: Path) -> int:
    """At least the number of rows: a name may contain a line break."""
    with path.open("rb") as file:
        return 1 + sum(block.count(b"\n") for block in iter(lambda: file.read(2**20), b""))


def _read_times(texts: pd.Series) -> pd.Series:
    """Steps, or dates in local time: the UTC offset is dropped."""
    import pandas as pd

    if all(re.fullmatch(r"-?\d+", text) for text in texts):
        return texts.astype("int64")
    return pd.to_datetime(texts.str.replace(_OFFSET, "", regex=True), format="ISO8601")


def _rows_to_show(panel: SeriesPanel, cutoffs: Rows, horizon: int, history: int) -> tuple[Rows, Rows, Rows]:
    """(rows,) each: the window of a row to show, its step or -1 if the window does not forecast it, and the row."""
    parts: list[Rows] = []  # each (3, rows): arrays, since a panel may have millions of rows to show
    before, end = -1, 0
    for window in np.argsort(cutoffs, kind="stable"):
        cutoff = int(cutoffs[window])
        if before >= 0 and cutoff < end:
            continue
        first_row = int(panel.offsets[panel.series_of(cutoff)])
        if before < 0 or end <= first_row:  # the first window of a series
            before, end = window, max(first_row, cutoff - history)
        rows = np.arange(end, cutoff + horizon)
        forecast = rows >= cutoff
        parts.append(np.stack([np.where(forecast, window, before), np.where(forecast, rows - cutoff, -1), rows]))
        before, end = window, cutoff + horizon
    windows, steps, rows = np.concatenate([np.empty((3, 0), np.int64), *parts], axis=1)
    return windows, steps, rows

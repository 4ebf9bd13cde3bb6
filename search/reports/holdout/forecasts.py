"""Charts of the holdout: forecasts against actual values, one per series and target."""

from __future__ import annotations

import html
import math
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from lstmgru.errors import DataError, did_you_mean, listed, shorten
from lstmgru.evaluation.decimals import decimals_of, fixed
from search.reports.charts.chart import Chart, chart_html
from search.reports.charts.colors import baseline_color
from search.reports.charts.marks import Band, Line, Rule
from search.reports.charts.scales import Axis
from search.reports.holdout.forecast_table import BASELINE_COLUMN, read_forecasts
from search.reports.holdout.times import seconds_of
from search.reports.page import details, html_page, paragraph
from search.study.paths import FORECASTS_TABLE, NEXT_TABLE

if TYPE_CHECKING:
    import pandas as pd

_COLUMNS = ("series", "target", "cutoff", "time", "actual", "forecast")
_MOST_CHARTS, _OPEN_CHARTS = 12, 4
_MOST_NAMES = 20
_LAST_WINDOWS, _FEWEST_ROWS = 6, 30
"""Forecasts and rows of the chart of the latest forecasts."""


def forecasts_html(
    every: Sequence[SeriesForecasts], rows: Callable[[SeriesForecasts], pd.DataFrame], *, title: str
) -> str:
    """A page with the charts of :func:`forecast_charts`, of a table that need not be in memory as a whole.

    Args:
        every: All possible charts, see :func:`ranked`.
        rows: The rows of a chart in chronological order.
        title: Heading of the page.
    """
    return html_page(title, _charts(every, rows, "h2"))


def forecast_charts(frame: pd.DataFrame) -> str:
    """A chart for each series and target as HTML: actual values, forecasts, and prediction intervals.

    Charts are sorted by their mean absolute error relative to the mean absolute actual value, which makes series of
    different scale comparable. If there are too many, the best, the median, the worst and evenly spaced ranks between
    them are drawn.

    Args:
        frame: Forecasts, as :func:`~search.reports.holdout.forecast_table.forecast_table` returns them.

    Raises:
        DataError: The table lacks a column or has no forecast.
    """
    return _charts(ranked([frame]), lambda each: each.rows(frame), "h3")


def _charts(
    every: Sequence[SeriesForecasts],
    rows: Callable[[SeriesForecasts], pd.DataFrame],
    heading: Literal["h2", "h3"],
) -> str:
    shown = [every[rank] for rank in some_ranks(len(every), _MOST_CHARTS)]
    levels = levels_of(rows(shown[0]))
    sections = [section(each, rows(each), levels, heading) for each in shown]
    drawn = "".join(sections[:1]) if len(sections) == 1 else _halves(sections[:_OPEN_CHARTS])
    if len(sections) > _OPEN_CHARTS:
        drawn += details(f"{len(sections) - _OPEN_CHARTS} more charts", _halves(sections[_OPEN_CHARTS:]))
    return f"{introduction(levels, len(shown), len(every))}\n{drawn}\n"


def _halves(sections: list[str]) -> str:
    return f'<div class="halves">{"".join(sections)}</div>'


def levels_of(frame: pd.DataFrame) -> list[str]:
    """The levels of the intervals in percent, as in the names of the columns, in increasing order.

    Raises:
        DataError: A column is missing.
    """
    levels = re.findall(r"^lower_([\d.]+)$", "\n".join(map(str, frame.columns)), re.MULTILINE)
    missing = [column for column in (*_COLUMNS, *(f"upper_{level}" for level in levels)) if column not in frame]
    if missing:
        raise DataError(f"the table of forecasts has no column {missing[0]!r}; make it with forecast_table")
    return sorted(levels, key=float)


@dataclass(frozen=True)
class SeriesForecasts:
    """One target of one series, without its rows: a panel may have thousands of series, and few are drawn.

    Attributes:
        heading: Names of the series and the target.
        series: Name of the series.
        target: Name of the target.
        error: Mean absolute error; NaN if no actual value is known.
        relative: Mean absolute error divided by the mean absolute actual value.
    """

    heading: str
    series: Any
    target: Any
    error: float
    relative: float

    def rows(self, frame: pd.DataFrame) -> pd.DataFrame:
        """Its rows in chronological order."""
        own = (frame["series"] == self.series) & (frame["target"] == self.target)
        found: pd.DataFrame = frame.loc[own].sort_values("time")
        return found


def ranked(blocks: Iterable[pd.DataFrame]) -> list[SeriesForecasts]:
    """All possible charts, the smallest relative error first.

    Args:
        blocks: Parts of a table of forecasts, each with whole series; one is read after the other.

    Raises:
        DataError: A part lacks a column, or there is no forecast.
    """
    import pandas as pd

    found = pd.concat([_errors(block) for block in blocks])
    unnamed = found.index.get_level_values("series").nunique() == 1
    found = found[found["any"]]
    of_groups = (found.index.get_level_values(level) for level in ("series", "target"))
    charts = [
        SeriesForecasts(
            str(target) if unnamed else f"{series}: {target}",
            series,
            target,
            error,
            error / size if size else np.inf if error else 0.0,
        )
        for series, target, error, size in zip(*of_groups, found["error"], found["size"], strict=True)
    ]
    if not charts:
        raise DataError("the table of forecasts has no forecast; give it the windows of an evaluation")
    return sorted(charts, key=lambda chart: (np.isnan(chart.relative), chart.relative))


def _errors(frame: pd.DataFrame) -> pd.DataFrame:
    """By series and target: whether there is a forecast, and the mean absolute error and actual value."""
    levels_of(frame)
    error = (frame["actual"] - frame["forecast"]).abs()
    measured = frame[["series", "target"]].assign(
        any=frame["forecast"].notna(), error=error, size=frame["actual"].abs().where(error.notna())
    )
    return measured.groupby(["series", "target"], sort=False).agg({"any": "any", "error": "mean", "size": "mean"})


def some_ranks(count: int, most: int) -> list[int]:
    """Up to ``most`` of ``count`` ranks: the median, and evenly spaced ranks below and above it."""
    if count <= most:
        return list(range(count))
    median = (count - 1) // 2
    below = np.linspace(0, median, most // 2 + 1)
    above = np.linspace(median, count - 1, most - most // 2)
    return sorted({int(rank) for rank in np.rint([*below, *above])})


def introduction(levels: list[str], shown: int = 1, count: int = 1) -> str:
    """What the charts show, as HTML.

    Args:
        levels: Levels of the intervals in percent.
        shown: Number of charts.
        count: Number of series and targets.
    """
    sentences = [
        "Each forecast is based on the values before its line begins, and on none after; the first one on those before "
        "the dotted line."
    ]
    if levels:
        shares = listed([f"{level}%" for level in levels])
        sentences.append(f"The bands are intended to contain {shares} of the values.")
    if shown < count:
        sentences.append(
            f"{shown} of {count} charts are shown, {count - shown} are not: those with the smallest, the median and "
            "the largest error relative to the values, and evenly spaced ranks between them."
        )
    if shown > 1:
        sentences.append("The smallest relative error comes first.")
    return f"<p>{' '.join(sentences)}</p>"


def section(each: SeriesForecasts, rows: pd.DataFrame, levels: list[str], heading: str) -> str:
    """Heading, score, coverage and chart of one target of one series, as HTML.

    Args:
        each: The target and the series.
        rows: Its rows in chronological order.
        levels: Levels of the intervals in percent.
        heading: ``h2``, ``h3`` or ``h4``.
    """
    known = bool(np.isfinite(each.error))
    score = f"MAE {number_text(each.error)}" if known else "no actual value is known yet"
    drawn = chart_html(forecast_chart(rows, str(each.target), levels))
    title = f"<{heading}>{html.escape(each.heading)}, {score}</{heading}>"
    return f"<div>{title}\n{paragraph(*coverage_text(rows, levels))}{drawn}</div>\n"


def coverage_text(rows: pd.DataFrame, levels: list[str]) -> list[str]:
    """A sentence on the share of actual values in each interval; none without intervals or actual values.

    Args:
        rows: Forecasts of one target of one series.
        levels: Levels of the intervals in percent.
    """
    scored = rows.dropna(subset=["actual", "forecast"])
    if not levels or scored.empty:
        return []
    shares = [
        f"{100 * scored['actual'].between(scored[f'lower_{level}'], scored[f'upper_{level}']).mean():.0f}% lie in the "
        f"{level}% interval"
        for level in levels
    ]
    return [f"Of {len(scored)} values, {', '.join(shares)}."]


def number_text(value: float) -> str:
    """Four digits, and all those of a larger number."""
    return fixed(value, decimals_of([value]))


def latest_chart(folder: Path, series: str | None = None, target: str | None = None) -> tuple[str, Chart]:
    """The last forecasts of the holdout and that of the steps after the data, of one series and target; and its name.

    Args:
        folder: Directory of the tables of the holdout; without the table of the next forecast, or if that is of a
            series that the holdout lacks, the last ones are drawn.
        series: Name of the series; ``None``: the first one.
        target: Name of the target; ``None``: the first one.

    Raises:
        DataError: A file is not the expected table, or has no such series or target.
        FileNotFoundError: A table does not exist.
    """
    import pandas as pd

    frame = read_forecasts(folder / FORECASTS_TABLE)
    levels = levels_of(frame)
    following = read_forecasts(folder / NEXT_TABLE) if (folder / NEXT_TABLE).exists() else frame.head(0)
    several = frame["series"].nunique() > 1
    for column, chosen in (("series", series), ("target", target)):
        if chosen is not None:
            frame, following = _chosen(frame, column, chosen), following[following[column] == chosen]
    following = following[following["series"].isin(frame["series"].unique())]  # a series may end before the holdout
    first = ranked([frame])[0].rows(frame) if following.empty else following
    series, target = first[["series", "target"]].iloc[0]
    name = f"{target} of {series}" if several else str(target)
    frame, following = (part[(part["series"] == series) & (part["target"] == target)] for part in (frame, following))
    horizon = int(frame.groupby("cutoff")["forecast"].count().max())
    shown = frame.sort_values("time").tail(max(_FEWEST_ROWS, _LAST_WINDOWS * horizon))
    if shown["forecast"].isna().all() or not set(following).issuperset(_COLUMNS):
        following = following.head(0)
    rows = pd.concat([shown, following]).drop_duplicates("time") if len(following) else shown
    now = None if following.empty else seconds_of(following["cutoff"])[0]
    return name, forecast_chart(rows, str(target), levels, now=now)


def _chosen(frame: pd.DataFrame, column: str, name: str) -> pd.DataFrame:
    """The rows of a series or target.

    Raises:
        DataError: There are none.
    """
    rows = frame[frame[column] == name]
    if rows.empty:
        known = list(dict.fromkeys(frame[column]))
        raise DataError(
            f"the forecasts of the holdout have no {column} {name!r}{did_you_mean(name, known)}; they have: "
            f"{shorten(known, _MOST_NAMES)}"
        )
    return rows


def forecast_chart(rows: pd.DataFrame, target: str, levels: list[str], *, now: float | None = None) -> Chart:
    """The chart of one series and target.

    Args:
        rows: Their rows of :func:`~search.reports.holdout.forecast_table.forecast_table`, in chronological order.
        target: Title of the vertical axis.
        levels: Levels of the intervals in percent, in increasing order.
        now: Where the data end and the next forecast begins; ``None``: where the first forecast begins is drawn.
    """
    windows = _windows(rows)
    x = _broken([seconds_of(window["time"]) for window in windows])
    bands = [
        Band(
            name=f"{level}% interval",
            x=x,
            low=_broken([window[f"lower_{level}"] for window in windows]),
            high=_broken([window[f"upper_{level}"] for window in windows]),
            opacity=0.16 + 0.2 * order / len(levels),
        )
        for order, level in enumerate(reversed(levels))
    ]
    baselines = [
        Line(
            name=column.removeprefix(BASELINE_COLUMN).replace("_", " "),
            color=baseline_color(column.removeprefix(BASELINE_COLUMN)),
            x=x,
            y=_broken([window[column] for window in windows]),
            dash=True,
            width=1.4,
        )
        for column in map(str, rows.columns)
        if column.startswith(BASELINE_COLUMN)
    ]
    actual = Line(name="actual", color="ink", width=1.4, x=seconds_of(rows["time"]), y=rows["actual"].to_numpy(float))
    forecast = Line(name="forecast", width=2.2, x=x, y=_broken([window["forecast"] for window in windows]))
    steps = rows["time"].dtype.kind == "i"
    return Chart(
        title=f"Forecasts and actual values of {target}",
        x=Axis("time", whole=True) if steps else Axis("", kind="time"),
        y=Axis(target),
        marks=(*bands, *baselines, actual, forecast),
        rules=(Rule(at=seconds_of(windows[0]["cutoff"])[0], seen=False) if now is None else Rule(at=now, text="next"),),
        height=260,
    )


def _windows(rows: pd.DataFrame) -> list[pd.DataFrame]:
    """The rows of each forecast; one-step forecasts are joined into a single line."""
    forecasts = rows.dropna(subset="forecast")
    windows = [part for _, part in forecasts.groupby("cutoff", sort=True)]
    return windows if max(map(len, windows)) > 1 else [forecasts]


def _broken(parts: Iterable[Iterable[float]]) -> list[float]:
    """The values of several lines, NaN between them."""
    return [value for part in parts for value in (*part, math.nan)][:-1]

"""Charts of the holdout: forecasts against actual values, one per series and target, and attention weights."""

from __future__ import annotations

import html
import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from lstmgru.errors import DataError
from search.reports.charts.chart import Chart, chart_html
from search.reports.charts.marks import Band, Boxes, Line, Rule
from search.reports.charts.scales import Axis
from search.reports.page import html_page, paragraph

if TYPE_CHECKING:
    import pandas as pd

    from lstmgru.bundle import ForecastBundle

_COLUMNS = ("series", "target", "cutoff", "time", "actual", "forecast")
_MOST_TARGETS, _MOST_CHARTS = 3, 12
_ATTENTION = (
    "Attention weights over the outputs of the recurrent layers for each step or segment of the context, for the "
    "forecast of the steps after the bundle's example; they sum to 1."
)


def forecasts_html(frame: pd.DataFrame, *, title: str) -> str:
    """A page with the charts of :func:`forecast_charts`.

    Args:
        frame: Forecasts, as :func:`~search.reports.holdout.forecast_table.forecast_table` returns them.
        title: Heading of the page.

    Raises:
        DataError: The table lacks a column or has no forecast.
    """
    return html_page(title, forecast_charts(frame, heading="h2"))


def forecast_charts(frame: pd.DataFrame, *, heading: Literal["h2", "h3"] = "h3") -> str:
    """A chart for each series and target as HTML: actual values, forecasts, and prediction intervals.

    Charts are sorted by their mean absolute error relative to the mean absolute actual value, which makes series of
    different scale comparable. If there are too many, the best, the median, the worst and evenly spaced ranks between
    them are drawn.

    Args:
        frame: Forecasts, as :func:`~search.reports.holdout.forecast_table.forecast_table` returns them.
        heading: Tag of the headings of the charts.

    Raises:
        DataError: The table lacks a column or has no forecast.
    """
    levels = _levels(frame)
    ranked = _ranked(frame)
    shown = [ranked[rank] for rank in _ranks(len(ranked), _MOST_CHARTS)]
    sections = [_section(each, levels, heading) for each in shown]
    return "\n".join([_introduction(len(shown), len(ranked), levels), *sections])


def _levels(frame: pd.DataFrame) -> list[str]:
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
class _Chart:
    """The data of one chart.

    Attributes:
        heading: Names of the series and the target.
        target: Name of the target.
        rows: Rows in chronological order.
        error: Mean absolute error; NaN if no actual value is known.
        relative: Mean absolute error divided by the mean absolute actual value.
    """

    heading: str
    target: str
    rows: pd.DataFrame
    error: float
    relative: float


def _ranked(frame: pd.DataFrame) -> list[_Chart]:
    """All possible charts, the smallest relative error first.

    Raises:
        DataError: There is no forecast.
    """
    unnamed = frame["series"].nunique() == 1
    charts = [
        _chart(str(target) if unnamed else f"{series}: {target}", str(target), rows.sort_values("time"))
        for (series, target), rows in frame.groupby(["series", "target"], sort=False)
        if rows["forecast"].notna().any()
    ]
    if not charts:
        raise DataError("the table of forecasts has no forecast; give it the windows of an evaluation")
    return sorted(charts, key=lambda chart: (np.isnan(chart.relative), chart.relative))


def _chart(heading: str, target: str, rows: pd.DataFrame) -> _Chart:
    scored = rows[["actual", "forecast"]].dropna()
    error = float((scored["actual"] - scored["forecast"]).abs().mean())
    size = float(scored["actual"].abs().mean())
    return _Chart(heading, target, rows, error, error / size if size else np.inf if error else 0.0)


def _ranks(count: int, most: int) -> list[int]:
    """Up to ``most`` of ``count`` ranks: the median, and evenly spaced ranks below and above it."""
    if count <= most:
        return list(range(count))
    median = (count - 1) // 2
    below = np.linspace(0, median, most // 2 + 1)
    above = np.linspace(median, count - 1, most - most // 2)
    return sorted({int(rank) for rank in np.rint([*below, *above])})


def _introduction(shown: int, count: int, levels: list[str]) -> str:
    sentences = [
        "Each forecast is based on the values before its line begins, and on none after; the first one on those before "
        "the dotted line."
    ]
    if levels:
        shares = " and ".join(f"{level} %" for level in levels)
        sentences.append(f"The bands are intended to contain {shares} of the values.")
    if shown < count:
        sentences.append(
            f"{shown} of {count} charts are shown, {count - shown} are not: those with the smallest, the median and "
            "the largest error relative to the values, and evenly spaced ranks between them."
        )
    if shown > 1:
        sentences.append("The smallest relative error comes first.")
    return f"<p>{' '.join(sentences)}</p>"


def _section(each: _Chart, levels: list[str], heading: str) -> str:
    known = bool(np.isfinite(each.error))
    score = f"mean absolute error {_number(each.error)}" if known else "no actual value is known yet"
    drawn = chart_html(forecast_chart(each.rows, each.target, levels))
    return f"<{heading}>{html.escape(each.heading)}, {score}</{heading}>\n{_coverage(each.rows, levels)}{drawn}"


def _coverage(rows: pd.DataFrame, levels: list[str]) -> str:
    scored = rows.dropna(subset=["actual", "forecast"])
    if not levels or scored.empty:
        return ""
    shares = [
        f"{100 * scored['actual'].between(scored[f'lower_{level}'], scored[f'upper_{level}']).mean():.0f} % lie in the "
        f"{level} % interval"
        for level in levels
    ]
    return f"<p>Of {len(scored)} values, {', '.join(shares)}.</p>\n"


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def forecast_chart(rows: pd.DataFrame, target: str, levels: list[str]) -> Chart:
    """The chart of one series and target.

    Args:
        rows: Their rows of :func:`~search.reports.holdout.forecast_table.forecast_table`, in chronological order.
        target: Title of the vertical axis.
        levels: Levels of the intervals in percent, in increasing order.
    """
    windows = _windows(rows)
    x = _broken([_times(window["time"]) for window in windows])
    bands = [
        Band(
            name=f"{level} % interval",
            x=x,
            low=_broken([window[f"lower_{level}"] for window in windows]),
            high=_broken([window[f"upper_{level}"] for window in windows]),
            opacity=0.16 + 0.2 * order / len(levels),
        )
        for order, level in enumerate(reversed(levels))
    ]
    actual = Line(name="actual", color="ink", width=1.4, x=_times(rows["time"]), y=rows["actual"].to_numpy(float))
    forecast = Line(name="forecast", width=2.2, x=x, y=_broken([window["forecast"] for window in windows]))
    steps = rows["time"].dtype.kind == "i"
    return Chart(
        title=f"Forecasts and actual values of {target}",
        x=Axis("time", whole=True) if steps else Axis("", kind="time"),
        y=Axis(target),
        marks=(*bands, actual, forecast),
        rules=(Rule(at=_times(windows[0]["cutoff"])[0]),),
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


def _times(times: pd.Series) -> list[float]:
    """Steps, or seconds since 1970 in local time."""
    if times.dtype.kind == "i":
        return [float(time) for time in times]
    local = times.dt.tz_localize(None).to_numpy().astype("datetime64[s]")
    return [float(time) for time in local.astype(np.int64)]


def attention_table(bundle: ForecastBundle) -> pd.DataFrame:
    """The attention weights of the forecast for the bundle's example.

    Returns:
        ``target`` (empty if all targets share the weights), ``first_step`` and ``last_step`` of the forecast, ``time``
        of the context, ``weight``.

    Raises:
        DataError: The model has no attention.
    """
    assert bundle.example is not None  # a bundle that a study exports has one
    found = bundle.attention(bundle.example)
    # A column of the data may have one of these names, so columns are identified by position, from the last.
    first, last, time, weight = found.columns[-4:]
    shared = len(found.columns) - 4 == (bundle.schema.id is not None)
    frame = found[[first, last, time, weight]].set_axis(["first_step", "last_step", "time", "weight"], axis=1)
    frame.insert(0, "target", "" if shared else found[found.columns[-5]])
    return frame


def attention_charts(path: Path) -> str:
    """The charts of a table of :func:`attention_table` as HTML; empty if there is no such file."""
    import pandas as pd

    if not path.exists():
        return ""
    frame = pd.read_csv(path, keep_default_na=False)
    groups = list(frame.groupby("target", sort=False))
    parts = [paragraph(_ATTENTION)]
    for target, rows in groups[:_MOST_TARGETS]:
        heading = f": {html.escape(str(target))}" if target else ""
        parts.append(f"<h3>Attention{heading}</h3>\n{chart_html(attention_chart(rows))}")
    if len(groups) > _MOST_TARGETS:
        parts.append(paragraph(f"{len(groups) - _MOST_TARGETS} more targets are not shown."))
    return "\n".join(parts)


def attention_chart(rows: pd.DataFrame) -> Chart:
    """A bar chart if one set of weights serves the whole horizon, else a heat map with a row for each part of it.

    Args:
        rows: Columns ``first_step``, ``last_step``, ``time``, ``weight``.
    """
    spans = rows["first_step"].astype(str) + "-" + rows["last_step"].astype(str)
    table = rows.assign(span=spans).pivot_table("weight", "span", "time", sort=False)
    times = [str(time) for time in table.columns]
    weights = table.to_numpy(float)
    cells = [(row, column) for row in range(len(table)) for column in range(len(times))]
    bars = len(table) == 1
    half = 0.3 if bars else 0.5
    boxes = Boxes(
        name="weight",
        left=[column - half for _, column in cells],
        right=[column + half for _, column in cells],
        bottom=[0.0 if bars else row - 0.5 for row, _ in cells],
        top=[float(weights[cell]) if bars else cell[0] + 0.5 for cell in cells],
        texts=[f"steps {table.index[row]}, {times[column]}" for row, column in cells],
        values=[f"{weights[cell]:.3f}" for cell in cells],
        opacities=() if bars else [float(weights[cell] / weights.max()) for cell in cells],
    )
    return Chart(
        title="Attention weights",
        x=Axis("time", kind="words", words=tuple(times)),
        y=Axis("weight", zero=True)
        if bars
        else Axis("steps of the forecast", kind="words", words=tuple(map(str, table.index))),
        marks=(boxes,),
        height=160 if bars else 0,
    )

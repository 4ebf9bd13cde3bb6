"""Forecasts against what came true, drawn: one HTML page that needs nothing from elsewhere."""

from __future__ import annotations

import html
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from lstmgru.errors import DataError, SpecError
from search.reports.holdout.forecast_chart import forecast_figure
from search.reports.page import chart, html_page

if TYPE_CHECKING:
    import pandas as pd

_HEIGHT = 340
"""Of a chart, in pixels."""
_COLUMNS = ("series", "target", "cutoff", "time", "actual", "forecast")


def forecasts_html(frame: pd.DataFrame, *, title: str, most: int = 12) -> str:
    """A page with the charts of :func:`forecast_charts`.

    Args:
        frame: As :func:`~search.reports.holdout.forecast_table.forecast_table` makes it.
        title: Heading of the page.
        most: Most charts, at least 3.

    Raises:
        DataError: The table lacks a column or has no forecast.
        SpecError: ``most`` is less than 3.
    """
    return html_page(title, forecast_charts(frame, most=most, heading="h2"))


def forecast_charts(frame: pd.DataFrame, *, most: int = 12, heading: Literal["h2", "h3"] = "h3") -> str:
    """A chart for each series and target, as HTML: what came true, the forecasts, and their intervals.

    Charts are ordered by their error, divided by the mean size of the true values so that series of any size compare.
    Where there are too many, the best, the median and the worst are drawn, and others at even ranks between them.

    Args:
        frame: As :func:`~search.reports.holdout.forecast_table.forecast_table` makes it.
        most: Most charts, at least 3.
        heading: Tag of a chart's heading.

    Raises:
        DataError: The table lacks a column or has no forecast.
        SpecError: ``most`` is less than 3.
    """
    if most < 3:
        raise SpecError(f"most must be at least 3 but got {most}")
    levels = _levels(frame)
    ranked = _ranked(frame)
    shown = [ranked[rank] for rank in _ranks(len(ranked), most)]
    sections = [_section(each, levels, heading) for each in shown]
    return "\n".join([_introduction(len(shown), len(ranked), levels), *sections])


def _levels(frame: pd.DataFrame) -> list[str]:
    """The levels of the intervals in percent, as the columns name them, the narrowest first.

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
    """What is drawn together.

    Attributes:
        heading: Names of the series and the target.
        target: Name of the target.
        rows: In the order of time.
        error: Mean absolute error; NaN if no true value is known.
        relative: That over the mean size of the true values.
    """

    heading: str
    target: str
    rows: pd.DataFrame
    error: float
    relative: float


def _ranked(frame: pd.DataFrame) -> list[_Chart]:
    """The charts that could be drawn, the smallest relative error first.

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
    """Up to ``most`` of ``count`` ranks, evenly spaced below and above the median, which is one of them."""
    if count <= most:
        return list(range(count))
    median = (count - 1) // 2
    below = np.linspace(0, median, most // 2 + 1)
    above = np.linspace(median, count - 1, most - most // 2)
    return sorted({int(rank) for rank in np.rint([*below, *above])})


def _introduction(shown: int, count: int, levels: list[str]) -> str:
    sentences = [
        "A forecast knows the values before its line begins, and none after; the first knew those up to the "
        "dotted line."
    ]
    if levels:
        shares = " and ".join(f"{level} %" for level in levels)
        sentences.append(f"The bands are meant to hold {shares} of the values.")
    if shown < count:
        sentences.append(
            f"{shown} of {count} charts are shown, {count - shown} are not: the smallest, the median and the largest "
            "error relative to the values are there, and evenly spaced ranks between them."
        )
    if shown > 1:
        sentences.append("The smallest relative error comes first.")
    return f"<p>{' '.join(sentences)}</p>"


def _section(each: _Chart, levels: list[str], heading: str) -> str:
    known = bool(np.isfinite(each.error))
    score = f"mean absolute error {_number(each.error)}" if known else "no true value is known yet"
    drawn = chart(forecast_figure(each.rows, each.target, levels), height=_HEIGHT)
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

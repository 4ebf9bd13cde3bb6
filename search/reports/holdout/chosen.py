"""The chart of one series of many, and the values of the others, which the script of the page draws when chosen.

A value is two characters of base 64: its share of the range of its series, from 0 to 4095. An end of an interval is
given as its difference from the forecast, modulo 4096, which most forecasts of a series have in common. All values are
compressed together (deflate).
"""

from __future__ import annotations

import base64
import html
import itertools
import json
import math
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from search.reports.charts.chart import chart_html
from search.reports.charts.scales import Axis
from search.reports.holdout.errors import score_texts, series_html
from search.reports.holdout.forecast_table import BASELINE_COLUMN
from search.reports.holdout.forecasts import (
    coverage_text,
    forecast_chart,
    introduction,
    levels_of,
    number_text,
    ranked,
    section,
    some_ranks,
)
from search.reports.holdout.times import seconds_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pandas as pd

    from search.reports.holdout.forecasts import SeriesForecasts

MOST_SERIES = 450
"""Largest number of series that can be chosen."""
_CHARACTERS, _FEWEST, _MOST = 200_000, 400, 4_000
"""Characters for the values of all series, and for those of each, before they are compressed."""
_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
_LEVELS = 64 * 64 - 1
_UNKNOWN = ".."
_FEWEST_ROWS, _WINDOWS = 30, 2
_X_TICKS, _Y_TICKS = 6, 4


@dataclass(frozen=True)
class _Column:
    """A mark of the chart, in the order in which it is drawn.

    Attributes:
        kind: ``band``, ``baseline``, ``actual`` or ``forecast``.
        names: Its columns in the table of forecasts.
    """

    kind: str
    names: tuple[str, ...]


def panel_html(frame: pd.DataFrame, scores: pd.DataFrame | None, metric: str) -> str:
    """The chart of one series or target of several, and a table of all, in which another one is chosen.

    Args:
        frame: Forecasts, as :func:`~search.reports.holdout.forecast_table.forecast_table` returns them.
        scores: As of :func:`~search.reports.holdout.errors.series_html`.
        metric: Name of the metric.

    Raises:
        DataError: The table lacks a column or has no forecast.
    """
    levels, every = levels_of(frame), ranked([frame])
    series = [every[rank] for rank in some_ranks(len(every), MOST_SERIES)]
    first = (len(series) - 1) // 2
    choices = {(str(each.series), str(each.target)): place for place, each in enumerate(series)}
    known = [each for each in every if np.isfinite(each.relative)]
    ends = [each for each in dict.fromkeys((known or every)[:1] + (known or every)[-1:]) if each is not series[first]]
    scored, several = score_texts(scores), frame["target"].nunique() > 1
    figures = {
        (each.series, each.target): _figures(each, scored.get(str(each.series), ("", "")), metric, several=several)
        for each in series
    }
    listed = series_html(frame, levels, scores, metric, choices=choices, chosen=first)
    sections = "".join(section(each, each.rows(frame), levels, "h4") for each in ends)
    return (
        f"{introduction(levels)}{_chosen(frame, series, first, levels, figures)}{listed}"
        f'<h3>Smallest and largest relative error</h3>\n<div class="halves">{sections}</div>\n'
    )


def _figures(each: SeriesForecasts, known: tuple[str, str], metric: str, *, several: bool) -> str:
    """Score and skill of a series, which are those of all its targets; without a score, the error of the forecasts."""
    score, skill = known
    if not score:
        return f"MAE {number_text(each.error)}." if np.isfinite(each.error) else ""
    of = " of all targets" if several else ""
    return f"{metric}{of} {score}{f', skill {skill} against the best baseline' if skill else ''}."


def _chosen(
    frame: pd.DataFrame,
    series: Sequence[SeriesForecasts],
    first: int,
    levels: list[str],
    figures: Mapping[tuple[Any, Any], str],
) -> str:
    """The chart of a series below its score and coverage, and the values of all."""
    shown = series[first]
    columns = _columns(frame, levels)
    characters = min(_MOST, max(_FEWEST, _CHARACTERS // len(series)))
    parts = {key: part for key, part in frame.groupby(["series", "target"], sort=False) if key in figures}
    rows_of, texts = [], []
    for each in series:
        key = each.series, each.target
        rows_of.append(_drawn_rows(parts[key].sort_values("time"), columns, characters))
        texts.append(" ".join([figures[key], *coverage_text(parts[key], levels)]).strip())
    records = [
        _record(each, rows, columns) | {"text": said} for each, rows, said in zip(series, rows_of, texts, strict=True)
    ]
    found = {"kinds": [column.kind for column in columns], "series": records}
    packed = zlib.compress(json.dumps(found, separators=(",", ":")).encode(), level=9, wbits=-zlib.MAX_WBITS)
    drawn = chart_html(forecast_chart(rows_of[first], str(shown.target), levels))
    return (
        f'<div><div aria-live="polite"><h3>{html.escape(shown.heading)}</h3>\n<p>{html.escape(texts[first])}</p></div>'
        f"<div>{drawn}</div>"
        f'<script type="text/plain" data-series>{base64.b64encode(packed).decode()}</script></div>\n'
    )


def _columns(rows: pd.DataFrame, levels: list[str]) -> list[_Column]:
    """The marks of :func:`~search.reports.holdout.forecasts.forecast_chart`."""
    baselines = [str(column) for column in rows.columns if str(column).startswith(BASELINE_COLUMN)]
    return [
        *(_Column("band", (f"lower_{level}", f"upper_{level}")) for level in reversed(levels)),
        *(_Column("baseline", (column,)) for column in baselines),
        _Column("actual", ("actual",)),
        _Column("forecast", ("forecast",)),
    ]


def _drawn_rows(rows: pd.DataFrame, columns: list[_Column], characters: int) -> pd.DataFrame:
    """The last rows, as many as there is room for; of long windows, evenly spaced ones."""
    most = characters // 2 // sum(len(column.names) for column in columns)
    horizon = int(rows.groupby("cutoff")["forecast"].count().max())
    every = math.ceil(min(len(rows), max(_FEWEST_ROWS, _WINDOWS * horizon)) / most)
    shown = rows.tail(most * every)
    return shown[(len(shown) - 1) % every :: every]


def _record(each: SeriesForecasts, rows: pd.DataFrame, columns: list[_Column]) -> dict[str, Any]:
    names = [name for column in columns for name in column.names]
    values = rows[names].to_numpy(float)
    axis = Axis(str(each.target)).fitted(values[np.isfinite(values)].tolist())
    low, high = axis.ends
    decimals = 3 - math.floor(math.log10(high - low))
    forecast = rows["forecast"].to_numpy(float)
    times = seconds_of(rows["time"])
    is_step = rows["time"].dtype.kind == "i"
    across = Axis(kind="number" if is_step else "time", whole=is_step, span=(times[0], times[-1] + (len(times) == 1)))
    places = np.arange(len(times))
    windows = rows["cutoff"].to_numpy()
    steps = int(rows.groupby("cutoff")["forecast"].count().max())
    # Forecasts of a single step make one line.
    starts = [] if steps <= 1 else (np.flatnonzero(windows[1:] != windows[:-1]) + 1).tolist()
    return {
        "name": each.heading,
        "target": str(each.target),
        "count": len(rows),
        "time": _regular(rows["time"]),
        "low": round(low, decimals + 2),
        "high": round(high, decimals + 2),
        "decimals": min(9, max(0, decimals)),
        "x": [[round(float(np.interp(at, times, places)), 2), text] for at, text in across.ticks(_X_TICKS)],
        "y": [[round(axis.at(at), 3), text] for at, text in axis.ticks(_Y_TICKS)],
        "starts": starts,
        "values": [
            _encoded((rows[name].to_numpy(float) - (forecast if column.kind == "band" else low)) / (high - low))
            for column in columns
            for name in column.names
        ],
    }


def _encoded(shares: np.ndarray[Any, Any]) -> str:
    """Two characters for each value; unknown values at the beginning are left out."""
    known = np.where(np.isfinite(shares), shares, 0.0)
    levels = np.where(np.isfinite(shares), np.rint(_LEVELS * known) % (_LEVELS + 1), -1).astype(int)
    texts = (_UNKNOWN if level < 0 else _LETTERS[level // 64] + _LETTERS[level % 64] for level in levels)
    return "".join(texts).lstrip(".")


def _regular(times: pd.Series) -> list[Any]:
    """Kind, first time and step: ``step``; ``second`` since 1970; ``month`` or ``end`` (of a month) since January 1970.

    Times of another kind are a ``list`` of texts.
    """
    if times.dtype.kind == "i":
        steps = times.to_list()
        return ["step", steps[0], _step(steps)]
    seconds = seconds_of(times)
    if _is_regular(seconds):
        return ["second", int(seconds[0]), _step(seconds)]
    months = (12 * (times.dt.year - 1970) + times.dt.month - 1).to_list()
    for kind, fits in (("month", times.dt.is_month_start), ("end", times.dt.is_month_end)):
        if fits.all() and (times.dt.normalize() == times).all() and _is_regular(months):
            return [kind, months[0], _step(months)]
    return ["list", times.astype(str).str.removesuffix(" 00:00:00").to_list()]


def _is_regular(values: list[float]) -> bool:
    return len({second - first for first, second in itertools.pairwise(values)}) <= 1


def _step(values: list[float]) -> int:
    return int(values[1] - values[0]) if len(values) > 1 else 1

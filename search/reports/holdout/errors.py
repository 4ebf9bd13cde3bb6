"""Where forecasts of the holdout err: by step, over time, by hour or month, in which windows, and in which series."""

from __future__ import annotations

import calendar
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from lstmgru.errors import DataError
from lstmgru.evaluation.decimals import decimals_of, fixed
from search.reports.charts.chart import Chart, chart_html, sparkline
from search.reports.charts.colors import baseline_color
from search.reports.charts.marks import AnyMark, Line, Rule
from search.reports.charts.scales import Axis
from search.reports.holdout.forecast_table import BASELINE_COLUMN
from search.reports.holdout.times import seconds_of
from search.reports.page import Html, paragraph, table
from search.reports.page import Line as Row
from search.study.paths import FORECASTS_TABLE

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd

_WORST = 5
_MOST_POINTS, _FEWER_POINTS, _MANY_SERIES = 60, 16, 100
"""Points of a sparkline, and of each of many."""
_MOST_ROWS = 1000
"""Largest number of series in a table."""
_PICTURE = "actual (gray) and forecast"
_DAY = 86_400.0
_MAE, _DRAWN = "MAE", "MAE, drawn"
_FEWEST_PARTS = 3
"""Hours or months from which their errors are drawn."""
_COLORS = ("blue", "sky", "teal")


def errors_html(frame: pd.DataFrame, levels: list[str]) -> str:
    """Charts and tables of the errors of the drawn forecasts.

    Args:
        frame: Forecasts, as :func:`~search.reports.holdout.forecast_table.forecast_table` returns them.
        levels: Levels of the intervals in percent.
    """
    scored = _scored(frame)
    if scored.empty:
        return ""
    several = frame.groupby(["series", "target"]).ngroups > 1
    unit = "absolute error / mean of the series" if several else _MAE
    charts = [by_step_chart(scored, unit), over_time_chart(scored, unit), *calendar_chart(scored, unit)]
    charts += [coverage_chart(scored, levels)] if levels else []
    drawn = "".join(chart_html(chart) for chart in charts if len(chart.marks[0].x) > 1)  # type: ignore[union-attr]  # lines
    return f'<h3>Errors</h3>\n<div class="grid">{drawn}</div>\n<h3>Worst windows</h3>\n{_worst(scored, several)}'


def _scored(frame: pd.DataFrame) -> pd.DataFrame:
    """The forecast values whose actual value is known, with step, error and baseline's error, relative if needed."""
    known = frame[frame["forecast"].notna()]
    known["step"] = known.groupby(["series", "target", "cutoff"]).cumcount() + 1
    known = known[known["actual"].notna()]
    several = known.groupby(["series", "target"]).ngroups > 1
    size = known["actual"].abs().groupby([known["series"], known["target"]]).transform("mean") if several else 1.0
    known["error"] = (known["forecast"] - known["actual"]).abs() / size
    for column in _baselines(frame):
        known[f"error_{column}"] = (known[column] - known["actual"]).abs() / size
    for column in known.columns:  # one at a time: a panel may have millions of rows
        if known[column].dtype.kind == "f":
            known[column] = known[column].replace([np.inf, -np.inf], np.nan)
    return known


def _baselines(frame: pd.DataFrame) -> list[str]:
    return [str(column) for column in frame.columns if str(column).startswith(BASELINE_COLUMN)]


def by_step_chart(scored: pd.DataFrame, unit: str) -> Chart:
    """The mean error of each step of the horizon, of the model and of the best baseline.

    Args:
        scored: Forecasts with ``step`` and ``error``.
        unit: Title of the vertical axis.
    """
    return Chart(
        title="Error by step of the horizon",
        x=Axis("step of the horizon", whole=True),
        y=Axis(unit, zero=True),
        marks=_lines(scored, "step"),
        height=220,
    )


def over_time_chart(scored: pd.DataFrame, unit: str) -> Chart:
    """The mean error of the windows of each cutoff, of the model and of the best baseline.

    Args:
        scored: Forecasts with ``cutoff`` and ``error``.
        unit: Title of the vertical axis.
    """
    steps = scored["cutoff"].dtype.kind == "i"
    return Chart(
        title="Error of each window over time",
        x=Axis("last known step", whole=True) if steps else Axis("last known time", kind="time"),
        y=Axis(unit, zero=True),
        marks=_lines(scored, "cutoff"),
        height=220,
    )


def calendar_chart(scored: pd.DataFrame, unit: str) -> list[Chart]:
    """The mean error by hour of the day if times are less than a day apart, else by month; none for steps and years.

    Args:
        scored: Forecasts with ``time`` and ``error``.
        unit: Title of the vertical axis.
    """
    if scored["time"].dtype.kind == "i":
        return []
    apart = scored["time"].drop_duplicates().sort_values().diff().min()
    if apart.total_seconds() < _DAY:
        name, words, part = "hour of the day", [f"{hour}:00" for hour in range(24)], scored["time"].dt.hour
    else:
        name, words, part = "month", calendar.month_abbr[1:], scored["time"].dt.month - 1
    if part.nunique() < _FEWEST_PARTS:
        return []
    chart = Chart(
        title=f"Error by {name}",
        x=Axis(name, kind="words", words=tuple(words)),
        y=Axis(unit, zero=True),
        marks=_lines(scored.assign(part=part), "part"),
        height=220,
    )
    return [chart]


def _lines(scored: pd.DataFrame, by: str) -> tuple[AnyMark, ...]:
    columns = ["error", *(f"error_{column}" for column in _baselines(scored))]
    means = scored.groupby(by)[columns].mean()
    x = [float(step) for step in means.index] if by != "cutoff" else seconds_of(means.index.to_series())
    lines: list[AnyMark] = [Line(name="model", x=x, y=means["error"].to_numpy(float), width=2.2)]
    for column in columns[1:]:
        name = column.removeprefix(f"error_{BASELINE_COLUMN}")
        dashed = Line(name=name.replace("_", " "), color=baseline_color(name), x=x, y=means[column].to_numpy(float),
                      dash=True)  # fmt: skip
        lines.append(dashed)
    return tuple(lines)


def coverage_chart(scored: pd.DataFrame, levels: list[str]) -> Chart:
    """The share of actual values in the intervals, by step of the horizon.

    Args:
        scored: Forecasts with ``step``.
        levels: Levels of the intervals in percent.
    """
    lines, rules = [], []
    for level, color in zip(levels, _COLORS * len(levels), strict=False):
        inside = scored["actual"].between(scored[f"lower_{level}"], scored[f"upper_{level}"])
        shares = 100 * inside[scored[f"lower_{level}"].notna()].groupby(scored["step"]).mean()
        lines.append(Line(name=f"{level}% interval", color=color, x=list(map(float, shares.index)), y=shares.to_list()))
        rules.append(Rule(at=float(level), upright=False, color=color))
    return Chart(
        title="Coverage of the intervals by step of the horizon",
        x=Axis("step of the horizon", whole=True),
        y=Axis("actual values in the interval, %"),
        marks=tuple(lines),
        rules=tuple(rules),
        height=220,
    )


def _worst(scored: pd.DataFrame, several: bool) -> str:
    """The windows with the largest mean error, each with its values."""
    windows = scored.groupby(["series", "target", "cutoff"], sort=False)
    means = windows["error"].mean().nlargest(_WORST)
    lines, decimals = [], decimals_of(means)
    for key, error in means.items():
        window = windows.get_group(key)
        first, last = (_time_text(window["time"].iloc[place]) for place in (0, -1))
        picture = Html(sparkline(window["actual"].to_list(), window["forecast"].to_list()))
        name = f"{key[0]}: {key[1]}" if several else str(key[1])  # type: ignore[index]  # a tuple of three
        lines.append(Row((name, f"{first} to {last}", fixed(error, decimals), picture)))
    error = "relative error" if several else _MAE
    return table(("series", "window", error, _PICTURE), lines, numbers=(error,), compact=True)


def _time_text(time: object) -> str:
    """A time as in the data of charts, without seconds and midnight where they are zero."""
    return str(time).removesuffix(":00").removesuffix(" 00:00")


def read_series_scores(path: Path) -> pd.DataFrame | None:
    """The table of the scores of each series; ``None`` if there is none.

    Raises:
        DataError: The file is not such a table.
    """
    import pandas as pd

    if not path.exists():
        return None
    try:
        frame = pd.read_csv(
            path, dtype={"series": str}, keep_default_na=False, na_values={"score": [""], "baseline": [""]}
        )
        return frame[["series", "score", "baseline"]].astype({"score": float, "baseline": float})
    except (ValueError, KeyError) as error:
        raise DataError(f"{path} is not a table of scores: {error}") from error


def score_texts(scores: pd.DataFrame | None) -> dict[str, tuple[str, str]]:
    """Score and skill of each series as text; empty where it is not known.

    Args:
        scores: As of :func:`series_html`.
    """
    if scores is None:
        return {}
    decimals = decimals_of(scores["score"].to_list())
    columns = (scores[name].to_list() for name in ("series", "score", "baseline"))
    return {
        str(name): (fixed(score, decimals) if np.isfinite(score) else "", _skill(score, baseline))
        for name, score, baseline in zip(*columns, strict=True)
    }


def series_html(
    frame: pd.DataFrame,
    levels: list[str],
    scores: pd.DataFrame | None,
    metric: str,
    *,
    choices: Mapping[tuple[str, str], int],
    chosen: int,
) -> str:
    """A table of all series and targets of a panel: score, skill, coverage and a small picture; empty for one.

    Args:
        frame: As of :func:`errors_html`.
        levels: Levels of the intervals in percent.
        scores: ``series``, ``score`` and ``baseline`` in the metric of the study, of all windows; ``None``: unknown.
        metric: Name of that metric.
        choices: Numbers by which the page finds the charts of series and targets.
        chosen: The one that is drawn.
    """
    groups = frame.groupby(["series", "target"], sort=False)
    if groups.ngroups < 2:
        return ""
    known = score_texts(scores)
    points = _FEWER_POINTS if groups.ngroups > _MANY_SERIES else _MOST_POINTS
    lines: list[dict[str, str]] = []
    numbers_of: list[int | None] = []
    for (series, target), rows in groups:
        if len(lines) == _MOST_ROWS:
            break
        number = choices.get((str(series), str(target)))
        numbers_of.append(number)
        score, skill = known.get(str(series), ("", ""))
        shown = {
            "series": str(series),
            "target": str(target) if frame["target"].nunique() > 1 else "",
            metric: score,
            "skill": skill,
            **_drawn(rows, levels),
            _PICTURE: Html(sparkline(*_tail(rows, points))) if number is not None else "",
        }
        lines.append(shown)
    head = [name for name in lines[0] if any(line[name] for line in lines)]
    head = head if frame["series"].nunique() > 1 else head[1:]
    sentences = ["The drawn MAE and the coverage are those of the drawn forecasts."]
    if known:
        sentences.insert(
            0,
            f"{metric} is that of all windows of the holdout and all targets; skill is the share of the best "
            "baseline's error that the model avoids.",
        )
    title = "All series" if head[0] == "series" else "All targets"
    sentences.insert(0, "A click on a row, or Enter on its name, draws its forecasts above.")
    if len(choices) < groups.ngroups:
        sentences.append(
            f"{len(choices):,} of {groups.ngroups:,} can be drawn: evenly spaced ranks of their errors. "
            f"{FORECASTS_TABLE} has all of them."
        )
    numbers = [name for name in head if name not in ("series", "target", _PICTURE)]
    cells = [
        Row(tuple(line[name] for name in head), "chosen" if number == chosen else "", series=number)
        for line, number in zip(lines, numbers_of, strict=True)
    ]
    return (
        f"<h3>{title}</h3>\n{paragraph(*sentences)}{table(head, cells, numbers=numbers, compact=True, sort='series')}"
    )


def _drawn(rows: pd.DataFrame, levels: list[str]) -> dict[str, str]:
    """MAE and coverage of the drawn forecasts of a series."""
    known = rows[rows["forecast"].notna() & rows["actual"].notna()]
    error = float((known["forecast"] - known["actual"]).abs().mean())
    found = {_DRAWN: fixed(error, decimals_of([error])) if len(known) else ""}
    if levels:
        inside = known["actual"].between(known[f"lower_{levels[0]}"], known[f"upper_{levels[0]}"])
        found[f"in the {levels[0]}% interval"] = f"{100 * inside.mean():.0f}%" if len(known) else ""
    return found


def _skill(score: float, baseline: float) -> str:
    if not (np.isfinite(score) and np.isfinite(baseline) and baseline):
        return ""
    return f"{1 - score / baseline:+z.0%}".replace("-", "−")


def _tail(rows: pd.DataFrame, most: int) -> tuple[list[float], list[float]]:
    """The last actual values and forecasts; with fewer points, evenly spaced ones of the same time."""
    shown = rows.sort_values("time").tail(_MOST_POINTS)
    shown = shown[:: -(-len(shown) // most)]
    return shown["actual"].to_list(), shown["forecast"].to_list()

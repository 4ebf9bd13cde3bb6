"""Where forecasts err: by step, over time, in which windows and series."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from lstmgru.errors import DataError
from search.reports.charts.chart import Chart
from search.reports.charts.marks import Line
from search.reports.holdout import errors
from search.reports.holdout.errors import errors_html, read_series_scores, series_html


def frame_of(series: tuple[str, ...] = ("a",)) -> pd.DataFrame:
    """Two windows of three days; the forecast of step k is k too high in the first and 2k too low in the second."""
    parts = []
    for number, name in enumerate(series):
        days = pd.date_range("2024-01-01", periods=8, freq="D")
        size = 10.0**number
        step = np.array([np.nan, np.nan, 1, 2, 3, -2, -4, -6])
        part = pd.DataFrame({"series": name, "target": "sales", "time": days, "actual": 10 * size})
        part["cutoff"] = [days[1]] * 5 + [days[4]] * 3
        part["forecast"] = 10 * size + size * step
        part["lower_80"], part["upper_80"] = part["forecast"] - 2.5 * size, part["forecast"] + 2.5 * size
        part["baseline_linear"] = part["forecast"] + size
        parts.append(part)
    return pd.concat(parts, ignore_index=True)


def lines(chart: Chart) -> dict[str, list[float]]:
    return {mark.name: list(mark.y) for mark in chart.marks if isinstance(mark, Line)}


@pytest.mark.parametrize(("series", "scale"), [(("a",), 1.0), (("a", "b"), 10.0)])
def test_errors_by_step_and_by_window_are_relative_among_several_series(series: tuple[str, ...], scale: float) -> None:
    scored = errors._scored(frame_of(series))

    by_step = lines(errors.by_step_chart(scored, "error"))
    over_time = errors.over_time_chart(scored, "error")

    assert by_step["model"] == pytest.approx([1.5 / scale, 3 / scale, 4.5 / scale])
    assert by_step["linear"] == pytest.approx([1.5 / scale, 3 / scale, 4.5 / scale])
    assert lines(over_time) == {
        "model": pytest.approx([2 / scale, 4 / scale]),
        "linear": pytest.approx([3 / scale, 3 / scale]),
    }
    assert [over_time.x.text(at) for at in over_time.marks[0].x] == ["2024-01-02", "2024-01-05"]  # type: ignore[union-attr]


def test_coverage_by_step_stands_beside_the_level() -> None:
    chart = errors.coverage_chart(errors._scored(frame_of()), ["80"])

    assert lines(chart) == {"80% interval": [100, 50, 0]}
    assert [(rule.at, rule.upright) for rule in chart.rules] == [(80, False)]


def test_the_worst_windows_come_first() -> None:
    made = errors_html(frame_of(), ["80"])

    windows = re.findall(r"<td>(\d.*? to .*?)</td>", made)
    assert windows == ["2024-01-06 to 2024-01-08", "2024-01-03 to 2024-01-05"]
    assert made.count('<figure class="chart"') == 3


def test_without_actual_values_there_are_no_errors() -> None:
    assert errors_html(frame_of().assign(actual=np.nan), ["80"]) == ""


CHOICES = {("a", "sales"): 0, ("b", "sales"): 1, ("a", "visitors"): 1}


def test_all_series_are_listed_with_score_skill_and_coverage() -> None:
    scores = pd.DataFrame({"series": ["a", "b"], "score": [1.5, 2.5], "baseline": [2.0, np.nan]})

    made = series_html(frame_of(("a", "b")), ["80"], scores, "MASE", choices=CHOICES, chosen=1)

    rows = re.findall(r"<tr[^>]*><td>(.*?)</td>(.*?)<td><svg", made)
    assert [(name, re.findall(r">([^<]*)</td>", rest)) for name, rest in rows] == [
        ("a", ["1.500", "+25%", "3.000", "50%"]),
        ("b", ["2.500", "", "30.00", "50%"]),
    ]
    assert series_html(frame_of(), ["80"], scores, "MASE", choices=CHOICES, chosen=0) == ""
    targets = pd.concat([frame_of(), frame_of().assign(target="visitors")], ignore_index=True)
    made = series_html(targets, ["80"], None, "MASE", choices=CHOICES, chosen=0)
    head = re.findall(r"<th(?: class=\"number\")?>(.*?)</th>", made)
    assert head == ["target", "MAE, drawn", "in the 80% interval", "actual (gray) and forecast"]
    assert made.startswith("<h3>All targets</h3>")
    assert "<td>a</td>" in series_html(frame_of(("a", "b")), [], None, "MASE", choices=CHOICES, chosen=0)


def test_scores_of_series_are_read_and_anything_else_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "series.csv"
    assert read_series_scores(path) is None
    path.write_text("series,score,baseline\nNA,1.5,\n007,2,3\n")
    found = read_series_scores(path)
    assert found is not None
    assert found["series"].tolist() == ["NA", "007"]
    assert found["baseline"].tolist() == pytest.approx([np.nan, 3], nan_ok=True)
    path.write_text("nothing\n1\n")
    with pytest.raises(DataError, match=r"series\.csv is not a table of scores"):
        read_series_scores(path)


@pytest.mark.parametrize(
    ("frequency", "count", "title", "first", "values"),
    [
        ("h", 48, "Error by hour of the day", "0:00", 24),
        ("D", 150, "Error by month", "Jan", 5),
        ("MS", 24, "Error by month", "Jan", 12),
        ("D", 40, None, None, None),  # two months
        ("YS", 5, None, None, None),
        (None, 48, None, None, None),
    ],
    ids=["hours", "days", "months", "few days", "years", "steps"],
)
def test_errors_are_drawn_by_hour_or_month(
    frequency: str | None, count: int, title: str | None, first: str | None, values: int | None
) -> None:
    times = np.arange(count) if frequency is None else pd.date_range("2024-01-01", periods=count, freq=frequency)
    frame = pd.DataFrame({"time": times, "cutoff": times, "error": np.arange(count, dtype=float)})

    charts = errors.calendar_chart(frame, "MAE")

    assert [chart.title for chart in charts] == ([title] if title else [])
    for chart in charts:
        [line] = chart.marks
        assert isinstance(line, Line)
        assert (chart.x.words[0], len(line.y)) == (first, values)
        if frequency == "h":
            assert list(line.y) == [hour + 12 for hour in range(24)]

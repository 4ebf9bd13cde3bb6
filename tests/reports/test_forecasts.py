"""Forecasts as a long table, and drawn on a page that needs nothing from elsewhere."""

from __future__ import annotations

import os
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from helpers.mlflow_ui import CHROMIUM, browser_page

from lstmgru.data.forecasting.build_panel import build_panel
from lstmgru.data.forecasting.series import SeriesPanel
from lstmgru.errors import DataError
from search.reports.charts.chart import Chart
from search.reports.charts.marks import Line
from search.reports.holdout.forecast_table import forecast_table, read_forecasts
from search.reports.holdout.forecasts import forecast_chart, forecasts_html, latest_chart, ranked

LEVELS = (0.8, 0.95)


def make_panel(lengths: tuple[int, ...] = (20, 12), *, missing: tuple[int, ...] = (), **changes: Any) -> SeriesPanel:
    """Daily series ``a``, ``b``… of two targets: ``up`` counts the rows of the panel, ``down`` counts back."""
    days = [pd.date_range("2024-01-01", periods=length, freq="D") for length in lengths]
    names = np.repeat([chr(ord("a") + series) for series in range(len(lengths))], lengths)
    up = np.arange(sum(lengths), dtype=float)
    frame = pd.DataFrame({"day": np.concatenate(days), "shop": names, "up": up, "down": -up})
    roles = {"time": "day", "targets": ["up", "down"], "id": "shop", "calendar": "none", "source": "test"}
    return build_panel(frame.drop(index=list(missing)), **{**roles, "gaps": "fill", **changes})


def table_of(panel: SeriesPanel, cutoffs: list[int], horizon: int, **settings: Any) -> pd.DataFrame:
    """Forecasts that are half too high, in intervals of ± 1 and ± 2."""
    rows = np.array(cutoffs, np.int64)
    target = panel.values[rows[:, None] + np.arange(horizon), : panel.n_targets]
    forecast = target + np.float32(0.5)
    width = np.array([1, 2], np.float32)[:, None, None, None]
    return forecast_table(panel, rows, target, forecast, forecast - width, forecast + width, LEVELS, **settings)


def long_table(errors: list[float], *, names: list[str] | None = None, target: str = "sales") -> pd.DataFrame:
    """A series for each error: three days that are known, and three that are forecast with that error."""
    days = pd.date_range("2024-01-01", periods=6, freq="D")
    parts = []
    for number, error in enumerate(errors):
        forecast = np.array([np.nan] * 3 + [100 + error] * 3)
        part = pd.DataFrame({"time": days, "actual": 100.0, "forecast": forecast, "cutoff": days[2]})
        part["series"] = names[number] if names else f"s{number}"
        parts.append(part.assign(target=target, lower_80=forecast - 5, upper_80=forecast + 5))
    return pd.concat(parts, ignore_index=True)


def page_of(frame: pd.DataFrame, *, title: str) -> str:
    return forecasts_html(ranked([frame]), lambda each: each.rows(frame), title=title)


def headings(page: str) -> list[str]:
    return re.findall(r"<h2>(.*?)</h2>", page)


# --- the table --------------------------------------------------------------------------------------------------------


def test_a_row_holds_the_forecast_of_a_target_and_what_came_true() -> None:
    table = table_of(make_panel(), [14], 2, history=1)

    day = pd.to_datetime
    expected = pd.DataFrame(
        [
            ["a", "up", day("2024-01-14"), day("2024-01-14"), 13.0, *[np.nan] * 5],
            ["a", "down", day("2024-01-14"), day("2024-01-14"), -13.0, *[np.nan] * 5],
            ["a", "up", day("2024-01-14"), day("2024-01-15"), 14.0, 14.5, 13.5, 15.5, 12.5, 16.5],
            ["a", "down", day("2024-01-14"), day("2024-01-15"), -14.0, -13.5, -14.5, -12.5, -15.5, -11.5],
            ["a", "up", day("2024-01-14"), day("2024-01-16"), 15.0, 15.5, 14.5, 16.5, 13.5, 17.5],
            ["a", "down", day("2024-01-14"), day("2024-01-16"), -15.0, -14.5, -15.5, -13.5, -16.5, -12.5],
        ],
        columns=[
            "series", "target", "cutoff", "time", "actual", "forecast", "lower_80", "upper_80", "lower_95", "upper_95",
        ],
    )  # fmt: skip
    pd.testing.assert_frame_equal(table, expected, check_dtype=False)


@pytest.mark.parametrize(
    ("cutoffs", "horizon", "forecast_days", "days"),
    [
        # series a has rows 0 to 19, series b rows 20 to 31
        ([12, 13, 14, 15, 16, 17], 3, {"a": [13, 14, 15, 16, 17, 18]}, {"a": (4, 18)}),
        ([17, 12, 15], 3, {"a": [13, 14, 15, 16, 17, 18]}, {"a": (4, 18)}),
        ([10, 12, 16], 3, {"a": [11, 12, 13, 17, 18, 19]}, {"a": (2, 19)}),
        ([17, 22], 3, {"a": [18, 19, 20], "b": [3, 4, 5]}, {"a": (9, 20), "b": (1, 5)}),
        ([4], 3, {"a": [5, 6, 7]}, {"a": (1, 7)}),
        ([5, 6, 30], 1, {"a": [6, 7], "b": [11]}, {"a": (3, 7), "b": (8, 11)}),
    ],
    ids=["every step", "in any order", "with days between", "two series", "little history", "a single step"],
)
def test_windows_follow_each_other_and_no_time_is_forecast_twice(
    cutoffs: list[int], horizon: int, forecast_days: dict[str, list[int]], days: dict[str, tuple[int, int]]
) -> None:
    table = table_of(make_panel(), cutoffs, horizon).query("target == 'up'")
    table = table.assign(day=table["time"].dt.day)

    forecasts = table.dropna(subset="forecast")
    assert forecasts.groupby("series")["day"].agg(list).to_dict() == forecast_days
    assert table.groupby("series")["day"].agg(list).to_dict() == {
        series: list(range(first, last + 1)) for series, (first, last) in days.items()
    }
    assert (forecasts["time"] > forecasts["cutoff"]).all()
    assert ((forecasts["time"] - forecasts["cutoff"]).dt.days <= horizon).all()
    np.testing.assert_array_equal(forecasts["forecast"], forecasts["actual"] + 0.5)


def test_rows_between_two_forecasts_belong_to_the_one_before() -> None:
    table = table_of(make_panel(), [8, 14], 2).query("target == 'up'").set_index("time")

    assert table["cutoff"].dt.day.tolist() == [8] * 6 + [8] * 2 + [8] * 4 + [14] * 2
    between = table["2024-01-11":"2024-01-14"]
    assert between["forecast"].isna().all()
    assert between["actual"].tolist() == [10, 11, 12, 13]


def test_filled_and_unknown_values_are_no_actual_values() -> None:
    panel = make_panel(missing=(10,))
    rows, forecast = np.array([14]), np.ones((1, 2, 2), np.float32)
    target = np.array([[[14, -14], [np.nan, np.nan]]])

    table = forecast_table(panel, rows, target, forecast, *[np.zeros((0, 1, 2, 2))] * 2, ())

    assert list(table.columns) == ["series", "target", "cutoff", "time", "actual", "forecast"]
    assert table[table["actual"].isna()]["time"].dt.day.tolist() == [11, 11, 16, 16]
    assert table["forecast"].count() == 4


def test_times_are_those_of_the_users_table() -> None:
    hours = pd.date_range("2024-03-31 00:00", periods=8, freq="h", tz="Europe/Berlin")
    frame = pd.DataFrame({"hour": hours, "load": np.arange(8.0)})
    panel = build_panel(frame, time="hour", targets=["load"], calendar="none", source="test")

    table = table_of(panel, [4], 2)

    assert table["time"].tolist() == hours[:6].tolist()
    assert (table["cutoff"] == hours[3]).all()
    # The clock of the time zone, which goes from 1 to 3 that night.
    chart = forecast_chart(table, "load", ["80", "95"])
    assert [chart.x.text(time) for time in line(chart, "actual").x[1:3]] == ["2024-03-31 01:00", "2024-03-31 03:00"]


@pytest.mark.parametrize(("level", "name"), [(0.8, "80"), (0.975, "97.5"), (0.29, "29")])
def test_a_level_names_its_columns_in_percent(level: float, name: str) -> None:
    bounds = np.zeros((1, 1, 2, 2))

    table = forecast_table(make_panel(), np.array([9]), bounds[0], bounds[0], bounds, bounds, [level])

    assert list(table.columns[-2:]) == [f"lower_{name}", f"upper_{name}"]
    assert f"{name}% interval" in page_of(table, title="shops")


@pytest.mark.parametrize(
    ("panel", "cutoff"),
    [
        (make_panel(), 14),
        (make_panel(missing=(12,)), 14),
        (build_panel(pd.DataFrame({"step": range(-3, 17), "x": range(20)}), time="step", targets=["x"],
                     calendar="none", source="test"), 6),
    ],
    ids=["days", "missing values", "steps"],
)  # fmt: skip
def test_a_table_comes_back_from_its_file(
    panel: SeriesPanel, cutoff: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("search.reports.holdout.forecast_table._BLOCK_ROWS", 3)
    table = table_of(panel, [cutoff], 2)
    table.to_csv(tmp_path / "forecasts.csv", index=False)

    found = read_forecasts(tmp_path / "forecasts.csv")

    names = found.astype({"series": "str", "target": "str"})
    pd.testing.assert_frame_equal(names, table, check_dtype=False, rtol=1e-12)


def test_names_of_digits_come_back_as_they_were_written(tmp_path: Path) -> None:
    rows = "".join(f"{name},7,2024-01-01,2024-01-02,1,,\n" for name in ("001", "1", "001"))
    (tmp_path / "forecasts.csv").write_text("series,target,cutoff,time,actual,forecast,lower_80\n" + rows)

    found = read_forecasts(tmp_path / "forecasts.csv")

    assert found["series"].tolist() == ["001", "1", "001"]
    assert found["target"].tolist() == ["7", "7", "7"]


def test_times_with_an_offset_come_back_as_the_clock_shows_them(tmp_path: Path) -> None:
    times = ["2024-03-31 00:00:00+01:00", "2024-03-31 01:00:00+01:00", "2024-03-31 03:00:00+02:00"]
    rows = "".join(f"NA,null,{time},{time},1,,\n" for time in times)
    (tmp_path / "forecasts.csv").write_text("series,target,cutoff,time,actual,forecast,lower_80\n" + rows)

    found = read_forecasts(tmp_path / "forecasts.csv")

    assert found["time"].astype(str).tolist() == [time[:19] for time in times]
    assert set(found["series"]) == {"NA"}
    assert set(found["target"]) == {"null"}
    assert found["forecast"].isna().all()


def test_a_file_that_is_no_table_of_forecasts_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "forecasts.csv"
    path.write_text("series,target,cutoff,time,actual\na,b,soon,soon,1\n")

    with pytest.raises(DataError, match=r"forecasts\.csv is not a table of forecasts: .*soon"):
        read_forecasts(path)


# --- the chart --------------------------------------------------------------------------------------------------------


def marked(chart: Chart, name: str) -> Any:
    [found] = [mark for mark in chart.marks if mark.name == name]
    return found


def line(chart: Chart, name: str) -> Line:
    found = marked(chart, name)
    assert isinstance(found, Line)
    return found


def test_a_chart_has_a_line_for_each_forecast_and_a_band_for_each_level() -> None:
    table = table_of(make_panel(), [8, 14], 2, history=2).query("target == 'up'")

    chart = forecast_chart(table, "up", ["80", "95"])

    assert [mark.name for mark in chart.marks] == ["95% interval", "80% interval", "actual", "forecast"]
    nan = pytest.approx(np.nan, nan_ok=True)
    day = [chart.x.text(time) for time in line(chart, "actual").x]
    assert day == [f"2024-01-{number:02}" for number in range(7, 17)]
    assert list(line(chart, "actual").y) == list(range(6, 16))
    assert [chart.x.text(time) for time in line(chart, "forecast").x] == [day[2], day[3], "", day[8], day[9]]
    assert line(chart, "forecast").y == [8.5, 9.5, nan, 14.5, 15.5]
    band = marked(chart, "80% interval")
    assert band.high == [9.5, 10.5, nan, 15.5, 16.5]
    assert band.low == [7.5, 8.5, nan, 13.5, 14.5]
    assert [chart.x.text(rule.at) for rule in chart.rules] == ["2024-01-08"]


def test_forecasts_of_a_single_step_make_one_line() -> None:
    table = table_of(make_panel(), [8, 9, 10], 1).query("target == 'up'")

    assert line(forecast_chart(table, "up", ["80"]), "forecast").y == [8.5, 9.5, 10.5]


def test_integer_steps_stay_numbers() -> None:
    frame = pd.DataFrame({"step": range(10, 40, 3), "load": np.arange(10.0)})
    panel = build_panel(frame, time="step", targets=["load"], calendar="none", source="test")

    chart = forecast_chart(table_of(panel, [6], 2), "load", ["80"])

    assert line(chart, "forecast").x == [28, 31]
    assert [rule.at for rule in chart.rules] == [25]


# --- the page ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("count", "ranks"),
    [
        (1, [0]),
        (12, list(range(12))),
        (13, [0, 1, 2, 3, 4, 5, 6, 7, 8, 10, 11, 12]),
        (23, [0, 2, 4, 6, 7, 9, 11, 13, 15, 18, 20, 22]),
    ],
)
def test_the_best_the_median_and_the_worst_are_among_the_charts(count: int, ranks: list[int]) -> None:
    errors = np.random.default_rng(0).permutation(count).astype(float)

    page = page_of(long_table(errors.tolist()), title="shops")

    shown = [float(heading.rpartition(" ")[2]) for heading in headings(page)]
    assert shown == ranks
    assert page.count('<figure class="chart"') == len(ranks)
    hidden = count - len(ranks)
    assert (f"{len(ranks)} of {count} charts are shown, {hidden} are not" in page) == (hidden > 0)


def test_series_of_any_size_are_ranked_by_their_relative_error() -> None:
    frame = long_table([3, 30, 2])
    large = frame["series"] == "s1"
    frame.loc[large, ["actual", "forecast"]] *= 100
    nothing_known = long_table([0], names=["new"]).assign(actual=np.nan)

    page = page_of(pd.concat([nothing_known, frame]), title="shops")

    assert headings(page) == [
        "s2: sales, MAE 2.000",
        "s0: sales, MAE 3.000",
        "s1: sales, MAE 3,000",
        "new: sales, no actual value is known yet",
    ]


def test_every_target_of_a_series_has_a_chart() -> None:
    page = page_of(table_of(make_panel(), [12, 28], 3), title="shops")

    assert sorted(heading.partition(",")[0] for heading in headings(page)) == ["a: down", "a: up", "b: down", "b: up"]


def test_a_single_series_goes_by_the_name_of_its_target() -> None:
    assert headings(page_of(long_table([1]), title="shop")) == ["sales, MAE 1.000"]


def test_the_share_of_values_in_each_interval_is_said() -> None:
    frame = long_table([0])
    frame.loc[5, "actual"] = 105.5
    frame["lower_95"], frame["upper_95"] = frame["lower_80"] - 5, frame["upper_80"] + 5

    page = page_of(frame, title="shops")

    assert "Of 3 values, 67% lie in the 80% interval, 100% lie in the 95% interval." in page
    assert "intended to contain 80% and 95% of the values" in page


def test_forecasts_without_intervals_are_drawn_alone() -> None:
    page = page_of(long_table([1, 2]).drop(columns=["lower_80", "upper_80"]), title="shops")

    assert page.count('<figure class="chart"') == 2
    assert " % interval" not in page


def test_the_page_loads_nothing() -> None:
    page = page_of(long_table([1, 2, 3]), title="shops")

    markup = re.sub(r"<script.*?</script>", "", page, flags=re.DOTALL)
    assert not re.search(r"(src|href|url|@import)\s*[=(]", markup)
    assert "://" not in markup
    assert not re.search(r"<script[^>]+src=", page)


@pytest.mark.parametrize("name", ["<script>alert(1)</script> & co", '"><img src=x onerror=alert(1)>'])
def test_names_cannot_break_out_of_the_page(name: str) -> None:
    page = page_of(long_table([1, 2], names=[name, "b"], target=name), title=name)

    assert name not in page
    assert page.count("<script") == page.count("</script>")
    escaped = name.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace('"', "&quot;")
    assert headings(page)[0] == f"{escaped}: {escaped}, MAE 1.000"


@pytest.mark.parametrize("column", ["time", "cutoff", "upper_80"])
def test_a_table_without_a_column_is_refused(column: str) -> None:
    with pytest.raises(
        DataError, match=f"the table of forecasts has no column '{column}'; make it with forecast_table"
    ):
        page_of(long_table([1]).drop(columns=column), title="shops")


@pytest.mark.parametrize("frame", [long_table([1]).head(3), table_of(make_panel(), [], 2)], ids=["history", "nothing"])
def test_a_table_without_a_forecast_is_refused(frame: pd.DataFrame) -> None:
    with pytest.raises(DataError, match="the table of forecasts has no forecast"):
        page_of(frame, title="shops")


@pytest.mark.slow
@pytest.mark.browser
@pytest.mark.skipif(
    CHROMIUM is None and not os.environ.get("REQUIRE_BROWSER"), reason="there is no chromium on this machine"
)
@pytest.mark.parametrize("width", [1200, 400])
def test_a_browser_draws_the_charts_within_its_width(width: int, tmp_path: Path) -> None:
    path = tmp_path / "forecasts.html"
    frame = long_table([1, 2], names=["<b>shop</b>", "a name without a space_" * 10], target="<i>sales</i>")
    path.write_text(page_of(frame, title="shops"), encoding="utf-8")
    asked: list[str] = []
    with browser_page() as page:
        page.set_viewport_size({"width": width, "height": 900})
        page.on("request", lambda request: asked.append(request.url))
        page.on("pageerror", lambda error: asked.append(str(error)))
        page.goto(path.as_uri())
        charts = page.locator("figure.chart")
        assert charts.count() == 2
        assert page.locator("h2").first.inner_text() == "<b>shop</b>: <i>sales</i>, MAE 1.000"
        assert page.locator(".axis-title").first.text_content() == "<i>sales</i>"
        legend = page.locator(".legend").first.locator("span").all_text_contents()
        assert legend == ["80% interval", "actual", "forecast"]
        assert page.evaluate("document.documentElement.scrollWidth") == width
        right = [box["x"] + box["width"] for box in (chart.bounding_box() for chart in charts.all()) if box]
        assert len(right) == 2
        assert max(right) <= width
        plot = charts.first.locator(".plot > svg").bounding_box()
        assert plot is not None
        page.mouse.move(plot["x"] + 0.98 * plot["width"], plot["y"] + 50)
        assert page.locator(".readout").inner_text().splitlines()[-2:] == ["actual: 100.00", "forecast: 101.00"]
    assert asked == [path.as_uri()]


def test_a_row_that_lacks_one_of_two_targets_holds_the_other() -> None:
    panel = make_panel()
    known = np.ones((32, 2), bool)
    known[13, 0] = False
    panel = replace(panel, known=known, observed=known.all(axis=1))

    table = table_of(panel, [14], 2, history=1)

    np.testing.assert_array_equal(table["actual"][:2], [np.nan, -13])


def test_the_latest_forecasts_are_those_of_a_series_of_the_holdout_if_the_next_one_is_of_another(
    tmp_path: Path,
) -> None:
    long_table([3.0, 1.0]).to_csv(tmp_path / "forecasts.csv", index=False)
    for name, shown in (("s0", "s0"), ("ended before", "s1")):
        long_table([2.0], names=[name]).to_csv(tmp_path / "next.csv", index=False)
        assert latest_chart(tmp_path)[0] == f"sales of {shown}"

"""Charts: axes with round ticks, positions, the text alternative, and the data table behind each."""

from __future__ import annotations

import itertools
import math
import re
from datetime import UTC, datetime

import pytest
from helpers.combinations import each_row

from lstmgru.evaluation.decimals import decimals_of, fixed
from lstmgru.specs.cells import CELLS, Cell
from search.reports.charts.chart import Chart, chart_html, sparkline
from search.reports.charts.colors import baseline_color, cell_color, family_colors
from search.reports.charts.drawing import path_of, thinned
from search.reports.charts.marks import Band, Boxes, Dots, Label, Line, Rule
from search.reports.charts.scales import Axis, nice_step

NASTY = "<script>alert(1)</script> & \"'"
NUMBERS = Axis("MAE", span=(0.0, 10.0))


def seconds(*date: int) -> float:
    return datetime(*date, tzinfo=UTC).timestamp()  # type: ignore[arg-type, misc]


def table_of(made: str) -> list[list[str]]:
    """Head and rows of the data table."""
    rows = made.partition("<table>")[2].partition("</table>")[0].split("<tr")[1:]
    return [re.findall(r"<t[dh]>([^<]*)", row) for row in rows]


def numbers_of(path: str) -> list[float]:
    """The numbers of a path; all but the first two are relative to the ones before."""
    return [float(number) for number in re.findall(r"-?(?:\d*\.)?\d+", path)]


def test_a_path_is_short_and_exact() -> None:
    points = [(0.0, 12.34), (10.0, 8.0), (20.55, math.nan), (30.0, 8.26), (40.0, 8.26), (50.0, 9.0)]

    assert path_of(points) == "M0 12.3l10-4.3M30 8.3l10 0 10 .7"
    assert path_of(points, steps=True, digits=0) == "M0 12l10 0 0-4M30 8l10 0 10 0 0 1"
    assert path_of(points[:1]) == "M0 12.3h0"


def labels_of(dots: Dots) -> list[tuple[str, bool]]:
    """The texts of the labels in the chart of some points, and whether a narrow chart hides them."""
    made = chart_html(Chart(title="t", x=NUMBERS, y=NUMBERS, marks=(dots,), height=300))
    return [(text, "less" in look) for look, text in re.findall(r'<text class="(small[^"]*)"[^>]*>([^<]*)', made)]


def test_a_point_in_a_ring_keeps_its_label() -> None:
    point = Dots(name="d", x=[5], y=[5], labels=["best"])
    ring = Dots(name="r", x=[5], y=[5], shape="ring", sizes=9.0)
    made = chart_html(Chart(title="t", x=NUMBERS, y=NUMBERS, marks=(point, ring), height=300))

    [y] = re.findall(r'y="([\d.]+)" dy=".35em"[^>]*>best', made)
    assert 300 / 2 - float(y) > 9 + 11 / 2


def test_a_label_without_room_is_left_out_and_one_with_little_room_disappears_in_a_narrow_chart() -> None:
    far = Dots(name="d", x=[2, 8], y=[2, 8], labels=["a", "b"])
    assert labels_of(far) == [("a", False), ("b", False)]

    crowd = Dots(name="d", x=[5 + 0.01 * place for place in range(9)], y=[5.0] * 9, labels=["label"] * 9)
    assert len(labels_of(crowd)) < 9

    side_by_side = Dots(name="d", x=[1 + 0.9 * place for place in range(9)], y=[0.2] * 9, labels=["a label"] * 9)
    assert labels_of(side_by_side).count(("a label", True)) > 2


# --- axes -------------------------------------------------------------------------------------------------------------


@each_row(
    ("axis", "most", "labels"),
    [
        (Axis(span=(0, 10)), 5, ["0", "2", "4", "6", "8", "10"]),
        (Axis(span=(0.012, 0.031)), 4, ["0.015", "0.020", "0.025", "0.030"]),
        (Axis(span=(-1200, 2600)), 4, ["-1,000", "0", "1,000", "2,000"]),
        (Axis(span=(0.5, 3.5), whole=True), 10, ["1", "2", "3"]),
        (Axis(kind="log", span=(0.001, 1.0)), 10, ["0.001", "0.01", "0.1", "1"]),
        (Axis(kind="log", span=(5e-4, 0.01)), 10, ["0.0005", "0.001", "0.002", "0.005", "0.01"]),
        (Axis(kind="log", span=(0.0071, 0.0092)), 3, ["0.008", "0.009"]),
        (Axis(kind="words", words=("a", "b")).fitted(()), 10, ["a", "b"]),
        (Axis(kind="time", span=(seconds(2015, 7, 5), seconds(2015, 12, 31))), 10,
         ["Aug 2015", "Sep", "Oct", "Nov", "Dec"]),
        (Axis(kind="time", span=(seconds(2014, 11, 20), seconds(2016, 2, 1))), 8,
         ["Jan 2015", "Mar", "May", "Jul", "Sep", "Nov", "Jan 2016"]),
        (Axis(kind="time", span=(seconds(2015, 12, 28), seconds(2016, 1, 3))), 10,
         ["28 Dec 2015", "29 Dec", "30 Dec", "31 Dec", "1 Jan 2016"]),
        (Axis(kind="time", span=(seconds(2001, 3, 1), seconds(2021, 3, 1))), 5, ["2005", "2010", "2015", "2020"]),
    ],
)  # fmt: skip
def test_ticks_are_round_and_their_decimals_fixed(axis: Axis, most: int, labels: list[str]) -> None:
    found = [text for _, text in axis.ticks(most)]

    assert found[: len(labels)] == labels
    assert all(axis.ends[0] <= value <= axis.ends[1] for value, _ in axis.ticks(most))


@each_row(
    ("axis", "values", "span"),
    [
        (Axis(), [1, 2], (0.96, 2.04)),
        (Axis(), [2, math.nan, math.inf], (1.8, 2.2)),
        (Axis(), [], (0, 1)),
        (Axis(zero=True), [2, 4], (0, 4.08)),
        (Axis(kind="log"), [0, 1, 100], (100**-0.04, 100**1.04)),
        (Axis(span=(3, 4)), [1, 2], (3, 4)),
        (Axis(kind="words", words=("a", "b")), [], (-0.5, 1.5)),
    ],
)
def test_an_axis_spans_its_values(axis: Axis, values: list[float], span: tuple[float, float]) -> None:
    assert axis.fitted(values).span == pytest.approx(span)


@each_row(
    ("axis", "value", "share", "text"),
    [
        (Axis(span=(0, 4)), 1, 0.25, "1.000"),
        (Axis(span=(1000, 5000)), 2000, 0.25, "2,000"),
        (Axis(kind="log", span=(0.01, 1)), 0.1, 0.5, "0.1"),
        (Axis(kind="log", span=(1e-8, 1)), 1e-6, 0.25, "1.00e-06"),
        (Axis(kind="time", span=(0, 2 * 86400)), 86400 + 3600, 25 / 48, "1970-01-02 01:00"),
        (Axis(kind="words", words=("a", "b")).fitted(()), 1, 0.75, "b"),
        (Axis(span=(0, 4)), math.nan, math.nan, ""),
    ],
)
def test_a_value_has_a_place_and_a_text(axis: Axis, value: float, share: float, text: str) -> None:
    assert axis.at(value) == pytest.approx(share, nan_ok=True)
    assert axis.text(value) == text


@pytest.mark.parametrize(("least", "step"), [(0.9, 1), (1.1, 2), (3, 5), (7, 10), (0.013, 0.02)])
def test_steps_are_nice(least: float, step: float) -> None:
    assert nice_step(least) == pytest.approx(step)


@pytest.mark.parametrize(
    ("values", "texts"),
    [([2.5, 2.8, None], ["2.500", "2.800"]), ([1234.5], ["1,234"]), ([-0.0], ["0.000"]), ([math.inf], ["undefined"])],
)
def test_scores_of_a_column_have_the_same_decimals(values: list[float | None], texts: list[str]) -> None:
    assert [fixed(value, decimals_of(values)) for value in values if value is not None] == texts


# --- charts -----------------------------------------------------------------------------------------------------------


def test_a_chart_has_a_title_a_description_and_its_data() -> None:
    line = Line(name="forecast", x=[1, 2, math.nan, 3], y=[1.0, 2.0, math.nan, 4.0])
    band = Band(name="80% interval", x=[2, 3], low=[1.0, 3.0], high=[3.0, 5.0])

    made = chart_html(Chart("Forecasts", Axis("step", whole=True), NUMBERS, (band, line), height=100))

    assert "<title>Forecasts</title>" in made
    assert "Vertical: MAE from 0.00 to 10.00. Shown: 80% interval, forecast. The data are in the table" in made
    assert table_of(made) == [
        ["step", "80% interval", "forecast"],
        ["1", "", "1.00"],
        ["2", "1.00 to 3.00", "2.00"],
        ["3", "3.00 to 5.00", "4.00"],
    ]
    assert made.count("M") - made.count("MAE") == 4  # the legend, the band, and a line that is interrupted once


def test_points_are_listed_with_their_intervals_and_find_their_places() -> None:
    dots = Dots(name="score", x=[5.0], y=[0], low=[2.5], high=[7.5], texts=["trial 3"])

    made = chart_html(Chart("Scores", NUMBERS, Axis(kind="words", words=("gru", "lstm")), (dots,)))

    assert table_of(made) == [["", "MAE", "row"], ["score, trial 3", "5.00 (2.50 to 7.50)", "gru"]]
    assert 'data-at="0.5 0.75"' in made  # words are counted from the top, places from the bottom
    assert 'cx="50.00%" cy="15.0"' in made
    assert 'x1="25.00%" x2="75.00%"' in made


def test_what_lies_outside_of_the_axes_is_not_drawn() -> None:
    made = chart_html(Chart("Scores", NUMBERS, NUMBERS, (Dots(name="a", x=[1, 11], y=[1, 1]),), height=100))

    assert made.count("<circle") == 1


def test_of_very_many_rows_evenly_spaced_ones_are_listed() -> None:
    line = Line(name="a", x=range(1000), y=range(1000))

    made = chart_html(Chart("Long", Axis(), Axis(), (line,), height=100))

    assert made.count("data-at") == 112
    assert "One row in 9 is listed." in made


@pytest.mark.parametrize("jump", [0, 1500, 2999], ids=["first", "middle", "last"])
def test_a_dense_line_is_thinned_and_keeps_its_extremes_and_its_ends(jump: int) -> None:
    heights = [50.0 + 10 * math.sin(at / 40) for at in range(3000)]
    heights[jump] = 99.0

    drawn = list(thinned((at / 3, height) for at, height in enumerate(heights)))

    points = [(at / 3, height) for at, height in enumerate(heights)]
    assert len(drawn) < 1700
    assert [drawn[0], drawn[-1]] == [points[0], points[-1]]
    assert set(drawn) <= set(points)
    for column in range(400):
        its, left = ([y for x, y in each if x // 2.5 == column] for each in (points, drawn))
        assert (min(its), max(its)) == (min(left), max(left))


def test_a_dense_line_stays_interrupted_and_a_dense_band_as_wide() -> None:
    x = [float(at) for at in range(3000)]
    gap = [math.nan if 1000 <= at < 1100 else 5.0 for at in range(3000)]
    low, high = ([place + (30 if at == 2000 else 0) * sign for at in range(3000)] for place, sign in ((0, -1), (10, 1)))
    marks = (Line(name="a", x=x, y=gap), Band(name="b", x=x, low=low, high=high))

    made = chart_html(Chart("Long", Axis(span=(0, 3000)), Axis(span=(-50, 50)), marks, height=100))

    line, band = re.findall(r' d="(.*?)"', made.partition("</figure>")[0].partition("data")[2])[-2:]
    assert line.count("M") == 2
    assert len(line) < 5 * 1000
    heights = list(itertools.accumulate(numbers_of(band)[1::2]))
    assert (min(heights), max(heights)) == (10.0, 80.0)


def test_a_single_point_is_seen() -> None:
    band = Band(name="b", x=[1], low=[1.0], high=[2.0])

    made = chart_html(Chart("One", Axis(), Axis(), (band, Line(name="a", x=[1], y=[1.5])), height=100))

    assert re.search(r'd="M497 [\d.]+l6 0', made)
    assert 'h0"' in made


def test_text_stays_text() -> None:
    axis = Axis(NASTY, kind="words", words=(NASTY,))
    dots = Dots(name=NASTY, x=[0], y=[0], texts=[NASTY], labels=[NASTY])
    boxes = Boxes(name="b" + NASTY, left=[0], right=[1], bottom=[0], top=[1], texts=[NASTY], labels=[NASTY])
    chart = Chart(
        NASTY, axis, axis, (dots, boxes), (Rule(at=0, text=NASTY),), (Label(x=0, y=0, text=NASTY),), note=NASTY
    )

    assert "<script>" not in chart_html(chart)


def test_a_sparkline_has_two_lines_and_nothing_of_nothing() -> None:
    assert sparkline([1, 2, 3], [math.nan, 2, 3]).count("<path") == 2
    assert sparkline([math.nan, math.nan], [math.nan, math.nan]) == sparkline([1], [1]) == ""


# --- colors -----------------------------------------------------------------------------------------------------------


def test_a_cell_a_family_and_a_baseline_have_one_color_everywhere() -> None:
    few, many = family_colors(["gru", "lstm"]), family_colors(["lstm", "small", "gru", "wide"])

    assert few["lstm"] == many["lstm"] == cell_color("lstm")
    assert few["gru"] == many["gru"] == cell_color("gru")
    assert len(set(many.values())) == 4
    assert baseline_color("linear") != baseline_color("naive")


def test_a_cell_without_a_color_of_its_own_gets_another_one_than_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(CELLS, "mgu", Cell("its:Class", "MGU"))
    monkeypatch.setitem(CELLS, "ran", Cell("its:Class", "RAN"))

    cells = [cell_color(name) for name in CELLS]
    families = family_colors([*CELLS, "deep", "stacked", "wide"])

    assert len(set(cells)) == 5
    assert cells == [families[name] for name in CELLS]
    assert len(set(families.values())) == 8


def test_every_second_tick_gives_way_on_a_narrow_page_but_not_that_of_0() -> None:
    axis = Axis(span=(-3.0, 3.0))

    made = chart_html(Chart("Differences", axis, Axis(), (Dots(name="a", x=[0], y=[0]),), height=100))

    less = re.findall(r'<g class="less">.*?<text[^>]*>(.*?)</text>', made)
    assert less == ["-3", "-1", "1", "3"]


@pytest.mark.parametrize(("at", "anchored"), [(2.0, False), (9.0, True)])
def test_the_text_of_a_rule_stays_in_the_chart(at: float, anchored: bool) -> None:
    dots = Dots(name="a", x=[1], y=[1])

    made = chart_html(Chart("Bounds", NUMBERS, NUMBERS, (dots,), (Rule(at=at, text="latency"),), height=100))

    assert ('text-anchor="end" y="10">latency' in made) == anchored

"""A chart as HTML: an SVG that is as wide as the page, its legend, and its data as a table.

Horizontal positions are percentages and vertical ones pixels, so that a chart fits every width while its texts keep
their size, without a script.
"""

from __future__ import annotations

import html
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from search.reports.charts.drawing import down, line_class, mark_svg, path_of, percent, point_svg, rule_svg, scaled
from search.reports.charts.labels import labels_svg
from search.reports.charts.marks import AnyMark, Dots, Label, Line, Rule
from search.reports.charts.scales import Axis
from search.reports.charts.table import data_table, html_table

_LETTER = 6.7
"""Width of a letter of a tick in pixels, on the safe side."""
_WIDEST, _NARROWEST = 176.0, 34.0
"""Room for the ticks of the vertical axis, in pixels."""
_LONGEST_NAME = 42
_ROW = 26
_MOST_X_TICKS, _LETTERS_IN_A_ROW = 10, 70
_INSET = 14
_SPARK_HEIGHT = 48
"""Height of a sparkline in its own units; the style sheet scales them to half a pixel."""


@dataclass(frozen=True)
class Chart:
    """A chart.

    Attributes:
        title: What it shows, for screen readers and above its table.
        x: Horizontal axis.
        y: Vertical axis; positions of words are drawn from the top.
        marks: In the order in which they are drawn.
        rules: Lines across the chart.
        labels: Texts in the chart.
        height: Of the plotted area in pixels; 0: a row for each word of the vertical axis.
        note: A sentence below its table.
        data: Head and rows of its table; empty: those of its marks.
        name: By which the script finds it; ``brush``: a filter can be drawn on the positions of its horizontal axis.
        undrawn: Of a ``brush``, lines of trials that are not drawn; the filter selects among them, too.
    """

    title: str
    x: Axis
    y: Axis
    marks: tuple[AnyMark, ...]
    rules: tuple[Rule, ...] = ()
    labels: tuple[Label, ...] = ()
    height: int = 0
    note: str = ""
    data: tuple[tuple[str, ...], ...] = ()
    name: str = ""
    undrawn: tuple[Line, ...] = ()

    def fitted(self) -> Chart:
        """The chart with the ranges of its axes and its height."""
        points = [point for mark in self.marks for point in mark.extent()]
        seen = [rule for rule in self.rules if rule.seen]
        x = self.x.fitted([*(x for x, _ in points), *(rule.at for rule in seen if rule.upright)])
        y = self.y.fitted([*(y for _, y in points), *(rule.at for rule in seen if not rule.upright)])
        return replace(self, x=x, y=y, height=self.height or max(60, _ROW * len(self.y.words)))


def chart_html(chart: Chart) -> str:
    """A chart as HTML, every text escaped."""
    drawn = chart.fitted()
    left = tick_room(drawn.y)
    low, high = drawn.y.ends
    # The script needs the vertical range to find the line next to the pointer.
    data = f' data-y="{low:.6g} {high:.6g}"' if any(isinstance(mark, Line) for mark in drawn.marks) else ""
    data += f' data-name="{chart.name}"' if chart.name else ""
    data += f' data-undrawn="{_undrawn(drawn)}"' if drawn.undrawn else ""
    return (
        f'<figure class="chart"{data}>{_legend(drawn)}{_vertical_title(drawn)}'
        f'<div class="plot" style="padding-left:{left:.0f}px">{svg(drawn)}</div>'
        f"{_horizontal_title(drawn)}{_data_table(drawn)}</figure>\n"
    )


def _undrawn(chart: Chart) -> str:
    """The number of each undrawn trial, and the pixels from the top where its line would cross the axes."""
    heights = ((line.trials[0], scaled(line.x, line.y, chart.x, chart.y, chart.height)) for line in chart.undrawn)
    return ",".join(" ".join([str(trial), *(f"{y:.0f}" for _, y in points)]) for trial, points in heights)


def _data_table(chart: Chart) -> str:
    if chart.data:
        head, *rows = chart.data
        return html_table(chart.title, head, [("", list(row)) for row in rows], chart.note)
    return data_table(chart.title, chart.x, chart.y, chart.marks, chart.note)


def sparkline(values: Sequence[float], others: Sequence[float]) -> str:
    """Two small lines of as many values without axes as SVG, the second over the first; for screen readers it is empty.

    A page may have hundreds: positions are small whole numbers, and the style sheet has size, scale and colors.
    """
    known = [value for value in (*values, *others) if math.isfinite(value)]
    last = len(values) - 1
    if not known or last < 1:
        return ""
    across, axis = Axis(span=(0, 1)), Axis().fitted(known)
    paths = (
        path_of(scaled(range(len(line)), line, across, axis, _SPARK_HEIGHT, 1), digits=0) for line in (values, others)
    )
    lines = "".join(f'<path d="{path}"/>' for path in paths)
    return f'<svg class="spark" style="--last:{last}" aria-hidden="true">{lines}</svg>'


def dot_strip(values: Sequence[float], axis: Axis, *, width: int = 90, height: int = 16) -> str:
    """Dots on a fitted axis as a small SVG; what lies outside of the axis is at its ends."""
    dots = "".join(
        point_svg("dot", f"{5 + (width - 10) * min(1.0, max(0.0, axis.at(value))):.1f}", height / 2, 3.2, "blue", 0.65)
        for value in values
        if math.isfinite(value)
    )
    said = ", ".join(axis.text(value) for value in values)
    return (
        f'<svg class="strip" role="img" width="{width}" height="{height}"><title>{said}</title>'
        f'<line class="grid" x1="3" x2="{width - 3}" y1="{height / 2:g}" y2="{height / 2:g}"/>{dots}</svg>'
    )


def svg(chart: Chart) -> str:
    """The SVG of a fitted chart, as wide as its place."""
    said = f"{described(chart)} The data are in the table below the chart."
    return (
        f'<svg role="img" width="100%" height="{chart.height}"><title>{html.escape(chart.title)}</title>'
        f"<desc>{html.escape(said)}</desc>{drawing(chart)}</svg>"
    )


def drawing(chart: Chart) -> str:
    """The content of the SVG of a fitted chart: grid, ticks, rules, marks and labels."""
    height = chart.height
    parts = [
        _grid(chart),
        *(rule_svg(rule, chart) for rule in chart.rules),
        *(mark_svg(mark, chart) for mark in chart.marks),
        labels_svg(chart),
    ]
    parts += [
        f'<text class="small {label.color}" x="{percent(chart.x.at(label.x))}" '
        f'y="{down(chart.y, label.y, height):.1f}" dy=".35em" text-anchor="middle">{html.escape(label.text)}</text>'
        for label in chart.labels
    ]
    return "".join(parts)


def described(chart: Chart) -> str:
    """What a fitted chart shows, for screen readers."""
    names = list(dict.fromkeys(mark.name for mark in chart.marks if mark.legend))
    axes = [
        f"{where}: {axis.title or 'values'} from {axis.text(axis.ends[0])} to {axis.text(axis.ends[1])}."
        for where, axis in (("Horizontal", chart.x), ("Vertical", chart.y))
        if axis.kind != "words" and not axis.hidden
    ]
    return " ".join([*axes, f"Shown: {', '.join(names)}."])


def tick_room(axis: Axis) -> float:
    """Room for the ticks of the vertical axis, in pixels."""
    if axis.hidden:
        return _INSET
    labels = [_short(label, axis) for _, label in axis.ticks(6)]
    return max(_NARROWEST, min(_WIDEST, _LETTER * max(map(len, labels), default=0) + 12))


def _short(label: str, axis: Axis) -> str:
    most = int((_WIDEST - 12) / _LETTER)
    return label if axis.kind != "words" or len(label) <= most else f"{label[: most - 1]}…"


def legend_entries(chart: Chart) -> dict[str, AnyMark]:
    """The marks of the legend by name; a chart with one name needs none."""
    entries = {mark.name: mark for mark in chart.marks if mark.legend}
    return entries if len(entries) > 1 else {}


def _legend(chart: Chart) -> str:
    entries = {html.escape(shortened(name)): swatch(mark) for name, mark in legend_entries(chart).items()}
    items = "".join(
        f'<span><svg width="22" height="12" aria-hidden="true">{drawn}</svg>{name}</span>'
        for name, drawn in entries.items()
    )
    return f'<div class="legend">{items}</div>' if items else ""


def shortened(name: str) -> str:
    """A name as a legend shows it."""
    return name if len(name) <= _LONGEST_NAME else f"{name[: _LONGEST_NAME - 1]}…"


def swatch(mark: AnyMark) -> str:
    """The content of a small SVG of 22 by 12 pixels that shows what a mark looks like."""
    match mark:
        case Line():
            return f'<path class="{line_class(mark)}" d="M1 6H21" stroke-width="{mark.width:g}"/>'
        case Dots():
            return point_svg(mark.shape, "11", 6, 4, mark.color, 1.0)
        case _:
            return f'<rect class="fill {mark.color}" x="1" y="1" width="20" height="10" opacity="{mark.opacity:g}"/>'


def _vertical_title(chart: Chart) -> str:
    return f'<div class="axis-title">{html.escape(shortened(chart.y.title))}</div>' if chart.y.title else ""


def _horizontal_title(chart: Chart) -> str:
    return f'<div class="axis-title x">{html.escape(chart.x.title)}</div>' if chart.x.title else ""


def _grid(chart: Chart) -> str:
    """Grid lines and ticks; every second tick of the horizontal axis disappears where there is little room."""
    height, parts = chart.height, []
    for value, label in [] if chart.y.hidden else chart.y.ticks(max(3, height // 55)):
        y = f"{down(chart.y, value, height):.1f}"
        parts.append(f'<line class="grid" x2="100%" y1="{y}" y2="{y}"/>')
        text = html.escape(_short(label, chart.y))
        parts.append(f'<text x="-8" y="{y}" dy=".35em" text-anchor="end">{text}</text>')
    ticks = [] if chart.x.hidden else chart.x.ticks(_MOST_X_TICKS)
    if chart.x.kind == "words" and len(ticks) > _MOST_X_TICKS:
        most = max(3, min(_MOST_X_TICKS, _LETTERS_IN_A_ROW // max(map(len, chart.x.words))))
        ticks = ticks[:: -(-len(ticks) // most)]
    zero = next((number for number, (value, _) in enumerate(ticks) if value == 0), 0)
    for number, (value, label) in enumerate(ticks, start=zero % 2):
        x = percent(chart.x.at(value))
        less = ' class="less"' if number % 2 and len(ticks) > 5 else ""
        grid = "" if chart.x.kind == "words" else f'<line class="grid" x1="{x}" x2="{x}" y2="{height}"/>'
        text = f'<text x="{x}" y="{height + 19}" text-anchor="middle">{html.escape(shortened(label))}</text>'
        parts.append(f"<g{less}>{grid}{text}</g>")
    return f'<g class="axes">{"".join(parts)}<line class="base" x2="100%" y1="{height}" y2="{height}"/></g>'

"""The data behind a chart as a table, which screen readers, printers and the script of the page read."""

from __future__ import annotations

import html
import math
from collections.abc import Iterator, Sequence

from search.reports.charts.marks import AnyMark, Band, Boxes, Dots, Line
from search.reports.charts.scales import Axis

_MOST_POINTS, _MOST_POSITIONS, _MOST_CELLS = 240, 120, 4000
"""Largest number of rows of points or boxes, of positions of lines, and of cells; of more rows, evenly spaced ones are
listed."""


_Rows = list[tuple[str, list[str]]]


def data_table(title: str, x: Axis, y: Axis, marks: Sequence[AnyMark], note: str = "") -> str:
    """The folded table of a fitted chart: a row for each position of its lines, or for each point or box.

    Every row has its position as shares of the axes (``data-at``), by which the script finds it.
    """
    marks = [mark for mark in marks if mark.listed]
    lines = [mark for mark in marks if isinstance(mark, Line | Band)]
    head, rows = _by_position(x, y, lines) if lines else _by_point(x, y, marks)
    most = min(_MOST_POSITIONS if lines else _MOST_POINTS, max(1, _MOST_CELLS // max(1, len(head))))
    step = -(-len(rows) // most)
    notes = [note] if note else []
    if step > 1:
        notes.append(f"One row in {step} is listed.")
    return html_table(title, head, rows[:: step or 1], " ".join(notes))


def html_table(title: str, head: Sequence[str], rows: _Rows, note: str) -> str:
    """The folded table.

    Args:
        title: Of the chart.
        head: Names of the columns.
        rows: Positions in the chart, which may be empty, and cells.
        note: Below the table; may be empty.
    """
    below = f"<p>{html.escape(note)}</p>" if note else ""
    # Without closing tags, which HTML allows: half of a page would be tags.
    cells = "".join(f"<th>{html.escape(cell)}" if cell else "<td>" for cell in head)
    body = "".join(
        (f'<tr data-at="{at}">' if at else "<tr>") + "".join(f"<td>{html.escape(cell)}" for cell in row)
        for at, row in rows
    )
    return (
        f"<details class=data><summary>Data<span class=unseen> of the chart: {html.escape(title)}</span></summary>"
        f"<div class=scroll><table><thead><tr>{cells}<tbody>{body}</table></div>{below}</details>"
    )


def _by_position(x: Axis, y: Axis, lines: Sequence[Line | Band]) -> tuple[list[str], _Rows]:
    columns = [_column(line, y) for line in lines]
    places = sorted({place for column in columns for place in column if math.isfinite(place)})
    names = [line.label or line.name if isinstance(line, Line) else line.name for line in lines]
    rows = [(_share(x, place), [x.text(place), *(column.get(place, "") for column in columns)]) for place in places]
    return [x.title or ("time" if x.kind == "time" else "position"), *names], rows


def _column(line: Line | Band, y: Axis) -> dict[float, str]:
    if isinstance(line, Line):
        return {float(at): y.text(float(value)) for at, value in zip(line.x, line.y, strict=True)}
    return {
        float(at): f"{y.text(float(low))} to {y.text(float(high))}" if math.isfinite(low) else ""
        for at, low, high in zip(line.x, line.low, line.high, strict=True)
    }


def _by_point(x: Axis, y: Axis, marks: Sequence[AnyMark]) -> tuple[list[str], _Rows]:
    rows = [row for mark in marks for row in _points(mark, x, y)]
    boxes = bool(marks) and all(isinstance(mark, Boxes) for mark in marks)
    head = ["", "value" if boxes else x.title or "value", y.title or "row"]
    # A column without a cell says nothing: names of the only mark, or a row that stands in the name.
    used = [place for place in range(3) if any(cells[place] for _, cells in rows)]
    return [head[place] for place in used], [(at, [cells[place] for place in used]) for at, cells in rows]


def _points(mark: AnyMark, x: Axis, y: Axis) -> Iterator[tuple[str, list[str]]]:
    if isinstance(mark, Dots):
        for number, (across, up) in enumerate(zip(mark.x, mark.y, strict=True)):
            said = ", ".join(part for part in (mark.name, mark.texts[number] if len(mark.texts) else "") if part)
            value = x.text(float(across))
            if len(mark.low) and math.isfinite(mark.low[number]):
                value += f" ({x.text(float(mark.low[number]))} to {x.text(float(mark.high[number]))})"
            yield f"{_share(x, float(across))} {_share(y, float(up), up=True)}", [said, value, y.text(float(up))]
    elif isinstance(mark, Boxes):
        for number, text in enumerate(mark.texts):
            middle = (float(mark.left[number]) + float(mark.right[number])) / 2
            height = (float(mark.bottom[number]) + float(mark.top[number])) / 2
            value = mark.values[number] if len(mark.values) else ""
            yield f"{_share(x, middle)} {_share(y, height, up=True)}", [text, value, ""]


def _share(axis: Axis, value: float, *, up: bool = False) -> str:
    """Position on an axis; words of a vertical axis are counted from the top."""
    share = 1 - axis.at(value) if up and axis.kind == "words" else axis.at(value)
    return f"{share:.4f}".rstrip("0").rstrip(".") if math.isfinite(share) else "-1"

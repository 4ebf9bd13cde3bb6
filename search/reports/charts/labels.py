"""Labels beside points: placed so that they cover neither points, lines of steps nor each other, or left out.

A greedy placement on a few positions around each point (Christensen, Marks and Shieber 1995). A chart is as wide as its
page, so a place must be free at several widths.
"""

from __future__ import annotations

import html
import itertools
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from search.reports.charts.drawing import Drawable, down, is_late, percent, trial_attribute
from search.reports.charts.marks import AnyMark, Dots, Line, Rule

_WIDTHS = (300.0, 640.0, 1120.0)
"""Widths of the plotted area in pixels: on a phone, from where the style sheet shows labels of class ``less``, and the
largest."""
_LETTER, _HEIGHT, _GAP = 7.0, 11.0, 3.0
"""Sizes of a label in pixels, on the safe side."""
_LEFT, _RIGHT, _TOP = 2.0, 12.0, 8.0
"""How far a label may be outside of the plotted area, in pixels."""
_SIDES = ((0, -1), (-1, 1), (1, -1), (-1, -1), (1, 1), (-1, 0), (1, 0), (0, 1))
"""Places of a label, to the right of and below its point, in the order in which they are tried."""
_ANCHORS = {-1: "end", 0: "middle", 1: "start"}

_Box = tuple[float, float, float, float, float, float]
"""A rectangle: share of the width and pixels of its left side, the same of its right side, top and bottom in pixels."""
_Boxes = npt.NDArray[np.float64]


@dataclass(frozen=True)
class _Point:
    """A point, which may have a label.

    Attributes:
        share: Horizontal position as a share of the width.
        y: Pixels from the top.
        size: Radius in pixels.
        text: Its label; may be empty.
        attribute: By which the script finds its trial.
    """

    share: float
    y: float
    size: float
    text: str
    attribute: str

    @property
    def place(self) -> tuple[float, float]:
        """Where it is: a ring around a point is at the same place."""
        return self.share, self.y

    def box(self) -> _Box:
        """What the point covers."""
        return self.share, -self.size, self.share, self.size, self.y - self.size, self.y + self.size

    def offset(self, side: tuple[int, int]) -> tuple[float, float]:
        """From the point to the anchor of its label, in pixels."""
        near = (0.7 * self.size if all(side) else self.size) + _GAP
        return side[0] * near, side[1] * (near + _HEIGHT / 2)

    def label_box(self, side: tuple[int, int]) -> _Box:
        """What its label covers."""
        across, along = self.offset(side)
        wide = _LETTER * len(self.text)
        left, middle = across - wide * (1 - side[0]) / 2, self.y + along
        return self.share, left, self.share, left + wide, middle - _HEIGHT / 2, middle + _HEIGHT / 2

    def label_svg(self, side: tuple[int, int], *, less: bool) -> str:
        """Its label."""
        across, along = self.offset(side)
        return (
            f'<text class="small{" less" if less else ""}" x="{percent(self.share)}" dx="{across:.1f}" '
            f'y="{self.y + along:.1f}" dy=".35em" text-anchor="{_ANCHORS[side[0]]}"{self.attribute}>'
            f"{html.escape(self.text)}</text>"
        )


def labels_svg(chart: Drawable) -> str:
    """The labels of the points of a fitted chart; the first ones have the choice.

    A label without room in a narrow chart disappears there; one without room in a wide chart is left out.
    """
    points = [point for mark in chart.marks for point in _points(mark, chart)]
    largest: dict[tuple[float, float], float] = {}
    for point in points:
        largest[point.place] = max(point.size, largest.get(point.place, 0.0))
    labelled = [replace(point, size=largest[point.place]) for point in points if point.text]
    if not labelled:
        return ""
    covered = [point.box() for point in points]
    covered += [box for mark in chart.marks for box in _steps(mark, chart)]
    covered += [box for rule in chart.rules for box in _rule_text(rule, chart)]
    parts: dict[_Point, str] = {}
    for widths in (_WIDTHS, _WIDTHS[1:]):
        for point in labelled:
            boxes = np.array(covered)
            free = (side for side in _SIDES if _is_free(point.label_box(side), boxes, widths, chart))
            if point not in parts and (side := next(free, None)):
                covered.append(point.label_box(side))
                parts[point] = point.label_svg(side, less=widths != _WIDTHS)
    return "".join(parts.values())


def _points(mark: AnyMark, chart: Drawable) -> Iterator[_Point]:
    """The points that are drawn."""
    if not isinstance(mark, Dots):
        return
    sizes = [mark.sizes] * len(mark.x) if isinstance(mark.sizes, (int, float)) else mark.sizes
    for number, (x, y) in enumerate(zip(mark.x, mark.y, strict=True)):
        share, y_at = chart.x.at(float(x)), down(chart.y, float(y), chart.height)
        if -0.001 <= share <= 1.001 and -1 <= y_at <= chart.height + 1:
            text = mark.labels[number] if len(mark.labels) else ""
            yield _Point(share, y_at, sizes[number], text, trial_attribute(mark, number))


def _steps(mark: AnyMark, chart: Drawable) -> Iterator[_Box]:
    """The horizontal and vertical parts of a line of steps."""
    if not isinstance(mark, Line) or not mark.steps:
        return
    shares = [chart.x.at(float(x)) for x in mark.x]
    heights = [down(chart.y, float(y), chart.height) for y in mark.y]
    for (left, y), (right, following) in itertools.pairwise(zip(shares, heights, strict=True)):
        yield left, 0, right, 0, y - 1, y + 1
        yield right, -1, right, 1, min(y, following), max(y, following)


def _rule_text(rule: Rule, chart: Drawable) -> Iterator[_Box]:
    wide = _LETTER * len(rule.text) + 4
    if rule.text and rule.upright:
        share = chart.x.at(rule.at)
        yield (share, -wide, share, 0, 0, 13) if is_late(share) else (share, 0, share, wide, 0, 13)
    elif rule.text:
        y = down(chart.y, rule.at, chart.height)
        yield 1, -wide, 1, 0, y - 15, y


def _is_free(box: _Box, covered: _Boxes, widths: tuple[float, ...], chart: Drawable) -> bool:
    """Whether a label is inside of the chart and covers nothing, at all widths.

    Args:
        box: The label.
        covered: (boxes, 6)
        widths: Of the plotted area in pixels.
        chart: The chart.
    """
    top, bottom = box[4:]
    if top < -_TOP or bottom > chart.height:
        return False
    beside = covered[(covered[:, 4] < bottom) & (covered[:, 5] > top)]
    for width in widths:
        left, right = box[0] * width + box[1], box[2] * width + box[3]
        if left < -_LEFT or right > width + _RIGHT:
            return False
        lefts, rights = beside[:, 0] * width + beside[:, 1], beside[:, 2] * width + beside[:, 3]
        if ((lefts < right) & (rights > left)).any():
            return False
    return True

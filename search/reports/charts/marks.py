"""What a chart shows: lines, dots, bands, boxes and rules, in the units of its axes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

Values = Sequence[float] | npt.NDArray[np.floating[Any]]
"""Values of an axis; NaN where there is none."""
Shape = Literal["dot", "ring", "cross", "tick"]


@dataclass(frozen=True, kw_only=True)
class Mark:
    """What all marks have.

    Attributes:
        name: Its name in the legend and in the data table; marks of one name share an entry.
        color: A color of the style sheet.
        opacity: Of the mark.
        legend: Whether the legend has it.
        listed: Whether the data table has it.
        trials: Numbers of the trials of a line (one) or of each point or box, which the page can pin; may be empty.
    """

    name: str
    color: str = "blue"
    opacity: float = 1.0
    legend: bool = True
    listed: bool = True
    trials: Sequence[int] = ()


@dataclass(frozen=True, kw_only=True)
class Line(Mark):
    """A line through points; NaN interrupts it.

    Attributes:
        x: (points,)
        y: (points,)
        label: Its column in the data table; empty: its name.
        width: In pixels.
        dash: Whether it is dashed.
        steps: Whether it keeps a value until the next one.
    """

    x: Values
    y: Values
    label: str = ""
    width: float = 1.8
    dash: bool = False
    steps: bool = False

    def extent(self) -> Iterator[tuple[float, float]]:
        """All points."""
        return zip(map(float, self.x), map(float, self.y), strict=True)


@dataclass(frozen=True, kw_only=True)
class Band(Mark):
    """The area between two lines; NaN interrupts it.

    Attributes:
        x: (points,)
        low: (points,)
        high: (points,)
    """

    x: Values
    low: Values
    high: Values

    def extent(self) -> Iterator[tuple[float, float]]:
        """All points."""
        for x, low, high in zip(self.x, self.low, self.high, strict=True):
            yield float(x), float(low)
            yield float(x), float(high)


@dataclass(frozen=True, kw_only=True)
class Dots(Mark):
    """Points.

    Attributes:
        x: (points,)
        y: (points,)
        shape: Of a point.
        sizes: Radius in pixels of each point, or of all.
        low: (points,) lower ends of horizontal intervals; empty: there are none.
        high: (points,) upper ends.
        texts: (points,) what each point is, for the data table; may be empty.
        labels: (points,) texts beside the points, left out where there is no room; may be empty.
        opacities: (points,) instead of ``opacity``; may be empty.
    """

    x: Values
    y: Values
    shape: Shape = "dot"
    sizes: float | Sequence[float] = 4.0
    low: Values = ()
    high: Values = ()
    texts: Sequence[str] = ()
    labels: Sequence[str] = ()
    opacities: Sequence[float] = ()

    def extent(self) -> Iterator[tuple[float, float]]:
        """All points and the ends of their intervals."""
        yield from zip(map(float, self.x), map(float, self.y), strict=True)
        for ends in (self.low, self.high):
            if len(ends):
                yield from zip(map(float, ends), map(float, self.y), strict=True)


@dataclass(frozen=True, kw_only=True)
class Boxes(Mark):
    """Rectangles: bars, lanes, or cells of a heat map.

    Attributes:
        left: (boxes,)
        right: (boxes,)
        bottom: (boxes,)
        top: (boxes,)
        texts: (boxes,) what each box is, for the data table.
        values: (boxes,) what it shows, for the data table; may be empty.
        labels: (boxes,) texts behind the right ends; may be empty.
        opacities: (boxes,) instead of ``opacity``; may be empty.
    """

    left: Values
    right: Values
    bottom: Values
    top: Values
    texts: Sequence[str]
    values: Sequence[str] = ()
    labels: Sequence[str] = ()
    opacities: Sequence[float] = ()

    def extent(self) -> Iterator[tuple[float, float]]:
        """All corners."""
        yield from zip(map(float, self.left), map(float, self.bottom), strict=True)
        yield from zip(map(float, self.right), map(float, self.top), strict=True)


@dataclass(frozen=True, kw_only=True)
class Rule:
    """A line across the chart.

    Attributes:
        at: Its place.
        upright: Whether it is vertical, at a value of the horizontal axis.
        text: Written at its end.
        dash: Whether it is dashed.
        color: A color of the style sheet.
        seen: Whether the axis is extended to show it.
        shaded: Whether it is a limit, beyond which the chart is shaded.
    """

    at: float
    upright: bool = True
    text: str = ""
    dash: bool = True
    color: str = "grey"
    seen: bool = True
    shaded: bool = False


@dataclass(frozen=True, kw_only=True)
class Label:
    """A text in the chart, centered at a point."""

    x: float
    y: float
    text: str
    color: str = "muted"


AnyMark = Line | Band | Dots | Boxes

"""The marks of a chart as SVG: horizontal positions in percent, vertical ones in pixels."""

from __future__ import annotations

import html
import itertools
import math
from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol

from search.reports.charts.marks import AnyMark, Band, Boxes, Dots, Line, Rule, Shape, Values
from search.reports.charts.scales import Axis

_WIDE = 1000
"""Width of the coordinate system of lines; they are stretched to the width of the chart."""


_DENSE, _COLUMN = 500, 2.5
"""Points from which a line is thinned, and the width of the columns of which it keeps the extremes."""
_LATE = 0.7
"""Share of the width from which the text of an upright rule is on its left."""


class Drawable(Protocol):
    """What the drawing of a mark needs of a fitted chart."""

    @property
    def x(self) -> Axis:
        """Horizontal axis."""

    @property
    def y(self) -> Axis:
        """Vertical axis."""

    @property
    def height(self) -> int:
        """Height of the plotted area in pixels."""

    @property
    def marks(self) -> Sequence[AnyMark]:
        """All marks."""

    @property
    def rules(self) -> Sequence[Rule]:
        """Lines across the chart."""


def rule_svg(rule: Rule, chart: Drawable) -> str:
    """A line across the chart, with its text."""
    dash = " dash" if rule.dash else ""
    if rule.upright:
        x, late = percent(chart.x.at(rule.at)), is_late(chart.x.at(rule.at))
        beside = 'dx="-4" text-anchor="end"' if late else 'dx="4"'
        ends, place = f'x1="{x}" x2="{x}" y2="{chart.height}"', f'x="{x}" {beside} y="10"'
    else:
        y = f"{down(chart.y, rule.at, chart.height):.1f}"
        ends, place = f'x2="100%" y1="{y}" y2="{y}"', f'x="100%" y="{y}" dy="-4" text-anchor="end"'
    text = f'<text class="small" {place}>{html.escape(rule.text)}</text>' if rule.text else ""
    return f'{_shade(rule, chart)}<line class="rule {rule.color}{dash}" {ends}/>{text}'


def is_late(share: float) -> bool:
    """Whether the text of an upright rule at a share of the width is on its left."""
    return share > _LATE


def _shade(rule: Rule, chart: Drawable) -> str:
    """The side of a limit that violates it, above or to the right."""
    if not rule.shaded:
        return ""
    if rule.upright:
        share = min(1.0, max(0.0, chart.x.at(rule.at)))
        box = f'x="{percent(share)}" width="{percent(1 - share)}" height="{chart.height}"'
    else:
        box = f'width="100%" height="{max(0.0, down(chart.y, rule.at, chart.height)):.1f}"'
    return f'<rect class="shade {rule.color}" {box}/>'


def mark_svg(mark: AnyMark, chart: Drawable) -> str:
    """A mark."""
    match mark:
        case Line():
            points = scaled(mark.x, mark.y, chart.x, chart.y, chart.height)
            dense = len(mark.x) > _DENSE and not mark.steps
            path = path_of(thinned(points) if dense else points, steps=mark.steps, digits=0 if dense else 1)
            return _stretched(
                f'<path class="{line_class(mark)}" stroke-width="{mark.width:g}"{_opacity(mark.opacity)}'
                f'{trial_attribute(mark, 0)} d="{path}"/>',
                chart,
            )
        case Band():
            return _stretched(_area(mark, chart), chart)
        case Dots():
            return _dots(mark, chart)
        case Boxes():
            return _boxes(mark, chart)


def line_class(line: Line) -> str:
    """The CSS classes of a line."""
    return f"line {line.color}" + (" dash" if line.dash else "")


def trial_attribute(mark: AnyMark, number: int) -> str:
    """By which the script finds the trial of a line, point or box."""
    return f' data-trial="{mark.trials[number]}"' if mark.trials else ""


def _opacity(value: float) -> str:
    return "" if value == 1 else f' opacity="{value:.2g}"'


def _stretched(content: str, chart: Drawable) -> str:
    return (
        f'<svg viewBox="0 0 {_WIDE} {chart.height}" width="100%" height="{chart.height}" preserveAspectRatio="none">'
        f"{content}</svg>"
    )


def scaled(
    x: Values, y: Values, across: Axis, up: Axis, height: float, width: float = _WIDE
) -> Iterator[tuple[float, float]]:
    """Points in pixels."""
    for at, value in zip(x, y, strict=True):
        yield width * across.at(float(at)), down(up, float(value), height)


def thinned(points: Iterable[tuple[float, float]]) -> Iterator[tuple[float, float]]:
    """The first, lowest, highest and last point of each column of pixels: the same picture (M4, Jugel et al. 2014)."""
    for column, group in itertools.groupby(points, lambda point: _column(*point)):
        part = list(group)
        if column is None:
            yield part[0]
            continue
        heights = [y for _, y in part]
        kept = {0, heights.index(min(heights)), heights.index(max(heights)), len(part) - 1}
        yield from (part[place] for place in sorted(kept))


def _column(x: float, y: float) -> int | None:
    """The column of a point; ``None`` if it is not known."""
    return int(x // _COLUMN) if math.isfinite(x) and math.isfinite(y) else None


def path_of(points: Iterable[tuple[float, float]], *, steps: bool = False, digits: int = 1) -> str:
    """The path through points, interrupted where one is not known.

    Args:
        points: In pixels.
        steps: Whether a value is kept until the next one.
        digits: Decimals of the positions.
    """
    unit = 10**digits
    parts: list[str] = []
    before: tuple[int, int] | None = None
    drawn = 0
    for x, y in points:
        if not (math.isfinite(x) and math.isfinite(y)):
            before = None
            continue
        here = round(x * unit), round(y * unit)
        if before is None:
            parts.append(f"M{_joined(here, unit)}l")
        else:  # relative positions are short
            across, up = here[0] - before[0], here[1] - before[1]
            pairs = [(across, 0), (0, up)] if steps else [(across, up)]
            parts += [_joined(pair, unit) for pair in pairs if pair != (0, 0) or not steps]
        before, drawn = here, drawn + 1
    path = " ".join(parts).replace("l ", "l").replace(" -", "-").replace(" M", "M").replace("lM", "M")
    # A point alone is drawn by its round ends.
    return path.removesuffix("l") + ("h0" if drawn == 1 else "")


def _joined(pair: tuple[int, int], unit: int) -> str:
    """Two numbers of a path: ``.5-3``."""
    texts = [
        f"{number / unit:g}".replace("0.", ".", 1) if abs(number) < unit else f"{number / unit:g}" for number in pair
    ]
    return " ".join(texts)


def _area(band: Band, chart: Drawable) -> str:
    """A closed shape for each run of known values; a run of one value is as wide as a mark."""
    lows = scaled(band.x, band.low, chart.x, chart.y, chart.height)
    highs = scaled(band.x, band.high, chart.x, chart.y, chart.height)
    edges = [(x, low, high) for (x, low), (_, high) in zip(lows, highs, strict=True)]
    dense = len(edges) > _DENSE
    if dense:
        edges = list(_widest(edges))
    shapes: list[str] = []
    run: list[tuple[float, float, float]] = []
    for x, low, high in [*edges, (math.nan, 0.0, 0.0)]:
        if math.isfinite(x) and math.isfinite(low) and math.isfinite(high):
            run.append((x, low, high))
            continue
        if len(run) == 1:
            (at, bottom, top), run = run[0], []
            run = [(at - 3, bottom, top), (at + 3, bottom, top)]
        if run:
            around = [(at, top) for at, _, top in run] + [(at, bottom) for at, bottom, _ in reversed(run)]
            shapes.append(f"{path_of(around, digits=0 if dense else 1)}Z")
        run = []
    return f'<path class="fill {band.color}" opacity="{band.opacity:.2g}" d="{"".join(shapes)}"/>'


def _widest(edges: list[tuple[float, float, float]]) -> Iterator[tuple[float, float, float]]:
    """The widest place of each column of pixels; vertical positions are counted from the top."""
    for column, group in itertools.groupby(edges, lambda edge: _column(edge[0], edge[1] + edge[2])):
        part = list(group)
        if column is None:
            yield part[0]
        else:
            yield part[0][0], max(low for _, low, _ in part), min(high for _, _, high in part)


def _dots(dots: Dots, chart: Drawable) -> str:
    parts = []
    sizes = [dots.sizes] * len(dots.x) if isinstance(dots.sizes, (int, float)) else dots.sizes
    for number, (x, y) in enumerate(zip(dots.x, dots.y, strict=True)):
        across, y_at = chart.x.at(float(x)), down(chart.y, float(y), chart.height)
        if not (-0.001 <= across <= 1.001 and -1 <= y_at <= chart.height + 1):
            continue
        place, opacity = percent(across), dots.opacities[number] if len(dots.opacities) else dots.opacity
        if len(dots.low) and math.isfinite(dots.low[number]) and math.isfinite(dots.high[number]):
            ends = [percent(min(1, max(0, chart.x.at(float(end[number]))))) for end in (dots.low, dots.high)]
            parts.append(
                f'<line class="interval {dots.color}" x1="{ends[0]}" x2="{ends[1]}" y1="{y_at:.1f}" y2="{y_at:.1f}"/>'
            )
        parts.append(
            point_svg(dots.shape, place, y_at, sizes[number], dots.color, opacity, trial_attribute(dots, number))
        )
    return f"<g>{''.join(parts)}</g>"


def point_svg(shape: Shape, x: str, y: float, size: float, color: str, opacity: float, more: str = "") -> str:
    """A point of some shape and size (radius in pixels).

    Args:
        shape: Its shape.
        x: A coordinate.
        y: In pixels.
        size: In pixels.
        color: A color of the style sheet.
        opacity: From 0 to 1.
        more: Attributes.
    """
    look = _opacity(opacity)
    if shape == "cross":
        inner = f"M{-size:g} {-size:g}L{size:g} {size:g}M{-size:g} {size:g}L{size:g} {-size:g}"
        return f'<svg x="{x}" y="{y:.1f}" overflow="visible"{look}><path class="line {color}"{more} d="{inner}"/></svg>'
    if shape == "tick":
        return f'<line class="tick {color}" x1="{x}" x2="{x}" y1="{y - size:.1f}" y2="{y + size:.1f}"{look}{more}/>'
    kind = "ring" if shape == "ring" else "dot"
    return f'<circle class="{kind} {color}" cx="{x}" cy="{y:.1f}" r="{size:.3g}"{look}{more}/>'


def _boxes(boxes: Boxes, chart: Drawable) -> str:
    parts = []
    for number, (left, right, bottom, top) in enumerate(
        zip(boxes.left, boxes.right, boxes.bottom, boxes.top, strict=True)
    ):
        start, end = (min(1.0, max(0.0, chart.x.at(float(value)))) for value in (left, right))
        ends = sorted(down(chart.y, float(value), chart.height) for value in (bottom, top))
        opacity = boxes.opacities[number] if len(boxes.opacities) else boxes.opacity
        parts.append(
            f'<rect class="box {boxes.color}" x="{percent(start)}" width="{percent(end - start)}" y="{ends[0]:.1f}" '
            f'height="{ends[1] - ends[0]:.1f}"{_opacity(opacity)}{trial_attribute(boxes, number)}/>'
        )
        if len(boxes.labels):
            text = html.escape(boxes.labels[number])
            middle = sum(ends) / 2
            parts.append(f'<text class="small" x="{percent(end)}" dx="5" y="{middle:.1f}" dy=".35em">{text}</text>')
    return f"<g>{''.join(parts)}</g>"


def percent(share: float) -> str:
    """A share of the width as a coordinate."""
    return f"{100 * share:.2f}%"


def down(axis: Axis, value: float, height: float) -> float:
    """Pixels from the top; words are counted from the top, numbers from the bottom."""
    share = axis.at(value)
    return height * (share if axis.kind == "words" else 1 - share)

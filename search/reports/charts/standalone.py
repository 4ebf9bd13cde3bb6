"""A chart as an SVG file of its own, with title, legend and axis titles, for notebooks and documents.

Looks are attributes of the elements instead of a style sheet, so that browsers, notebooks and vector graphics editors
draw the file alike, and a page that contains it is not changed. It has the light colors and a white background.
"""

from __future__ import annotations

import html
import re
from functools import cache
from pathlib import Path

from search.reports.charts.chart import Chart, described, drawing, legend_entries, shortened, swatch, tick_room

_RIGHT, _GAP, _LETTER = 20, 8, 6.7
_TITLE, _LEGEND_ROW, _AXIS_TITLE, _TICKS = 26, 20, 18, 28
"""Heights of the parts of a chart in pixels."""
_SWATCH, _BETWEEN = 27, 18
"""Width of a swatch with its space, and between two entries of a legend."""
_WHITE = "#ffffff"
_STROKE = {"fill": "none", "stroke": "currentColor", "vector-effect": "non-scaling-stroke", "stroke-linejoin": "round",
           "stroke-linecap": "round"}  # fmt: skip
_SMALL = {"font-size": "11", "paint-order": "stroke", "stroke": _WHITE, "stroke-width": "3"}
_LOOKS: dict[str, dict[str, str]] = {
    "line": _STROKE,
    "rule": {**_STROKE, "stroke-width": "1.2"},
    "tick": {**_STROKE, "stroke-width": "2.5"},
    "interval": {**_STROKE, "stroke-width": "2"},
    "dash": {"stroke-dasharray": "5 4", "stroke-linecap": "butt"},
    "fill": {"fill": "currentColor"},
    "shade": {"fill": "currentColor", "opacity": "0.1"},
    "dot": {"fill": "currentColor"},
    "box": {"fill": "currentColor", "stroke": _WHITE, "stroke-width": "1"},
    "ring": {"fill": _WHITE, "stroke": "currentColor", "stroke-width": "1.6"},
}
"""Attributes of the classes of ``page.css`` that charts use; colors are read from there."""
_ELEMENT = re.compile(r'<(\w+)([^<>]*?) class="([\w -]+)"([^<>]*?)(/?)>')


def standalone_svg(chart: Chart, *, width: int = 760) -> str:
    """The chart as an SVG document.

    Args:
        chart: Any chart.
        width: In pixels.
    """
    drawn = chart.fitted()
    left = tick_room(drawn.y)
    legend, rows = _legend(drawn, width - 2 * _GAP)
    top = _TITLE + rows * _LEGEND_ROW + (_AXIS_TITLE if drawn.y.title else 0) + _GAP
    bottom = (0 if drawn.x.hidden else _TICKS) + (_AXIS_TITLE if drawn.x.title else 0) + _GAP
    height, plot = top + drawn.height + bottom, width - left - _RIGHT
    parts = [
        f'<rect width="{width}" height="{height}" rx="4" fill="{_WHITE}"/>',
        f'<text x="{_GAP}" y="18" font-size="13" font-weight="600" fill="{_colors()["ink"]}">'
        f"{html.escape(drawn.title)}</text>",
        f'<g transform="translate({_GAP} {_TITLE})">{legend}</g>',
        _text(_GAP, top - _GAP - 5, drawn.y.title) if drawn.y.title else "",
        f'<svg x="{left:.0f}" y="{top}" width="{plot:.0f}" height="{drawn.height}" overflow="visible">'
        f"{drawing(drawn)}</svg>",
        _text(left + plot / 2, height - _GAP - 2, drawn.x.title, ' text-anchor="middle"') if drawn.x.title else "",
    ]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" width="{width}" height="{height}" '
        f'viewBox="0 0 {width} {height}" font-family="system-ui, sans-serif" font-size="12" '
        f'fill="{_colors()["muted"]}"><title>{html.escape(drawn.title)}</title>'
        f"<desc>{html.escape(described(drawn))}</desc>{_with_looks(''.join(parts))}</svg>"
    )


def _text(x: float, y: float, text: str, more: str = "") -> str:
    return f'<text x="{x:.0f}" y="{y:.0f}"{more}>{html.escape(text)}</text>'


def _legend(chart: Chart, width: float) -> tuple[str, int]:
    """The entries of the legend, and the number of rows that they need."""
    parts, x, row = [], 0.0, 0
    for name, mark in legend_entries(chart).items():
        shown = shortened(name)
        needed = _SWATCH + _LETTER * len(shown) + _BETWEEN
        if x and x + needed > width:
            x, row = 0.0, row + 1
        place = f'transform="translate({x:.0f} {row * _LEGEND_ROW})"'
        parts.append(f'<g {place}><g transform="translate(0 4)">{swatch(mark)}</g>{_text(_SWATCH, 14, shown)}</g>')
        x += needed
    return "".join(parts), row + 1 if parts else 0


def _with_looks(svg: str) -> str:
    """The attributes of the classes in their place."""
    return _ELEMENT.sub(_with_look, svg)


def _with_look(element: re.Match[str]) -> str:
    tag, before, classes, after, end = element.groups()
    look: dict[str, str] = {}
    for name in classes.split():
        look |= _look(tag, name)
    own = set(re.findall(r"([\w-]+)=", before + after))
    added = "".join(f' {name}="{value}"' for name, value in look.items() if name not in own)
    return f"<{tag}{before}{added}{after}{end}>"


def _look(tag: str, name: str) -> dict[str, str]:
    colors = _colors()
    if name == "small":
        return {**_SMALL, "fill": colors["ink"]}
    if name in ("grid", "base"):
        return {"stroke": colors["edge" if name == "grid" else "muted"]} if tag == "line" else {}
    return _LOOKS.get(name) or ({"color": colors[name]} if name in colors else {})


@cache
def _colors() -> dict[str, str]:
    """The light colors of the pages by name."""
    sheet = Path(__file__).parents[1] / "page.css"
    return dict(re.findall(r"--(\w+): (#\w+);", sheet.read_text(encoding="utf-8").partition("@media")[0]))

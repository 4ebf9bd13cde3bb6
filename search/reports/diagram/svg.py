"""Boxes, words and arrows as SVG; every word is escaped."""

from __future__ import annotations

import html
import textwrap
import unicodedata
from collections.abc import Sequence

from search.reports.charts import INK

_STROKE = "#555555"
_TITLE, _LINE = 17, 15
"""Heights of text, in pixels."""
_TITLE_LETTER, _LINE_LETTER = 7.4, 6.2
"""Widths of a letter, on the safe side."""
_MOST_LINES = 3


class Canvas:
    """A picture to draw on; all numbers are pixels, from the upper left corner."""

    def __init__(self) -> None:
        self._parts: list[str] = []

    def box(
        self, x: float, y: float, width: float, *, title: str, lines: Sequence[str], fill: str, stroke: str
    ) -> float:
        """A box as high as its words need; returns its height."""
        titles = _wrapped(title, (width - 12) / _TITLE_LETTER)
        texts = [part for line in lines for part in _wrapped(line, (width - 12) / _LINE_LETTER)]
        height = 11 + _TITLE * len(titles) + _LINE * len(texts)
        place = f'x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}"'
        self._parts.append(f'<rect {place} rx="6" fill="{fill}" stroke="{stroke}"/>')
        middle, baseline = x + width / 2, y + 5
        for text in titles:
            baseline += _TITLE
            self.text(middle, baseline - 4, text, size=13, weight=600)
        for text in texts:
            baseline += _LINE
            self.text(middle, baseline - 3, text)
        return height

    def text(self, x: float, y: float, text: str, *, size: int = 12, weight: int = 400, anchor: str = "middle") -> None:
        """A line of text; ``y`` is where its letters stand."""
        look = f'text-anchor="{anchor}" font-size="{size}" font-weight="{weight}"'
        self._parts.append(f'<text x="{x:g}" y="{y:g}" {look}>{html.escape(text)}</text>')

    def upright(self, x: float, y: float, text: str) -> None:
        """Small text that runs downwards, around a point, on white."""
        half = len(text) * 3.3
        self._parts.append(
            f'<rect x="{x - 7:g}" y="{y - half:g}" width="14" height="{2 * half:g}" fill="#fff"/>'
            f'<text x="{x:g}" y="{y:g}" transform="rotate(90 {x:g} {y:g})" dy="0.35em" text-anchor="middle" '
            f'font-size="11">{html.escape(text)}</text>'
        )

    def line(self, path: str) -> None:
        """A line along an SVG path."""
        self._parts.append(f'<path d="{path}" fill="none" stroke="{_STROKE}" stroke-width="1.3"/>')

    def arrow(self, x: float, y: float, end: float, label: str = "") -> None:
        """An arrow downwards, from ``y`` to ``end``."""
        self.line(f"M {x:g} {y:g} V {end - 6:g}")
        self._head(f"M {x - 4:g} {end - 7:g} L {x:g} {end:g} L {x + 4:g} {end - 7:g} Z")
        if label:
            self.text(x + 8, (y + end) / 2 + 3, label, size=11, anchor="start")

    def detour(self, x: float, y: float, *, bow: float, end_x: float, end_y: float) -> None:
        """An arrow that leaves another one at a point, goes down on the right at ``bow`` and comes back to an end."""
        self.dot(x, y)
        self.line(f"M {x:g} {y:g} H {bow - 6:g} q 6 0 6 6 V {end_y - 6:g} q 0 6 -6 6 H {end_x + 6:g}")
        self._head(f"M {end_x + 7:g} {end_y - 4:g} L {end_x:g} {end_y:g} L {end_x + 7:g} {end_y + 4:g} Z")

    def dot(self, x: float, y: float) -> None:
        """Where lines part."""
        self._parts.append(f'<circle cx="{x:g}" cy="{y:g}" r="2.5" fill="{_STROKE}"/>')

    def plus(self, x: float, y: float, radius: float) -> None:
        """A sum: a plus in a circle."""
        self._parts.append(f'<circle cx="{x:g}" cy="{y:g}" r="{radius:g}" fill="#fff" stroke="{_STROKE}"/>')
        self.line(f"M {x - 4:g} {y:g} h 8 M {x:g} {y - 4:g} v 8")

    def svg(self, width: float, height: float, *, name: str) -> str:
        """The picture; ``name`` says what it shows to those who cannot see it."""
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" role="img" viewBox="0 0 {width:g} {height:g}" '
            f'width="{width:g}" height="{height:g}" font-family="system-ui, sans-serif" fill="{INK}">'
            f"<title>{html.escape(name)}</title>{''.join(self._parts)}</svg>"
        )

    def _head(self, path: str) -> None:
        self._parts.append(f'<path d="{path}" fill="{_STROKE}"/>')


def _wrapped(text: str, letters: float) -> list[str]:
    """At most a few lines of that many letters; wide letters count twice, and a long word is cut where a line ends."""
    if not text:
        return []
    wide = sum(unicodedata.east_asian_width(letter) in "WF" for letter in text)
    per_line = max(4, int(letters * len(text) / (len(text) + wide)))
    return textwrap.wrap(text, per_line, max_lines=_MOST_LINES, placeholder=" …")

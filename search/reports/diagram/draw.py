"""Diagrams of networks as SVG, from the data at the top to the output at the bottom, narrow enough for a phone."""

from __future__ import annotations

import html
import textwrap
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field

from lstmgru.specs.cells import find_cell
from search.reports.charts.colors import cell_color
from search.reports.diagram.boxes import Box, LayerBox, Network

_TITLE, _LINE = 17, 15
"""Line heights in pixels."""
_TITLE_LETTER, _LINE_LETTER = 7.4, 6.2
"""Widths of a letter in pixels, on the safe side."""
_MOST_LINES = 3


class Canvas:
    """A drawing surface that escapes every text; coordinates are pixels from the upper left corner."""

    def __init__(self) -> None:
        self._parts: list[str] = []

    def box(self, x: float, y: float, width: float, *, title: str, lines: Sequence[str], look: str) -> float:
        """Draw a box that is as high as its text requires; returns its height."""
        titles = _wrapped(title, (width - 12) / _TITLE_LETTER)
        texts = [part for line in lines for part in _wrapped(line, (width - 12) / _LINE_LETTER)]
        height = 11 + _TITLE * len(titles) + _LINE * len(texts)
        place = f'x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}"'
        self._parts.append(f'<rect {place} rx="6" class="{look}"/>')
        middle, baseline = x + width / 2, y + 5
        for text in titles:
            baseline += _TITLE
            self.text(middle, baseline - 4, text, size=13, weight=600)
        for text in texts:
            baseline += _LINE
            self.text(middle, baseline - 3, text)
        return height

    def text(self, x: float, y: float, text: str, *, size: int = 12, weight: int = 400, anchor: str = "middle") -> None:
        """Draw a line of text with its baseline at ``y``."""
        look = f'text-anchor="{anchor}" font-size="{size}" font-weight="{weight}"'
        self._parts.append(f'<text x="{x:g}" y="{y:g}" {look}>{html.escape(text)}</text>')

    def upright(self, x: float, y: float, text: str) -> None:
        """Draw small text that runs downwards, centered on a point, on a white background."""
        half = len(text) * 3.3
        self._parts.append(
            f'<rect x="{x - 7:g}" y="{y - half:g}" width="14" height="{2 * half:g}" class="paper"/>'
            f'<text x="{x:g}" y="{y:g}" transform="rotate(90 {x:g} {y:g})" dy="0.35em" text-anchor="middle" '
            f'font-size="11">{html.escape(text)}</text>'
        )

    def line(self, path: str) -> None:
        """Draw a line along an SVG path."""
        self._parts.append(f'<path d="{path}" class="wire"/>')

    def arrow(self, x: float, y: float, end: float, label: str = "") -> None:
        """Draw a downward arrow from ``y`` to ``end``."""
        self.line(f"M {x:g} {y:g} V {end - 6:g}")
        self._head(f"M {x - 4:g} {end - 7:g} L {x:g} {end:g} L {x + 4:g} {end - 7:g} Z")
        if label:
            self.text(x + 8, (y + end) / 2 + 3, label, size=11, anchor="start")

    def detour(self, x: float, y: float, *, bow: float, end_x: float, end_y: float) -> None:
        """Draw an arrow that branches off at a point, runs down at ``bow`` on the right, and returns to an end."""
        self.dot(x, y)
        self.line(f"M {x:g} {y:g} H {bow - 6:g} q 6 0 6 6 V {end_y - 6:g} q 0 6 -6 6 H {end_x + 6:g}")
        self._head(f"M {end_x + 7:g} {end_y - 4:g} L {end_x:g} {end_y:g} L {end_x + 7:g} {end_y + 4:g} Z")

    def dot(self, x: float, y: float) -> None:
        """Draw the dot at which lines branch."""
        self._parts.append(f'<circle cx="{x:g}" cy="{y:g}" r="2.5" class="tip"/>')

    def plus(self, x: float, y: float, radius: float) -> None:
        """Draw a sum: a plus in a circle."""
        self._parts.append(f'<circle cx="{x:g}" cy="{y:g}" r="{radius:g}" class="paper wire"/>')
        self.line(f"M {x - 4:g} {y:g} h 8 M {x:g} {y - 4:g} v 8")

    def svg(self, width: float, height: float, *, name: str) -> str:
        """The finished SVG; ``name`` describes it to screen readers."""
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" role="img" viewBox="0 0 {width:g} {height:g}" '
            f'width="{width:g}" height="{height:g}" class="diagram">'
            f"<title>{html.escape(name)}</title>{''.join(self._parts)}</svg>"
        )

    def _head(self, path: str) -> None:
        self._parts.append(f'<path d="{path}" class="tip"/>')


def _wrapped(text: str, letters: float) -> list[str]:
    """The text wrapped to a few lines of that many letters; wide letters count twice, long words are broken."""
    if not text:
        return []
    wide = sum(unicodedata.east_asian_width(letter) in "WF" for letter in text)
    per_line = max(4, int(letters * len(text) / (len(text) + wide)))
    return textwrap.wrap(text, per_line, max_lines=_MOST_LINES, placeholder=" …")


_COLUMNS = {1: 220.0, 2: 160.0}
_NARROW_COLUMN = 106.0
_NARROWEST = 290.0
_MARGIN = 4.0
_GAP = 24.0
"""Distance of two boxes, with room for an arrow and its label."""
_SMALL_GAP = 16.0
_RADIUS = 7.0
_SKIP = 18.0
"""Width of a skip connection beside a layer."""
_RECALL = 20.0
"""Width of a connection that bypasses a decoder."""

_LOOKS = {"data": "data-box", "step": "paper wire"}
"""CSS classes of boxes that are no cells."""


def network_svg(network: Network, architecture: str) -> str:
    """The diagram of a network as SVG, every name in it escaped.

    Args:
        network: Its boxes.
        architecture: The architecture in words, ``lstm(64) > gru(32)``, for screen readers.
    """
    count = len(network.branches)
    column = _COLUMNS.get(count, _NARROW_COLUMN)
    width = max(count * column, _NARROWEST)
    picture = _Picture(width, _MARGIN + width / 2)
    for box in network.before:
        picture.add(box)
    picture.add_branches(network.branches, column)
    for box in network.merge:
        picture.add(box)
    encoded = picture.y
    for box in network.after:
        picture.add(box, recalls_from=encoded if box.recalls else None)
    beside = _RECALL if any(box.recalls for box in network.after) else 0
    name = f"Diagram of the network {architecture}"
    return picture.canvas.svg(width + 2 * _MARGIN + beside, picture.y + _MARGIN, name=name)


@dataclass
class _Picture:
    """A diagram that is drawn from top to bottom.

    Attributes:
        width: Width of the boxes that are no layers.
        middle: Their center.
        y: Lower end of the last box.
        exits: Positions at which arrows leave it.
    """

    width: float
    middle: float
    y: float = _MARGIN
    exits: tuple[float, ...] = ()
    canvas: Canvas = field(default_factory=Canvas)

    def add(self, box: Box, *, recalls_from: float | None = None) -> None:
        """Draw the next box and the arrows that lead to it.

        Args:
            box: The box.
            recalls_from: Height from which another arrow leads to it, bypassing the previous box.
        """
        for x in self.exits:
            self.canvas.arrow(x, self.y, self.y + _GAP, box.arrow)
        self.y += _GAP if self.exits else 0
        left, right = self.middle - self.width / 2, self.middle + self.width / 2
        height = self._box(left, self.width, box.title, box.lines, box.kind)
        if recalls_from is not None:
            bow = right + _RECALL - 4
            self.canvas.detour(self.middle, recalls_from + 5, bow=bow, end_x=right, end_y=self.y + height / 2)
        self.y += height
        self.exits = (self.middle,)

    def add_branches(self, branches: tuple[tuple[LayerBox, ...], ...], column: float) -> None:
        """Draw all stacks side by side."""
        top, ends = self.y, []
        # Where there is room, the left margin matches the one of the skip connections on the right.
        beside = _SKIP if any(layer.skip for stack in branches for layer in stack) else 0
        narrow = column == _NARROW_COLUMN
        width = column - 12 - (beside if narrow else 2 * beside)
        left = self.middle - len(branches) * column / 2 - (beside / 2 if narrow else 0)
        self.exits = tuple(left + (index + 0.5) * column for index in range(len(branches)))
        for x, stack in zip(self.exits, branches, strict=True):
            self.y = top
            self._stack(x, stack, width)
            ends.append(self.y)
        self.y = max(ends)
        for x, end in zip(self.exits, ends, strict=True):
            self.canvas.line(f"M {x:g} {end:g} V {self.y:g}")

    def _stack(self, x: float, stack: tuple[LayerBox, ...], width: float) -> None:
        for layer in stack:
            fork = self.y + 5
            self.canvas.arrow(x, self.y, self.y + _GAP)
            if layer.dropout and width > _NARROW_COLUMN:
                self.canvas.text(x - 8, self.y + _GAP / 2 + 3, f"dropout {layer.dropout:.2g}", size=11, anchor="end")
            self.y += _GAP
            self._layer(x - width / 2, width, layer)
            if layer.skip:
                self._sum(x, x + width / 2 + _SKIP / 2, fork, layer)
            if layer.norm:
                self.canvas.arrow(x, self.y, self.y + _SMALL_GAP)
                self.y += _SMALL_GAP
                self.y += self._box(x - width / 2, width, "", ("layer norm",), "step")

    def _layer(self, left: float, width: float, layer: LayerBox) -> None:
        cell, size = layer.spec.cell, layer.spec.hidden_size
        name = find_cell(cell).label
        if layer.spec.bidirectional:
            self.y += self._box(left, width, f"bi-{name}", (f"→ {size}", f"← {size}"), cell)
        else:
            self.y += self._box(left, width, name, ("1 unit" if size == 1 else f"{size} units",), cell)

    def _sum(self, x: float, bow: float, fork: float, layer: LayerBox) -> None:
        """Draw the sum of a layer's output and its skip connection."""
        at = self.y + 12 + _RADIUS
        self.canvas.line(f"M {x:g} {self.y:g} V {at - _RADIUS:g}")
        self.canvas.detour(x, fork, bow=bow, end_x=x + _RADIUS, end_y=at)
        self.canvas.plus(x, at, _RADIUS)
        if layer.skip == "linear":
            self.canvas.upright(bow, (fork + at) / 2, "linear")
        self.y = at + _RADIUS

    def _box(self, left: float, width: float, title: str, lines: tuple[str, ...], kind: str) -> float:
        look = _LOOKS.get(kind) or f"cell {cell_color(kind)}"
        return self.canvas.box(left, self.y, width, title=title, lines=lines, look=look)

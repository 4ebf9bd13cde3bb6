"""A network drawn: from the data at the top to what it tells at the bottom, narrow enough for a phone."""

from __future__ import annotations

from dataclasses import dataclass, field

from search.reports.diagram.architecture import describe_network
from search.reports.diagram.boxes import Box, LayerBox, Roles
from search.reports.diagram.svg import Canvas
from search.space.space import Model

_COLUMNS = {1: 220.0, 2: 160.0}
_NARROW_COLUMN = 106.0
_NARROWEST = 290.0
_MARGIN = 4.0
_GAP = 24.0
"""Between two boxes: an arrow, and what stands at it."""
_SMALL_GAP = 16.0
_RADIUS = 7.0
_SKIP = 18.0
"""What a connection around a layer takes beside it."""
_RECALL = 20.0
"""What a connection around a decoder takes beside it."""

_COLOURS = {
    "data": ("#f0f0f0", "#555555"),
    "step": ("#ffffff", "#9a9a9a"),
    "lstm": ("#dcecf7", "#0072b2"),
    "gru": ("#fdf0d5", "#c98a00"),
    "fused": ("#d9f1e9", "#009e73"),
}
_OTHER_CELL = ("#f6e3ee", "#b4508f")


def architecture_svg(model: Model, roles: Roles) -> str:
    """The diagram of an architecture as SVG, every name in it escaped.

    Args:
        model: The architecture.
        roles: What it reads and tells.
    """
    network = describe_network(model, roles)
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
    name = f"Diagram of the network {model.architecture}"
    return picture.canvas.svg(width + 2 * _MARGIN + beside, picture.y + _MARGIN, name=name)


@dataclass
class _Picture:
    """What is drawn so far, from top to bottom.

    Attributes:
        width: Of a box that is no layer.
        middle: Where it stands.
        y: Where the last box ends.
        exits: Where arrows leave it.
    """

    width: float
    middle: float
    y: float = _MARGIN
    exits: tuple[float, ...] = ()
    canvas: Canvas = field(default_factory=Canvas)

    def add(self, box: Box, *, recalls_from: float | None = None) -> None:
        """The next box, with the arrows that lead to it.

        Args:
            box: What it is.
            recalls_from: Height from which another arrow leads to it, around the box before.
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
        """All stacks, side by side."""
        top, ends = self.y, []
        # Where there is room, what goes around a layer on the right has its like on the left.
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
        name = cell.upper() if cell in ("lstm", "gru") else cell
        if layer.spec.bidirectional:
            self.y += self._box(left, width, f"bi-{name}", (f"→ {size}", f"← {size}"), cell)
        else:
            self.y += self._box(left, width, name, ("1 unit" if size == 1 else f"{size} units",), cell)

    def _sum(self, x: float, bow: float, fork: float, layer: LayerBox) -> None:
        """The sum of a layer's output and what goes around it."""
        at = self.y + 12 + _RADIUS
        self.canvas.line(f"M {x:g} {self.y:g} V {at - _RADIUS:g}")
        self.canvas.detour(x, fork, bow=bow, end_x=x + _RADIUS, end_y=at)
        self.canvas.plus(x, at, _RADIUS)
        if layer.skip == "linear":
            self.canvas.upright(bow, (fork + at) / 2, "linear")
        self.y = at + _RADIUS

    def _box(self, left: float, width: float, title: str, lines: tuple[str, ...], kind: str) -> float:
        fill, stroke = _COLOURS.get(kind, _OTHER_CELL)
        return self.canvas.box(left, self.y, width, title=title, lines=lines, fill=fill, stroke=stroke)

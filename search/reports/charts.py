"""How charts look: colors, letters, axes, and where they are cut."""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

# Of Okabe and Ito's colors, which readers with any color vision tell apart.
BLUE, ORANGE, GREEN, RED, PURPLE = "#0072b2", "#e69f00", "#009e73", "#d55e00", "#cc79a7"
INK, GREY = "#222222", "#8a8a8a"
NUMBER = ",.6~r"
"""Format of d3: six significant digits, never an exponent."""

_LONGEST_TITLE = 28
_FENCE = 3.0
_ENOUGH = 5
_FEW_TICKS = 12


def style(figure: Figure) -> None:
    """The look that all charts share; a legend stands above them."""
    figure.update_layout(
        title=None,
        template="none",
        font={"family": "system-ui, sans-serif", "size": 13, "color": INK},
        margin={"l": 12, "r": 12, "t": 8, "b": 8},
        # Until a button of the chart is pressed, a finger on it scrolls the page.
        dragmode=False,
        legend={"orientation": "h", "x": 0, "y": 1.02, "xanchor": "left", "yanchor": "bottom"},
    )
    axis = {"automargin": True, "zeroline": False, "gridcolor": "#e9edf2", "title_standoff": 8}
    figure.update_xaxes(**axis, showline=True, linecolor="#bbbbbb")
    figure.update_yaxes(**axis)


def whole_numbers(last: int) -> dict[str, Any]:
    """Ticks of an axis that counts to ``last``: never between two numbers."""
    return {"tickformat": "d", "dtick": 1} if last <= _FEW_TICKS else {"tickformat": "d"}


def axis_title(name: str) -> str:
    """A name as plotly shows it letter by letter, cut to the height of a chart."""
    short = name if len(name) <= _LONGEST_TITLE else f"{name[: _LONGEST_TITLE - 1]}…"
    return html.escape(short)


@dataclass(frozen=True)
class Cut:
    """The part of an axis of scores that is drawn.

    Attributes:
        span: Its ends; ``None``: wherever there are values.
        above: Values that lie above it, where errors are drawn.
        below: Values that lie below it, where the scores are better the larger.
    """

    span: tuple[float, float] | None = None
    above: int = 0
    below: int = 0

    def including(self, value: float) -> Cut:
        """The same, and a value that must be seen."""
        if self.span is None:
            return self
        low, high = self.span
        margin = 0.06 * (max(high, value) - min(low, value))
        return replace(self, span=(min(low, value - margin), max(high, value + margin)))

    @property
    def hidden(self) -> int:
        """Values that are not seen."""
        return self.above + self.below

    def sentence(self, things: str) -> str:
        """What is not seen: ``2 trials lie above what is drawn.``"""
        where = "above" if self.above else "below"
        return f"{self.hidden} {things} {'lies' if self.hidden == 1 else 'lie'} {where} what is drawn."


def cut(values: Sequence[float], *, larger_is_better: bool = False) -> Cut:
    """What to draw of scores, so that one that went astray does not press all others together.

    Left out is what is worse than the worse quartile by more than three times the distance of the quartiles (the outer
    fence of Tukey 1977).

    Args:
        values: The scores.
        larger_is_better: Whether the worse ones are the small ones.
    """
    known = np.array([value for value in values if np.isfinite(value)])
    if len(known) < _ENOUGH:
        return Cut()
    lower, upper = np.quantile(known, [0.25, 0.75])
    fence = _FENCE * (upper - lower)
    inside = known[known >= lower - fence] if larger_is_better else known[known <= upper + fence]
    if len(inside) == len(known) or inside.max() == inside.min():
        return Cut()
    margin = 0.06 * (inside.max() - inside.min())
    span = (float(inside.min() - margin), float(inside.max() + margin))
    hidden = len(known) - len(inside)
    return Cut(span, below=hidden) if larger_is_better else Cut(span, above=hidden)

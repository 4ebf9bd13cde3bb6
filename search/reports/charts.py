"""The look of charts: colors, fonts, axes, and the range of scores that is plotted."""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

# From the palette of Okabe and Ito, which is safe for all kinds of color vision.
BLUE, ORANGE, GREEN, RED, PURPLE = "#0072b2", "#e69f00", "#009e73", "#d55e00", "#cc79a7"
INK, GREY = "#222222", "#8a8a8a"
NUMBER = ",.6~r"
"""d3 format: six significant digits, no exponent."""

_LONGEST_TITLE = 28
_FENCE = 3.0
_ENOUGH = 5
_FEW_TICKS = 12


def style(figure: Figure) -> None:
    """Apply the look that all charts share, with the legend above the chart."""
    figure.update_layout(
        title=None,
        template="none",
        font={"family": "system-ui, sans-serif", "size": 13, "color": INK},
        margin={"l": 12, "r": 12, "t": 8, "b": 8},
        # Touching a chart scrolls the page, unless a button of the chart was pressed.
        dragmode=False,
        legend={"orientation": "h", "x": 0, "y": 1.02, "xanchor": "left", "yanchor": "bottom"},
    )
    axis = {"automargin": True, "zeroline": False, "gridcolor": "#e9edf2", "title_standoff": 8}
    figure.update_xaxes(**axis, showline=True, linecolor="#bbbbbb")
    figure.update_yaxes(**axis)


def whole_numbers(last: int) -> dict[str, Any]:
    """Ticks of an axis of integers up to ``last``."""
    return {"tickformat": "d", "dtick": 1} if last <= _FEW_TICKS else {"tickformat": "d"}


def axis_title(name: str) -> str:
    """A name escaped for plotly and truncated to the height of a chart."""
    short = name if len(name) <= _LONGEST_TITLE else f"{name[: _LONGEST_TITLE - 1]}…"
    return html.escape(short)


@dataclass(frozen=True)
class Cut:
    """The plotted range of an axis of scores.

    Attributes:
        span: Its ends; ``None``: the range of all values.
        above: Number of values above it, if smaller is better.
        below: Number of values below it, if larger is better.
    """

    span: tuple[float, float] | None = None
    above: int = 0
    below: int = 0

    def including(self, value: float) -> Cut:
        """The range extended to a value that must be visible."""
        if self.span is None:
            return self
        low, high = self.span
        margin = 0.06 * (max(high, value) - min(low, value))
        return replace(self, span=(min(low, value - margin), max(high, value + margin)))

    @property
    def hidden(self) -> int:
        """Number of values outside the range."""
        return self.above + self.below

    def sentence(self, things: str) -> str:
        """A sentence on the hidden values: ``2 trials lie above the plotted range.``"""
        where = "above" if self.above else "below"
        return f"{self.hidden} {things} {'lies' if self.hidden == 1 else 'lie'} {where} the plotted range."


def cut(values: Sequence[float], *, larger_is_better: bool = False) -> Cut:
    """The range of scores to plot, so that an outlier does not compress all others.

    Excluded are values that are worse than the worse quartile by more than three interquartile ranges (the outer fence
    of Tukey 1977).

    Args:
        values: The scores.
        larger_is_better: Whether larger scores are better.
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

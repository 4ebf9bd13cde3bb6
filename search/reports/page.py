"""A self-contained HTML page: its frame and style, tables and text blocks, and the style that charts share."""

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

# The browser refuses to load anything external, in case a text is ever not escaped.
_POLICY = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data: blob:"

_STYLE = """
body { font-family: system-ui, sans-serif; line-height: 1.45; color: #222; background: #fff;
       margin: 1.5rem auto; max-width: 75rem; padding: 0 1rem; }
h1, h2, h3 { overflow-wrap: anywhere; line-height: 1.2; }
h1 { font-size: 1.6rem; margin-bottom: 0.4rem; }
h2 { font-size: 1.3rem; margin: 2.6rem 0 0.4rem; padding-top: 0.8rem; border-top: 1px solid #ddd; }
h3 { font-size: 1.05rem; margin: 1.7rem 0 0; }
p, ul { margin: 0.4rem 0; max-width: 50rem; overflow-wrap: anywhere; }
nav { margin: 0.8rem 0; }
nav a { display: inline-block; margin-right: 1.2rem; }
a { color: #0072b2; }
.verdict { font-size: 1.15rem; font-weight: 600; border-left: 4px solid #0072b2; padding: 0.5rem 0 0.5rem 0.9rem;
           margin: 1.2rem 0; }
.scroll { overflow-x: auto; max-width: 100%; }
table { border-collapse: collapse; margin: 0.6rem 0; font-variant-numeric: tabular-nums; font-size: 0.93rem; }
th, td { text-align: left; vertical-align: top; padding: 0.25rem 1.1rem 0.25rem 0; border-bottom: 1px solid #e4e4e4; }
th { font-weight: 600; border-bottom-color: #999; white-space: nowrap; }
td:not(.number) { min-width: 6.5rem; }
th.number, td.number { text-align: right; white-space: nowrap; }
table.compact td:not(.number) { min-width: 2.5rem; overflow-wrap: anywhere; }
tr.baseline td { color: #00648f; background: #f1f7fb; }
tr.outside td { color: #767676; }
tr.winner td { font-weight: 600; }
summary { cursor: pointer; margin: 0.4rem 0; color: #0072b2; }
pre { font-size: 0.85rem; background: #f6f7f8; padding: 0.8rem; overflow-x: auto; line-height: 1.4; }
table.confusion th, table.confusion td { text-align: center; vertical-align: middle; min-width: 2.1rem; height: 2.1rem;
    padding: 0.1rem 0.25rem; border: 1px solid #e4e4e4; font-size: 0.85rem; line-height: 1.15; }
table.confusion small { display: block; font-size: 0.7rem; white-space: nowrap; }
table.confusion th { overflow: hidden; text-overflow: ellipsis; max-width: 6.5rem; }
table.confusion tr > :first-child { position: sticky; left: 0; text-align: right; background: #fff; }
table.confusion thead th { vertical-align: bottom; white-space: normal; }
table.confusion th.upright span { writing-mode: vertical-rl; transform: rotate(180deg); max-height: 9rem;
    overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
table.confusion td { print-color-adjust: exact; }
table.confusion td.right { outline: 2px solid #222; outline-offset: -2px; }
.beside { display: flex; flex-wrap: wrap; gap: 1rem 2rem; align-items: flex-start; }
.beside > * { min-width: 0; max-width: 100%; }
.grid { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(17rem, 100%), 1fr)); gap: 0.4rem 1rem; }
.grid > * { min-width: 0; }
@media (max-width: 45rem) {
    .modebar-container { display: none; }
    table.compact th { white-space: normal; }
    table.compact th, table.compact td { padding-right: 0.5rem; font-size: 0.85rem; }
}
@media print { nav { display: none; } }
"""

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<title>{title}</title>
<style>{style}</style>
{script}</head>
<body>
<h1>{title}</h1>
{body}
</body>
</html>
"""

_CHART = "plotly-graph-div"
"""CSS class of a chart, set by plotly."""
_CONFIG = {
    "responsive": True,
    "displaylogo": False,
    "modeBarButtons": [["zoom2d", "pan2d", "resetScale2d", "toImage"]],
}


def html_page(title: str, body: str) -> str:
    """A whole page, which includes plotly once if there is a chart.

    Args:
        title: Heading, as text.
        body: Content, as HTML.
    """
    script = ""
    if _CHART in body:
        from plotly.offline import get_plotlyjs

        script = f"<script>{get_plotlyjs()}</script>\n"
    return _PAGE.format(policy=_POLICY, title=html.escape(title), style=_STYLE, script=script, body=body)


def chart(figure: Figure, *, height: int) -> str:
    """A plotly figure as HTML.

    Args:
        figure: The figure.
        height: Height in pixels; the width is that of the page.
    """
    drawn = figure.to_html(full_html=False, include_plotlyjs=False, default_height=f"{height}px", config=_CONFIG)
    return str(drawn)


def wide(content: str, *, width: int) -> str:
    """HTML with a minimum width in pixels; a narrower page scrolls it horizontally."""
    return f'<div class="scroll"><div style="min-width: {width}px">{content}</div></div>'


def paragraph(*sentences: str) -> str:
    """A paragraph of sentences, given as text; empty if there are none."""
    return f"<p>{html.escape(' '.join(sentences))}</p>\n" if sentences else ""


def details(summary: str, content: str) -> str:
    """HTML that is folded away behind a summary."""
    return f"<details><summary>{html.escape(summary)}</summary>\n{content}\n</details>\n"


def preformatted(text: str) -> str:
    """Text with its line breaks and spaces preserved."""
    return f"<pre>{html.escape(text)}</pre>"


@dataclass(frozen=True)
class Line:
    """A row of a table: its cells, as text, and its mark (``winner``, ``baseline``, ``outside``)."""

    cells: tuple[str, ...]
    mark: str = ""


def table(head: Sequence[str], lines: Sequence[Line], *, numbers: Sequence[str] = (), compact: bool = False) -> str:
    """A table as HTML, with every text escaped.

    Args:
        head: Names of the columns.
        lines: Rows, their cells in the order of the columns.
        numbers: Names of the columns that hold numbers.
        compact: Whether columns of short words may be narrow.
    """
    kinds = [_class("number" if name in numbers else "") for name in head]

    def row(tag: str, cells: Sequence[str]) -> str:
        return "".join(f"<{tag}{kind}>{html.escape(cell)}</{tag}>" for kind, cell in zip(kinds, cells, strict=True))

    body = "\n".join(f"<tr{_class(line.mark)}>{row('td', line.cells)}</tr>" for line in lines)
    return (
        f'<div class="scroll"><table{_class("compact" if compact else "")}>\n'
        f"<thead><tr>{row('th', head)}</tr></thead>\n<tbody>\n{body}\n</tbody>\n</table></div>\n"
    )


def _class(name: str) -> str:
    return f' class="{name}"' if name else ""


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

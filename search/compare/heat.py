"""Score, size and latency of each family and baseline as a table whose shades say how good a value is."""

from __future__ import annotations

import html
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from search.compare.results import Comparison
from search.compare.tables import score, seconds
from search.reports.page import paragraph

_DARKEST = 55
"""Percent of the shade of the best cell of a column."""
_TEXT = (
    "The stronger the color of a cell, the better it is in its column. Sizes and times are compared by their "
    "logarithms."
)


@dataclass(frozen=True)
class _Column:
    """A column.

    Attributes:
        name: Its title.
        values: Of each row; ``None``: unknown.
        text: A value in words.
        larger: Whether larger values are better.
        unit: What is one on a logarithmic scale; ``None``: the scale is linear.
    """

    name: str
    values: Sequence[float | None]
    text: Callable[[float], str]
    larger: bool = False
    unit: float | None = None

    def shades(self) -> list[int]:
        """From 0 for the worst or an unknown value to the darkest shade in percent for the best one."""
        scaled = [None if value is None else self._scaled(value) for value in self.values]
        known = [value for value in scaled if value is not None]
        low, high = min(known, default=0.0), max(known, default=0.0)
        if not high > low:
            return [0] * len(scaled)
        worst = low if self.larger else high
        return [0 if value is None else round(_DARKEST * abs(value - worst) / (high - low)) for value in scaled]

    def _scaled(self, value: float) -> float:
        return value if self.unit is None else math.log1p(value / self.unit)


def heat_html(comparison: Comparison) -> str:
    """The table; empty with less than two rows."""
    terms, shown = comparison.terms, comparison.contenders
    if len(shown) < 2:
        return ""
    larger = terms.larger_is_better
    scores = [each.holdout.mean if each.holdout else None for each in shown]
    columns = [
        _Column(f"{terms.title}, holdout", scores, lambda value: score(value, comparison.decimals), larger),
        _Column("parameters", [each.n_parameters for each in shown], lambda value: f"{value:,.0f}", unit=1.0),
        _Column(f"1 {terms.case}", [each.latency for each in shown], seconds, unit=1e-6),
        _Column(f"64 {terms.cases}", [each.batch_latency for each in shown], seconds, unit=1e-6),
    ]
    shades = [column.shades() for column in columns]
    rows = []
    for number, each in enumerate(shown):
        cells = ""
        for column, shade in zip(columns, shades, strict=True):
            value = column.values[number]
            text = "" if value is None else html.escape(column.text(value))
            cells += f'<td class="number" style="--share: {shade[number]}%">{text}</td>'
        rows.append(f'<tr><th scope="row">{html.escape(each.title)}</th>{cells}</tr>')
    head = "".join(f'<th class="number">{html.escape(column.name)}</th>' for column in columns)
    body = "\n".join(rows)
    return (
        f"<h2>Score, size and latency</h2>\n{paragraph(_TEXT)}"
        f'<div class="scroll"><table class="heat"><thead><tr><th>family</th>{head}</tr></thead>\n'
        f"<tbody>\n{body}\n</tbody></table></div>\n"
    )

"""Attention weights of a forecast, as a table and drawn."""

from __future__ import annotations

import html
from pathlib import Path
from typing import TYPE_CHECKING

from search.reports.charts.chart import Chart, chart_html
from search.reports.charts.marks import Boxes
from search.reports.charts.scales import Axis
from search.reports.page import paragraph

if TYPE_CHECKING:
    import pandas as pd

    from lstmgru.bundle import ForecastBundle

_MOST_TARGETS = 3
_ATTENTION = (
    "Attention weights over the outputs of the recurrent layers for each step or segment of the context, for the "
    "forecast of the steps after the bundle's example; they sum to 1."
)


def attention_table(bundle: ForecastBundle) -> pd.DataFrame:
    """The attention weights of the forecast for the bundle's example.

    Returns:
        ``target`` (empty if all targets share the weights), ``first_step`` and ``last_step`` of the forecast, ``time``
        of the context, ``weight``.

    Raises:
        DataError: The model has no attention.
    """
    assert bundle.example is not None  # a bundle that a study exports has one
    found = bundle.attention(bundle.example)
    # A column of the data may have one of these names, so columns are identified by position, from the last.
    first, last, time, weight = found.columns[-4:]
    shared = len(found.columns) - 4 == (bundle.schema.id is not None)
    frame = found[[first, last, time, weight]].set_axis(["first_step", "last_step", "time", "weight"], axis=1)
    frame.insert(0, "target", "" if shared else found[found.columns[-5]])
    return frame


def attention_charts(path: Path) -> str:
    """The charts of a table of :func:`attention_table` as HTML; empty if there is no such file."""
    import pandas as pd

    if not path.exists():
        return ""
    frame = pd.read_csv(path, keep_default_na=False)
    groups = list(frame.groupby("target", sort=False))
    parts = [paragraph(_ATTENTION)]
    for target, rows in groups[:_MOST_TARGETS]:
        heading = f": {html.escape(str(target))}" if target else ""
        parts.append(f"<h3>Attention{heading}</h3>\n{chart_html(attention_chart(rows))}")
    if len(groups) > _MOST_TARGETS:
        parts.append(paragraph(f"{len(groups) - _MOST_TARGETS} more targets are not shown."))
    return "\n".join(parts)


def attention_chart(rows: pd.DataFrame) -> Chart:
    """A bar chart if one set of weights serves the whole horizon, else a heat map with a row for each part of it.

    Args:
        rows: Columns ``first_step``, ``last_step``, ``time``, ``weight``.
    """
    spans = rows["first_step"].astype(str) + "-" + rows["last_step"].astype(str)
    table = rows.assign(span=spans).pivot_table("weight", "span", "time", sort=False)
    times = [str(time) for time in table.columns]
    weights = table.to_numpy(float)
    cells = [(row, column) for row in range(len(table)) for column in range(len(times))]
    bars = len(table) == 1
    half = 0.3 if bars else 0.5
    boxes = Boxes(
        name="weight",
        left=[column - half for _, column in cells],
        right=[column + half for _, column in cells],
        bottom=[0.0 if bars else row - 0.5 for row, _ in cells],
        top=[float(weights[cell]) if bars else cell[0] + 0.5 for cell in cells],
        texts=[f"steps {table.index[row]}, {times[column]}" for row, column in cells],
        values=[f"{weights[cell]:.3f}" for cell in cells],
        opacities=() if bars else [float(weights[cell] / weights.max()) for cell in cells],
    )
    return Chart(
        title="Attention weights",
        x=Axis("time", kind="words", words=tuple(times)),
        y=Axis("weight", zero=True)
        if bars
        else Axis("steps of the forecast", kind="words", words=tuple(map(str, table.index))),
        marks=(boxes,),
        height=160 if bars else 0,
    )

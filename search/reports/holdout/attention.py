"""Attention weights of the winner over its context, as a table and as charts."""

from __future__ import annotations

import html
from pathlib import Path
from typing import TYPE_CHECKING

from search.reports.charts import BLUE, axis_title, style
from search.reports.page import chart, paragraph

if TYPE_CHECKING:
    import pandas as pd
    from plotly.graph_objects import Figure

    from lstmgru.bundle import ForecastBundle

_HEIGHT = 260
_MOST_TARGETS = 3
_WHAT = (
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
    parts = [paragraph(_WHAT)]
    for target, rows in groups[:_MOST_TARGETS]:
        heading = f": {html.escape(str(target))}" if target else ""
        parts.append(f"<h3>Attention{heading}</h3>\n{chart(attention_figure(rows), height=_HEIGHT)}")
    if len(groups) > _MOST_TARGETS:
        parts.append(paragraph(f"{len(groups) - _MOST_TARGETS} more targets are not shown."))
    return "\n".join(parts)


def attention_figure(rows: pd.DataFrame) -> Figure:
    """A bar chart if one set of weights serves the whole horizon, else a heat map with a row for each part of it.

    Args:
        rows: Columns ``first_step``, ``last_step``, ``time``, ``weight``.
    """
    from plotly.graph_objects import Bar, Figure, Heatmap

    spans = rows["first_step"].astype(str) + "-" + rows["last_step"].astype(str)
    table = rows.assign(span=spans).pivot_table("weight", "span", "time", sort=False)
    times = [str(time) for time in table.columns]
    figure = Figure()
    if len(table) == 1:
        figure.add_trace(Bar(x=times, y=table.iloc[0].to_numpy(), marker_color=BLUE, hovertemplate="%{y:.3f}"))
        figure.update_yaxes(title="weight", rangemode="tozero")
    else:
        hover = "steps %{y}, %{x}: %{z:.3f}<extra></extra>"
        figure.add_trace(
            Heatmap(x=times, y=list(table.index), z=table.to_numpy(), colorscale="Blues", zmin=0, hovertemplate=hover)
        )
        figure.update_yaxes(title=axis_title("steps of the forecast"), type="category")
    figure.update_xaxes(title="time")
    style(figure)
    return figure

"""One chart: a series, its forecasts, and a band for each interval."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from search.reports.charts import BLUE, INK, NUMBER, axis_title, style

if TYPE_CHECKING:
    import pandas as pd
    from plotly.graph_objects import Figure

_BAND = "rgba(0, 114, 178, {opacity:.2f})"


def forecast_figure(rows: pd.DataFrame, target: str, levels: list[str]) -> Figure:
    """The chart of one series and target.

    Args:
        rows: Their part of :func:`~search.reports.holdout.forecast_table.forecast_table`, in the order of time.
        target: Title of the vertical axis.
        levels: Of the intervals in percent, the narrowest first.
    """
    from plotly.graph_objects import Figure, Scatter

    figure = Figure()
    windows = _windows(rows)
    for order, level in enumerate(reversed(levels)):
        figure.add_trace(_band(windows, level, opacity=0.16 + 0.2 * order / len(levels)))
    figure.add_trace(
        Scatter(
            x=_times(rows["time"]),
            y=rows["actual"].to_numpy(),
            name="actual",
            mode="lines",
            line={"color": INK, "width": 1.5},
            hovertemplate=f"%{{y:{NUMBER}}}",
        )
    )
    figure.add_trace(_forecasts(windows, levels))
    _lay_out(figure, target, first_cutoff=_times(windows[0]["cutoff"])[0])
    return figure


def _windows(rows: pd.DataFrame) -> list[pd.DataFrame]:
    """The rows of each forecast; those of a single step make one line together, for a point is none."""
    forecasts = rows.dropna(subset="forecast")
    windows = [part for _, part in forecasts.groupby("cutoff", sort=True)]
    return windows if max(map(len, windows)) > 1 else [forecasts]


def _band(windows: list[pd.DataFrame], level: str, *, opacity: float) -> Any:
    """One trace with a closed shape for each forecast."""
    from plotly.graph_objects import Scatter

    x, y = [], []
    for window in windows:
        times = _times(window["time"])
        x += [*times, *times[::-1], None]
        y += [*window[f"upper_{level}"], *window[f"lower_{level}"][::-1], None]
    return Scatter(
        x=x,
        y=y,
        name=f"{level} % interval",
        mode="lines",
        fill="toself",
        fillcolor=_BAND.format(opacity=opacity),
        # A single point has no width: its band is the outline.
        line={"color": _BAND.format(opacity=opacity), "width": 8 if len(windows[0]) == 1 else 0},
        hoverinfo="skip",
    )


def _forecasts(windows: list[pd.DataFrame], levels: list[str]) -> Any:
    """One trace with a line for each forecast."""
    from plotly.graph_objects import Scatter

    x, y, bounds = [], [], []
    for window in windows:
        x += [*_times(window["time"]), None]
        y += [*window["forecast"], None]
        ends = window[[f"{end}_{level}" for level in levels for end in ("lower", "upper")]]
        bounds += [*ends.to_numpy().tolist(), [None] * 2 * len(levels)]
    intervals = "".join(
        f"<br>{level} %: %{{customdata[{2 * order}]:{NUMBER}}} to %{{customdata[{2 * order + 1}]:{NUMBER}}}"
        for order, level in enumerate(levels)
    )
    return Scatter(
        x=x,
        y=y,
        name="forecast",
        mode="lines+markers" if len(windows[0]) == 1 else "lines",
        line={"color": BLUE, "width": 2},
        customdata=bounds,
        hovertemplate=f"%{{y:{NUMBER}}}{intervals}",
    )


def _lay_out(figure: Figure, target: str, *, first_cutoff: Any) -> None:
    style(figure)
    figure.update_layout(hovermode="x unified", legend_traceorder="reversed")
    figure.update_xaxes(title="time")
    figure.update_yaxes(title=axis_title(target), separatethousands=True, exponentformat="none")
    figure.add_vline(x=first_cutoff, line={"color": "#888888", "width": 1, "dash": "dot"})


def _times(times: pd.Series) -> list[Any]:
    """Steps, or dates as the clock of their time zone shows them."""
    if times.dtype.kind == "i":
        return list(times)
    return list(np.datetime_as_string(times.dt.tz_localize(None).to_numpy(), unit="s"))

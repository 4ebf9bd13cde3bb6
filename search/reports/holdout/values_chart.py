"""Numbers that were predicted against what they are."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING

import numpy as np

from search.reports.charts import BLUE, GREY, NUMBER, style
from search.reports.formatting import number

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

    from search.reports.holdout.label_tables import PredictedValues

_MOST_POINTS = 2000
"""Points that a browser draws at once."""


def values_text(labels: PredictedValues, subject: str) -> list[str]:
    """Sentences on how large the errors are, and on what is drawn."""
    half, most = np.quantile(np.abs(labels.errors), [0.5, 0.9])
    sentences = [
        f"Of {len(labels.errors):,} {subject}s, half are predicted with an error of at most {number(float(half))}, "
        f"nine in ten of at most {number(float(most))}."
    ]
    step = _step(labels)
    if step > 1:
        sentences.append(f"One in {step} is drawn.")
    return sentences


def values_figure(labels: PredictedValues, subject: str) -> Figure:
    """A point for each; on the line lies what is right.

    Args:
        labels: Of the holdout.
        subject: What is labeled: ``sequence``.
    """
    from plotly.graph_objects import Figure, Scatter

    step = _step(labels)
    actual, predicted, names = labels.actual[::step], labels.predicted[::step], labels.names[::step]
    low, high = float(min(actual.min(), predicted.min())), float(max(actual.max(), predicted.max()))
    margin = 0.04 * (high - low) or 1.0
    ends = [low - margin, high + margin]
    figure = Figure()
    figure.add_trace(
        Scatter(
            x=ends, y=ends, mode="lines", name="no error", line={"color": GREY, "width": 1.3, "dash": "dash"},
            hoverinfo="skip",
        )
    )  # fmt: skip
    figure.add_trace(
        Scatter(
            x=actual,
            y=predicted,
            mode="markers",
            name=subject,
            marker={"color": BLUE, "size": 6, "opacity": 0.6},
            customdata=[html.escape(str(name)) for name in names],
            hovertemplate=f"{subject} %{{customdata}}<br>actual %{{x:{NUMBER}}}<br>predicted %{{y:{NUMBER}}}"
            "<extra></extra>",
        )
    )
    style(figure)
    numbers = {"separatethousands": True, "exponentformat": "none", "range": ends}
    figure.update_layout(showlegend=True)
    figure.update_xaxes(title="actual", **numbers)
    figure.update_yaxes(title="predicted", **numbers)
    return figure


def _step(labels: PredictedValues) -> int:
    """Every how many-th point is drawn."""
    return -(-len(labels.errors) // _MOST_POINTS)

"""The holdout of a regressor as HTML: predicted against actual values, and the largest errors."""

from __future__ import annotations

import html
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from search.reports.formatting import counted, number
from search.reports.holdout.prediction_tables import PredictedValues, read_predicted_values
from search.reports.page import BLUE, GREY, NUMBER, Line, chart, paragraph, style, table
from search.study.paths import PREDICTIONS_TABLE

if TYPE_CHECKING:
    from plotly.graph_objects import Figure


_MOST_ERRORS = 10
_HEIGHT = 460
_MOST_POINTS = 2000
"""Largest number of points in a chart."""


def values_html(folder: Path, subject: str) -> str:
    """The holdout section of a regressor.

    Args:
        folder: Directory of the table of the holdout.
        subject: What the values are predicted from: ``sequence`` or ``text``.

    Raises:
        DataError: The file is not the expected table.
        FileNotFoundError: The table does not exist.
    """
    predictions = read_predicted_values(folder / PREDICTIONS_TABLE)
    return "".join(
        [
            paragraph(*values_text(predictions, subject)),
            f"<h3>Predicted and actual</h3>\n{_drawn(predictions, subject)}",
            f"<h3>Largest errors</h3>\n{_largest_errors(predictions, subject)}",
        ]
    )


def _drawn(predictions: PredictedValues, subject: str) -> str:
    """The chart, nearly square, so that correct predictions lie on its diagonal."""
    return (
        f'<div style="max-width: {_HEIGHT + 80}px">{chart(values_figure(predictions, subject), height=_HEIGHT)}</div>'
    )


def _largest_errors(predictions: PredictedValues, subject: str) -> str:
    errors = predictions.errors
    shown = np.argsort(-np.abs(errors), kind="stable")[:_MOST_ERRORS]
    lines = [
        Line(
            (
                str(predictions.names[row]),
                *(number(float(value[row])) for value in (predictions.actual, predictions.predicted, errors)),
            )
        )
        for row in shown
    ]
    head = (subject, "actual", "predicted", "predicted − actual")
    return table(head, lines, numbers=head[1:], compact=True)


def values_text(predictions: PredictedValues, subject: str) -> list[str]:
    """Sentences on the size of the errors and on the number of points drawn."""
    half, most = np.quantile(np.abs(predictions.errors), [0.5, 0.9])
    sentences = [
        f"Half of {counted(len(predictions.errors), subject)} are predicted with an absolute error of at most "
        f"{number(float(half))}, 90 % with one of at most {number(float(most))}."
    ]
    step = _step(predictions)
    if step > 1:
        sentences.append(f"One point in {step} is drawn.")
    return sentences


def values_figure(predictions: PredictedValues, subject: str) -> Figure:
    """Predicted against actual values; the line marks errors of 0.

    Args:
        predictions: Predictions of the holdout.
        subject: What the values are predicted from: ``sequence`` or ``text``.
    """
    from plotly.graph_objects import Figure, Scatter

    step = _step(predictions)
    actual, predicted, names = predictions.actual[::step], predictions.predicted[::step], predictions.names[::step]
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


def _step(predictions: PredictedValues) -> int:
    """Interval of the points to draw."""
    return -(-len(predictions.errors) // _MOST_POINTS)

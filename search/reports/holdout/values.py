"""The holdout of a regressor as HTML: predicted against actual values, and the largest errors."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from search.reports.charts.chart import Chart, chart_html
from search.reports.charts.marks import Dots, Line
from search.reports.charts.scales import Axis
from search.reports.formatting import counted, number
from search.reports.holdout.prediction_tables import PredictedValues, read_predicted_values
from search.reports.page import Line as Row
from search.reports.page import paragraph, table
from search.study.paths import PREDICTIONS_TABLE

_MOST_ERRORS = 10
_MOST_POINTS = 1000
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
            "<h3>Predicted and actual</h3>\n",
            f'<div class="narrow">{chart_html(values_chart(predictions, subject))}</div>',
            f"<h3>Largest errors</h3>\n{_largest_errors(predictions, subject)}",
        ]
    )


def _largest_errors(predictions: PredictedValues, subject: str) -> str:
    errors = predictions.errors
    shown = np.argsort(-np.abs(errors), kind="stable")[:_MOST_ERRORS]
    lines = [
        Row(
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
        f"{number(float(half))}, 90% with one of at most {number(float(most))}."
    ]
    step = _step(predictions)
    if step > 1:
        sentences.append(f"One point in {step} is drawn.")
    return sentences


def values_chart(predictions: PredictedValues, subject: str) -> Chart:
    """Predicted against actual values; the line marks errors of 0.

    Args:
        predictions: Predictions of the holdout.
        subject: What the values are predicted from: ``sequence`` or ``text``.
    """
    step = _step(predictions)
    actual, predicted, names = predictions.actual[::step], predictions.predicted[::step], predictions.names[::step]
    low, high = float(min(actual.min(), predicted.min())), float(max(actual.max(), predicted.max()))
    margin = 0.04 * (high - low) or 1.0
    ends = (low - margin, high + margin)
    return Chart(
        title="Predicted and actual values",
        x=Axis("actual", span=ends),
        y=Axis("predicted", span=ends),
        marks=(
            Line(name="no error", x=ends, y=ends, color="grey", dash=True, listed=False),
            Dots(name=subject, x=actual, y=predicted, texts=list(map(str, names)), sizes=3.0, opacity=0.6),
        ),
        height=420,
    )


def _step(predictions: PredictedValues) -> int:
    """Interval of the points to draw."""
    return -(-len(predictions.errors) // _MOST_POINTS)

"""What was said of the holdout of a study of labels, as HTML: what was confused, how sure it was, what is worst."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from search.reports.formatting import counted, number, share
from search.reports.holdout.class_scores import CLASS_HEAD, ClassScore, read_classes
from search.reports.holdout.confusion import MOST_CLASSES, confusion_html
from search.reports.holdout.label_tables import read_confusion, read_predicted_classes, read_predicted_values
from search.reports.holdout.reliability import reliability_html
from search.reports.holdout.values_chart import values_figure, values_text
from search.reports.page import Line, chart, details, paragraph, table
from search.study.paths import CLASSES_TABLE, CONFUSION_TABLE, PREDICTIONS_TABLE

if TYPE_CHECKING:
    from search.reports.holdout.label_tables import PredictedClasses, PredictedValues

_WORST = 10
_HEIGHT = 460


def classes_html(folder: Path, subject: str) -> str:
    """The holdout of a study of classes.

    Args:
        folder: Where the tables of the holdout are.
        subject: What is labeled: ``sequence``.

    Raises:
        DataError: A file is no such table.
        FileNotFoundError: There is none.
    """
    scores = read_classes(folder / CLASSES_TABLE)
    names = [score.name for score in scores]
    counts = read_confusion(folder / CONFUSION_TABLE, len(names))
    labels = read_predicted_classes(folder / PREDICTIONS_TABLE, names)
    wrong = int((~labels.right).sum())
    got = f"{counted(wrong, subject)} of {len(labels.right):,} got a wrong label." if wrong else ""
    return "".join(
        [
            paragraph(got or f"Each of the {counted(len(labels.right), subject)} got the right label."),
            f"<h3>What was taken for what</h3>\n{confusion_html(counts, names, subject)}",
            f"<h3>Class by class</h3>\n{_classes(scores)}",
            f"<h3>What its probabilities mean</h3>\n{reliability_html(labels, subject)}",
            *_mistakes(labels, names, subject),
        ]
    )


def values_html(folder: Path, subject: str) -> str:
    """The holdout of a study of numbers; arguments and errors are those of :func:`classes_html`."""
    labels = read_predicted_values(folder / PREDICTIONS_TABLE)
    return "".join(
        [
            paragraph(*values_text(labels, subject)),
            f"<h3>Predicted and actual</h3>\n{_drawn(labels, subject)}",
            f"<h3>The largest errors</h3>\n{_largest_errors(labels, subject)}",
        ]
    )


def _drawn(labels: PredictedValues, subject: str) -> str:
    """Nearly a square, so that what is right lies on its diagonal."""
    return f'<div style="max-width: {_HEIGHT + 80}px">{chart(values_figure(labels, subject), height=_HEIGHT)}</div>'


def _classes(scores: Sequence[ClassScore]) -> str:
    """All classes in their order; of many, those that are recognized worst, the others folded away."""
    numbers = CLASS_HEAD[1:]
    if len(scores) <= MOST_CLASSES:
        return table(CLASS_HEAD, [Line(score.cells) for score in scores], numbers=numbers, compact=True)
    lines = [Line(score.cells) for score in sorted(scores, key=lambda score: score.f1)]
    shown = table(CLASS_HEAD, lines[:MOST_CLASSES], numbers=numbers, compact=True)
    rest = table(CLASS_HEAD, lines[MOST_CLASSES:], numbers=numbers, compact=True)
    return paragraph("The worst first.") + shown + details(f"{len(lines) - MOST_CLASSES} more", rest)


def _mistakes(labels: PredictedClasses, classes: Sequence[str], subject: str) -> Iterator[str]:
    """Labels that are wrong and that the model was sure of: often it is the table that is wrong."""
    wrong = np.flatnonzero(~labels.right)
    if not len(wrong):
        return
    sure = labels.certainty
    shown = wrong[np.argsort(-sure[wrong], kind="stable")][:_WORST]
    lines = [
        Line(
            (
                str(labels.names[row]),
                classes[labels.actual[row]],
                classes[labels.predicted[row]],
                share(sure[row]),
                share(labels.probabilities[row, labels.actual[row]]),
            )
        )
        for row in shown
    ]
    head = (subject, "actual", "predicted", "probability", "of actual")
    yield "<h3>The most confident mistakes</h3>\n"
    yield paragraph("Look at these first: what a model is sure of and still wrong about may be wrong in the data.")
    yield table(head, lines, numbers=head[3:], compact=True)


def _largest_errors(labels: PredictedValues, subject: str) -> str:
    errors = labels.errors
    shown = np.argsort(-np.abs(errors), kind="stable")[:_WORST]
    lines = [
        Line(
            (
                str(labels.names[row]),
                *(number(float(value[row])) for value in (labels.actual, labels.predicted, errors)),
            )
        )
        for row in shown
    ]
    head = (subject, "actual", "predicted", "predicted − actual")
    return table(head, lines, numbers=head[1:], compact=True)

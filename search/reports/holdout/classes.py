"""The holdout of a classifier as HTML: confusion matrix, class scores, thresholds, reliability, confident mistakes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from search.reports.charts.chart import Chart, chart_html
from search.reports.charts.marks import Dots, Line
from search.reports.charts.scales import Axis
from search.reports.formatting import counted, share
from search.reports.holdout.confusion import MOST_CLASSES, confusion_html, numbers_of, text_of
from search.reports.holdout.prediction_tables import (
    CLASS_HEAD,
    ClassScore,
    PredictedClasses,
    read_class_scores,
    read_confusion,
    read_predicted_classes,
)
from search.reports.holdout.thresholds import thresholds_html
from search.reports.page import Line as Row
from search.reports.page import details, paragraph, table
from search.study.paths import CLASSES_TABLE, CONFUSION_TABLE, PREDICTIONS_TABLE

_MOST_MISTAKES = 10
_TWO = 2
_BINS = 5
_CHANCE = 2.0
"""Number of standard errors up to which a difference is attributed to chance."""


def classes_html(folder: Path, subject: str) -> str:
    """The holdout section of a classifier.

    Args:
        folder: Directory of the tables of the holdout.
        subject: What is classified: ``sequence`` or ``text``.

    Raises:
        DataError: A file is not the expected table.
        FileNotFoundError: A table does not exist.
    """
    scores = read_class_scores(folder / CLASSES_TABLE)
    names = [score.name for score in scores]
    counts = read_confusion(folder / CONFUSION_TABLE, len(names))
    predictions = read_predicted_classes(folder / PREDICTIONS_TABLE, names)
    wrong = int((~predictions.right).sum())
    total = len(predictions.right)
    result = f"{wrong:,} of {counted(total, subject)} {'was' if wrong == 1 else 'were'} misclassified."
    return "".join(
        [
            paragraph(result if wrong else f"All {counted(total, subject)} were classified correctly."),
            '<div class="beside">',
            f"<div><h3>Confusion matrix</h3>\n{confusion_html(counts, names, subject, predictions)}</div>",
            f"<div><h3>Scores by class</h3>\n{_scores(scores)}</div></div>\n",
            thresholds_html(predictions, names[1], subject) if len(names) == _TWO else "",
            f"<h3>Reliability of the probabilities</h3>\n{reliability_html(predictions, subject)}",
            *_mistakes(predictions, names, subject),
        ]
    )


def read_holdout_classes(folder: Path) -> PredictedClasses:
    """The predictions of a classifier for the holdout.

    Args:
        folder: Directory of the tables of the holdout.

    Raises:
        DataError: A file is not the expected table.
        FileNotFoundError: The table does not exist.
    """
    names = [score.name for score in read_class_scores(folder / CLASSES_TABLE)]
    return read_predicted_classes(folder / PREDICTIONS_TABLE, names)


def _scores(scores: Sequence[ClassScore]) -> str:
    """All classes in their order; if there are many, the worst first, and all but these folded away."""
    numbers = CLASS_HEAD[1:]
    if len(scores) <= MOST_CLASSES:
        return table(CLASS_HEAD, [Row(score.cells) for score in scores], numbers=numbers, compact=True)
    lines = [Row(score.cells) for score in sorted(scores, key=lambda score: score.f1)]
    shown = table(CLASS_HEAD, lines[:MOST_CLASSES], numbers=numbers, compact=True)
    rest = table(CLASS_HEAD, lines[MOST_CLASSES:], numbers=numbers, compact=True)
    return paragraph("Worst classes first.") + shown + details(f"{len(lines) - MOST_CLASSES} more", rest)


def _mistakes(predictions: PredictedClasses, classes: Sequence[str], subject: str) -> Iterator[str]:
    """Wrong predictions with the highest probability, which often reveal wrong labels."""
    wrong = np.flatnonzero(~predictions.right)
    if not len(wrong):
        return
    certainty = predictions.certainty
    shown = wrong[np.argsort(-certainty[wrong], kind="stable")][:_MOST_MISTAKES]
    lines = [
        Row(
            (
                str(predictions.names[row]),
                *text_of(predictions, row),
                classes[predictions.actual[row]],
                classes[predictions.predicted[row]],
                share(certainty[row]),
                share(predictions.probabilities[row, predictions.actual[row]]),
            )
        )
        for row in shown
    ]
    words = ["words"] if predictions.texts is not None else []
    head = (subject, *words, "actual", "predicted", "probability", "of actual")
    yield "<h3>Most confident mistakes</h3>\n"
    yield paragraph("Look at these first: where a model is confidently wrong, the label in the data may be wrong.")
    yield table(head, lines, numbers=numbers_of(head), compact=True)


def reliability_html(predictions: PredictedClasses, subject: str) -> str:
    """Reliability of the probabilities (Guo et al. 2017) as HTML: a sentence and a table of five bins.

    The mean probability of the predicted classes is compared with the share of correct predictions.

    Args:
        predictions: Predictions of the holdout.
        subject: What is classified: ``sequence`` or ``text``.
    """
    certainty, right = predictions.certainty, predictions.right
    bins = np.minimum((certainty * _BINS).astype(np.int64), _BINS - 1)
    lines = [
        Row((f"{number / _BINS:.1f} to {(number + 1) / _BINS:.1f}", f"{here.sum():,}",
              share(certainty[here].mean()), share(right[here].mean())))
        for number in range(_BINS)
        if (here := bins == number).any()
    ]  # fmt: skip
    head = ("probability", f"{subject}s", "mean probability", "share correct")
    text = (
        f"The mean probability of the predicted classes is {share(certainty.mean())}, and {share(right.mean())} of the "
        f"predictions are correct: {_calibration(predictions, subject)}"
    )
    listed = table(head, lines, numbers=head[1:], compact=True)
    drawn = chart_html(reliability_chart(predictions))
    return f'{paragraph(text)}<div class="beside"><div>{listed}</div><div class="small">{drawn}</div></div>\n'


def reliability_chart(predictions: PredictedClasses) -> Chart:
    """The share of correct predictions by the probability of the predicted class, in five bins; larger bins have more.

    Args:
        predictions: Predictions of the holdout.
    """
    certainty, right = predictions.certainty, predictions.right
    bins = np.minimum((certainty * _BINS).astype(np.int64), _BINS - 1)
    shown = [here for number in range(_BINS) if (here := bins == number).any()]
    most = max(int(here.sum()) for here in shown)
    return Chart(
        title="Reliability of the probabilities",
        x=Axis("mean probability", span=(0.0, 1.02)),
        y=Axis("share correct", span=(0.0, 1.02)),
        marks=(
            Line(name="calibrated", x=[0, 1], y=[0, 1], color="grey", dash=True, listed=False),
            Dots(
                name="predictions",
                x=[float(certainty[here].mean()) for here in shown],
                y=[float(right[here].mean()) for here in shown],
                sizes=[3 + 6 * (float(here.sum()) / most) ** 0.5 for here in shown],
                texts=[f"{here.sum():,}" for here in shown],
                opacity=0.8,
            ),
        ),
        height=220,
    )


def _calibration(predictions: PredictedClasses, subject: str) -> str:
    """Whether the model is overconfident, underconfident, or neither.

    If the probabilities are calibrated, the number of correct predictions has mean Σp and variance Σp(1-p).
    """
    certainty, right = predictions.certainty, predictions.right
    difference = float(right.mean() - certainty.mean())
    error = float(np.sqrt((certainty * (1 - certainty)).sum())) / len(certainty)
    if abs(difference) <= _CHANCE * error:
        return f"no significant miscalibration on {counted(len(certainty), subject)}."
    if difference > 0:
        return "the model is underconfident."
    return "the model is overconfident, so do not read a probability as the chance of being correct."

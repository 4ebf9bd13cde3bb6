"""The holdout of a classifier as HTML: confusion matrix, class scores, reliability, and confident mistakes."""

from __future__ import annotations

import html
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from search.reports.charts.chart import Chart, chart_html
from search.reports.charts.marks import Dots, Line
from search.reports.charts.scales import Axis
from search.reports.formatting import counted, share
from search.reports.holdout.prediction_tables import (
    CLASS_HEAD,
    ClassScore,
    Counts,
    PredictedClasses,
    read_class_scores,
    read_confusion,
    read_predicted_classes,
)
from search.reports.page import Line as Row
from search.reports.page import details, paragraph, table
from search.study.paths import CLASSES_TABLE, CONFUSION_TABLE, PREDICTIONS_TABLE

_MOST_MISTAKES = 10
_MOST_CLASSES = 30
"""Number of classes up to which a confusion matrix is readable."""
_MOST_PAIRS = 20
_LONG_NAME = 4
"""Number of letters from which column heads are rotated."""
_LIGHTEST, _DARKEST = 6, 62
"""Percent of the shade for shares of 0 and 1; digits keep a contrast of 4.5 on the darkest."""
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
            f"<div><h3>Confusion matrix</h3>\n{confusion_html(counts, names, subject)}</div>",
            f"<div><h3>Scores by class</h3>\n{_scores(scores)}</div></div>\n",
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
    if len(scores) <= _MOST_CLASSES:
        return table(CLASS_HEAD, [Row(score.cells) for score in scores], numbers=numbers, compact=True)
    lines = [Row(score.cells) for score in sorted(scores, key=lambda score: score.f1)]
    shown = table(CLASS_HEAD, lines[:_MOST_CLASSES], numbers=numbers, compact=True)
    rest = table(CLASS_HEAD, lines[_MOST_CLASSES:], numbers=numbers, compact=True)
    return paragraph("The worst classes first.") + shown + details(f"{len(lines) - _MOST_CLASSES} more", rest)


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
                classes[predictions.actual[row]],
                classes[predictions.predicted[row]],
                share(certainty[row]),
                share(predictions.probabilities[row, predictions.actual[row]]),
            )
        )
        for row in shown
    ]
    head = (subject, "actual", "predicted", "probability", "of actual")
    yield "<h3>Most confident mistakes</h3>\n"
    yield paragraph("Look at these first: where a model is confidently wrong, the label in the data may be wrong.")
    yield table(head, lines, numbers=head[3:], compact=True)


def confusion_html(counts: Counts, classes: Sequence[str], subject: str) -> str:
    """The confusion matrix as HTML, or the most frequent mistakes if there are too many classes.

    Args:
        counts: (C, C) actual classes in rows, predicted classes in columns.
        classes: (C,) names of the classes.
        subject: What is classified: ``sequence`` or ``text``.
    """
    return (
        _matrix(counts, classes, subject)
        if len(classes) <= _MOST_CLASSES
        else _confused_pairs(counts, classes, subject)
    )


def _matrix(counts: Counts, classes: Sequence[str], subject: str) -> str:
    upright = ' class="upright"' if max(map(len, classes)) >= _LONG_NAME else ""
    heads = "".join(f'<th scope="col"{upright}><span>{html.escape(name)}</span></th>' for name in classes)
    rows = "\n".join(
        f'<tr><th scope="row" title="{html.escape(name)}">{html.escape(name)}</th>{_cells(counts[code], code, classes)}'
        "</tr>"
        for code, name in enumerate(classes)
    )
    text = paragraph(
        f"Rows are actual classes, columns are predicted classes. A cell holds the number of {subject}s and their "
        "share of the row, which is also its shade. Framed cells are correct predictions."
    )
    return (
        f'{text}<div class="scroll"><table class="confusion">\n<thead><tr><th>actual ↓ predicted →</th>{heads}</tr>'
        f"</thead>\n<tbody>\n{rows}\n</tbody>\n</table></div>\n"
    )


def _cells(row: Counts, actual: int, classes: Sequence[str]) -> str:
    """The cells of a row; zeros stay empty, so that mistakes stand out."""
    total = int(row.sum())
    return "".join(_cell(int(count), total, actual, code, classes) for code, count in enumerate(row))


def _cell(count: int, total: int, actual: int, given: int, classes: Sequence[str]) -> str:
    mark = ' class="right"' if actual == given else ""
    if count == 0:
        return f"<td{mark}></td>"
    part = count / total
    shade = f"--share: {_LIGHTEST + (_DARKEST - _LIGHTEST) * part:.0f}%"
    said = html.escape(f"{classes[actual]}, predicted {classes[given]}: {count} of {total}")
    return f'<td{mark} style="{shade}" title="{said}">{count}<small>{html.escape(_percent(part))}</small></td>'


def _percent(part: float) -> str:
    """Whole percents; 0 and 100 % only if exact."""
    if 0 < part < 0.005:
        return "< 1 %"
    return "> 99 %" if 0.995 <= part < 1 else f"{100 * part:.0f} %"


def _confused_pairs(counts: Counts, classes: Sequence[str], subject: str) -> str:
    wrong = counts.copy()
    np.fill_diagonal(wrong, 0)
    # A stable sort, so that equally frequent pairs stay in the order of the classes.
    order = np.argsort(-wrong, axis=None, kind="stable")[:_MOST_PAIRS]
    pairs = [divmod(int(place), len(classes)) for place in order if wrong.flat[place] > 0]
    text = paragraph(
        f"A confusion matrix of {len(classes)} classes would be too large to read; it is in {CONFUSION_TABLE}. "
        f"{counted(int(wrong.sum()), subject)} {'was' if wrong.sum() == 1 else 'were'} misclassified. The most "
        "frequent pairs:"
    )
    lines = [
        Row((classes[actual], classes[given], f"{wrong[actual, given]:,}",
              f"{100 * wrong[actual, given] / counts[actual].sum():.0f} %"))
        for actual, given in pairs
    ]  # fmt: skip
    head = ("actual", "predicted", f"{subject}s", "of the actual class")
    return text + table(head, lines, numbers=head[2:], compact=True)


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

"""Decision thresholds of a classifier with two classes: scores at each, as a table that a slider goes through."""

from __future__ import annotations

from dataclasses import dataclass

from lstmgru.evaluation.decimals import fixed
from search.reports.charts.chart import Chart, chart_html
from search.reports.charts.marks import Line, Rule
from search.reports.charts.scales import Axis
from search.reports.formatting import share
from search.reports.holdout.prediction_tables import PredictedClasses
from search.reports.page import Line as Row
from search.reports.page import paragraph, table

_STEPS = tuple(number / 20 for number in range(1, 20))
_DEFAULT = 0.5
_HEAD = ("threshold", "precision", "recall", "F1", "accuracy", "false positives", "false negatives")


@dataclass(frozen=True)
class Threshold:
    """Predictions of the second class wherever its probability is at least a threshold.

    Attributes:
        at: The threshold.
        right: Number of true positives.
        extra: Number of false positives.
        missed: Number of false negatives.
        total: Number of all predictions.
    """

    at: float
    right: int
    extra: int
    missed: int
    total: int

    @property
    def precision(self) -> float:
        """Share of the predictions of the class that are right; NaN without any."""
        return self.right / (self.right + self.extra) if self.right + self.extra else float("nan")

    @property
    def recall(self) -> float:
        """Share of the class that is predicted; NaN without any."""
        return self.right / (self.right + self.missed) if self.right + self.missed else float("nan")

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall."""
        wrong = self.extra + self.missed
        return 2 * self.right / (2 * self.right + wrong) if self.right + wrong else float("nan")

    @property
    def accuracy(self) -> float:
        """Share of right predictions."""
        return 1 - (self.extra + self.missed) / self.total


def thresholds(predictions: PredictedClasses) -> list[Threshold]:
    """The thresholds 0.05, 0.10, … 0.95 for the second of two classes.

    Args:
        predictions: Predictions of the holdout.
    """
    actual, likely = predictions.actual == 1, predictions.probabilities[:, 1]
    found = []
    for at in _STEPS:
        given = likely >= at
        right, extra, missed = (int(each.sum()) for each in (given & actual, given & ~actual, ~given & actual))
        found.append(Threshold(at, right, extra, missed, len(actual)))
    return found


def thresholds_html(predictions: PredictedClasses, positive: str, subject: str) -> str:
    """A table of the thresholds and a chart.

    Args:
        predictions: Predictions of the holdout.
        positive: Name of the second class.
        subject: What is classified: ``sequence`` or ``text``.
    """
    found = thresholds(predictions)
    lines = [
        Row((f"{each.at:.2f}", *map(share, (each.precision, each.recall, each.f1)), fixed(each.accuracy, 4),
             f"{each.extra:,}", f"{each.missed:,}"), "winner" if each.at == _DEFAULT else "")
        for each in found
    ]  # fmt: skip
    text = paragraph(
        f"A {subject} is predicted as {positive} if the probability of {positive} is at least the threshold; the "
        f"model uses {_DEFAULT}. A lower threshold has fewer false negatives and more false positives. A threshold "
        "selected on the holdout looks better here than on new data."
    )
    listed = table(_HEAD, lines, numbers=_HEAD, compact=True, slider=f"Threshold for {positive}")
    return (
        f'<h3>Thresholds</h3>\n{text}<div class="beside"><div>{listed}</div>'
        f'<div class="small">{chart_html(thresholds_chart(found))}</div></div>\n'
    )


def thresholds_chart(found: list[Threshold]) -> Chart:
    """Precision, recall and F1 by threshold."""
    x = [each.at for each in found]
    return Chart(
        title="Scores by threshold",
        x=Axis("threshold", span=(0.0, 1.0)),
        y=Axis("score", span=(0.0, 1.02)),
        marks=(
            Line(name="precision", x=x, y=[each.precision for each in found], color="blue"),
            Line(name="recall", x=x, y=[each.recall for each in found], color="orange"),
            Line(name="F1", x=x, y=[each.f1 for each in found], color="green", width=2.4),
        ),
        rules=(Rule(at=_DEFAULT),),
        height=220,
    )

"""Whether the probabilities of labels can be believed: a model that says 0.8 should be right in 8 of 10 cases."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from search.reports.formatting import share
from search.reports.page import Line, paragraph, table

if TYPE_CHECKING:
    from search.reports.holdout.label_tables import PredictedClasses

_BINS = 5
_CHANCE = 2.0
"""Standard errors up to which a difference says nothing."""


def reliability_html(labels: PredictedClasses, subject: str) -> str:
    """A sentence and a small table, as HTML.

    A label's probability is that of the class that was given, and is compared with the share of labels that are right
    (Guo et al. 2017), on the whole and in five parts of the range.

    Args:
        labels: Of the holdout.
        subject: What is labeled: ``sequence``.
    """
    said, right = labels.certainty, labels.right
    bins = np.minimum((said * _BINS).astype(np.int64), _BINS - 1)
    lines = [
        Line((f"{number / _BINS:.1f} to {(number + 1) / _BINS:.1f}", f"{here.sum():,}",
              share(said[here].mean()), share(right[here].mean())))
        for number in range(_BINS)
        if (here := bins == number).any()
    ]  # fmt: skip
    head = ("probability", f"{subject}s", "mean probability", "of them right")
    text = (
        f"The labels were given with a mean probability of {share(said.mean())}, and {share(right.mean())} of them are "
        f"right: {_judgement(labels, subject)}"
    )
    return paragraph(text) + table(head, lines, numbers=head[1:], compact=True)


def _judgement(labels: PredictedClasses, subject: str) -> str:
    """What the difference means.

    If the probabilities hold, the number of labels that are right has the mean Σp and the variance Σp(1-p).
    """
    said, right = labels.certainty, labels.right
    difference = float(right.mean() - said.mean())
    error = float(np.sqrt((said * (1 - said)).sum())) / len(said)
    if abs(difference) <= _CHANCE * error:
        return f"as far as {len(said):,} {subject}s can tell, they mean what they say."
    if difference > 0:
        return "it is right more often than it says."
    return "it is right less often than it says, so do not take a probability for the share of labels that are right."

"""Which class was taken for which: a shaded table, or the most frequent mistakes where the classes are many."""

from __future__ import annotations

import html
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from search.reports.formatting import counted
from search.reports.page import Line, paragraph, table
from search.study.paths import CONFUSION_TABLE

if TYPE_CHECKING:
    from search.reports.holdout.label_tables import Counts

MOST_CLASSES = 30
"""Classes of which a matrix can be read."""
_MOST_PAIRS = 20
_LONG_NAME = 4
"""Letters from which the heads of the columns stand upright."""
_SHADE = "0, 90, 150"
_LIGHTEST, _DARKEST = 0.06, 0.62
"""Opacity of the shade of a share just above 0, and of 1, on which dark numbers still have a contrast of 4.5."""


def confusion_html(counts: Counts, classes: Sequence[str], subject: str) -> str:
    """The matrix as HTML, every name in it escaped.

    Args:
        counts: (C, C) how often a class (row) was given as what (column).
        classes: (C,) their names.
        subject: What is labeled: ``sequence``.
    """
    return _matrix(counts, classes, subject) if len(classes) <= MOST_CLASSES else _pairs(counts, classes, subject)


def _matrix(counts: Counts, classes: Sequence[str], subject: str) -> str:
    upright = ' class="upright"' if max(map(len, classes)) >= _LONG_NAME else ""
    heads = "".join(f'<th scope="col"{upright}><span>{html.escape(name)}</span></th>' for name in classes)
    rows = "\n".join(
        f'<tr><th scope="row" title="{html.escape(name)}">{html.escape(name)}</th>{_cells(counts[code], code, classes)}'
        "</tr>"
        for code, name in enumerate(classes)
    )
    text = paragraph(
        f"A row is a class, a column the label that was given: how many {subject}s, and which share of the row, which "
        "is the shade. The frames hold what is right."
    )
    return (
        f'{text}<div class="scroll"><table class="confusion">\n<thead><tr><th>actual ↓ predicted →</th>{heads}</tr>'
        f"</thead>\n<tbody>\n{rows}\n</tbody>\n</table></div>\n"
    )


def _cells(row: Counts, actual: int, classes: Sequence[str]) -> str:
    """The cells of a class; 0 stays empty, so that mistakes are seen."""
    total = int(row.sum())
    return "".join(_cell(int(count), total, actual, code, classes) for code, count in enumerate(row))


def _cell(count: int, total: int, actual: int, given: int, classes: Sequence[str]) -> str:
    mark = ' class="right"' if actual == given else ""
    if count == 0:
        return f"<td{mark}></td>"
    part = count / total
    shade = f"background: rgba({_SHADE}, {_LIGHTEST + (_DARKEST - _LIGHTEST) * part:.2f})"
    said = html.escape(f"{classes[actual]}, predicted {classes[given]}: {count} of {total}")
    return f'<td{mark} style="{shade}" title="{said}">{count}<small>{html.escape(_percent(part))}</small></td>'


def _percent(part: float) -> str:
    """Whole ones, and neither none nor all where that is not so."""
    if 0 < part < 0.005:
        return "< 1 %"
    return "> 99 %" if 0.995 <= part < 1 else f"{100 * part:.0f} %"


def _pairs(counts: Counts, classes: Sequence[str], subject: str) -> str:
    wrong = counts.copy()
    np.fill_diagonal(wrong, 0)
    # A stable sort, so that pairs as frequent as each other stay in the order of the classes.
    order = np.argsort(-wrong, axis=None, kind="stable")[:_MOST_PAIRS]
    pairs = [divmod(int(place), len(classes)) for place in order if wrong.flat[place] > 0]
    text = paragraph(
        f"A matrix of {len(classes)} classes would be too large to read; it is in {CONFUSION_TABLE}. "
        f"{counted(int(wrong.sum()), subject)} got the label of another class. The most frequent pairs:"
    )
    lines = [
        Line((classes[actual], classes[given], f"{wrong[actual, given]:,}",
              f"{100 * wrong[actual, given] / counts[actual].sum():.0f} %"))
        for actual, given in pairs
    ]  # fmt: skip
    head = ("actual", "predicted", f"{subject}s", "of the actual class")
    return text + table(head, lines, numbers=head[2:], compact=True)

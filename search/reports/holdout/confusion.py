"""The confusion matrix as HTML; its cells link to the sequences or texts that they count."""

from __future__ import annotations

import html
from collections.abc import Sequence

import numpy as np

from search.reports.formatting import counted, share
from search.reports.holdout.prediction_tables import Counts, PredictedClasses
from search.reports.page import Html, details, paragraph, table
from search.reports.page import Line as Row
from search.study.paths import CONFUSION_TABLE

MOST_CLASSES = 30
"""Number of classes up to which a confusion matrix is readable."""
_MOST_PAIRS = 20
_MOST_CELLS, _MOST_LISTED, _MOST_LETTERS = 60, 10, 200
"""Cells whose cases are listed, cases of a cell, and letters of a text."""
_LONG_NAME = 4
"""Number of letters from which column heads are rotated."""
_LIGHTEST, _DARKEST = 6, 62
"""Percent of the shade for shares of 0 and 1; digits keep a contrast of 4.5 on the darkest."""

Cell = tuple[int, int]
"""Codes of the actual and of the predicted class."""


def confusion_html(
    counts: Counts, classes: Sequence[str], subject: str, predictions: PredictedClasses | None = None
) -> str:
    """The confusion matrix as HTML, or the most frequent mistakes if there are too many classes.

    Args:
        counts: (C, C) actual classes in rows, predicted classes in columns.
        classes: (C,) names of the classes.
        subject: What is classified: ``sequence`` or ``text``.
        predictions: Predictions of the holdout, which are listed below the matrix; ``None``: they are not.
    """
    if len(classes) > MOST_CLASSES:
        return _confused_pairs(counts, classes, subject)
    listed = {} if predictions is None else _listed(counts)
    below = "" if predictions is None else cases_html(predictions, listed, classes, subject)
    return _matrix(counts, classes, subject, listed) + below


def _listed(counts: Counts) -> dict[Cell, int]:
    """The cells whose cases are listed: mistakes first, the most frequent first."""
    cells = [(int(row), int(column)) for row, column in zip(*np.nonzero(counts), strict=True)]
    cells.sort(key=lambda cell: (cell[0] == cell[1], -counts[cell]))
    return {cell: int(counts[cell]) for cell in cells[:_MOST_CELLS]}


def cases_html(predictions: PredictedClasses, cells: dict[Cell, int], classes: Sequence[str], subject: str) -> str:
    """What the cells of the matrix count, folded: the most confident predictions of each."""
    certainty = predictions.certainty
    parts = []
    for (actual, given), count in cells.items():
        rows = np.flatnonzero((predictions.actual == actual) & (predictions.predicted == given))
        rows = rows[np.argsort(-certainty[rows], kind="stable")][:_MOST_LISTED]
        head = (subject, *(["words"] if predictions.texts is not None else []), "probability")
        lines = [
            Row((str(predictions.names[row]), *text_of(predictions, row), share(certainty[row])))
            for row in map(int, rows)
        ]
        shown = table(head, lines, numbers=numbers_of(head), compact=True)
        rest = paragraph(f"The {len(rows)} most confident of {count:,}.") if count > len(rows) else ""
        title = f"{classes[actual]}, predicted {classes[given]}: {counted(count, subject)}"
        parts.append(details(title, f'<div id="{_anchor((actual, given))}">{shown}{rest}</div>'))
    mistakes = ", mistakes first" if any(actual != given for actual, given in cells) else ""
    return details(f"The {subject}s of each cell{mistakes}", "".join(parts)) if parts else ""


def numbers_of(head: tuple[str, ...]) -> tuple[str, ...]:
    """The columns of numbers: shares, and the names of texts, which are short."""
    return tuple(name for name in head if name in ("probability", "of actual") or (name == "text" and "words" in head))


def text_of(predictions: PredictedClasses, row: int) -> list[Html]:
    """The beginning of the text of a prediction as a cell; nothing if sequences are classified."""
    if predictions.texts is None:
        return []
    text = " ".join(str(predictions.texts[row]).split())
    text = text if len(text) <= _MOST_LETTERS else f"{text[: _MOST_LETTERS - 1]}…"
    return [Html(f'<span class="words">{html.escape(text)}</span>')]


def _anchor(cell: Cell) -> str:
    return f"cell-{cell[0]}-{cell[1]}"


def _matrix(counts: Counts, classes: Sequence[str], subject: str, listed: dict[Cell, int]) -> str:
    upright = ' class="upright"' if max(map(len, classes)) >= _LONG_NAME else ""
    heads = "".join(f'<th scope="col"{upright}><span>{html.escape(name)}</span></th>' for name in classes)
    rows = "\n".join(
        f'<tr><th scope="row" title="{html.escape(name)}">{html.escape(name)}</th>'
        f"{_cells(counts[code], code, classes, listed)}</tr>"
        for code, name in enumerate(classes)
    )
    sentences = [
        f"Rows are actual classes, columns are predicted classes. A cell holds the number of {subject}s and their "
        "share of the row, which is also its shade. Framed cells are correct predictions."
    ]
    sentences += [f"Each number links to its {subject}s."] if listed else []
    return (
        f'{paragraph(*sentences)}<div class="scroll"><table class="confusion">\n<thead><tr><th>actual ↓ predicted →'
        f"</th>{heads}</tr></thead>\n<tbody>\n{rows}\n</tbody>\n</table></div>\n"
    )


def _cells(row: Counts, actual: int, classes: Sequence[str], listed: dict[Cell, int]) -> str:
    """The cells of a row; zeros stay empty, so that mistakes stand out."""
    total = int(row.sum())
    return "".join(_cell(int(count), total, (actual, code), classes, listed) for code, count in enumerate(row))


def _cell(count: int, total: int, cell: Cell, classes: Sequence[str], listed: dict[Cell, int]) -> str:
    actual, given = cell
    mark = ' class="right"' if actual == given else ""
    if count == 0:
        return f"<td{mark}></td>"
    part = count / total
    shade = f"--share: {_LIGHTEST + (_DARKEST - _LIGHTEST) * part:.0f}%"
    said = html.escape(f"{classes[actual]}, predicted {classes[given]}: {count} of {total}")
    shown = f"{count}<small>{html.escape(_percent(part))}</small>"
    shown = f'<a href="#{_anchor(cell)}">{shown}</a>' if cell in listed else shown
    return f'<td{mark} style="{shade}" title="{said}">{shown}</td>'


def _percent(part: float) -> str:
    """Whole percents; 0 and 100% only if exact."""
    if 0 < part < 0.005:
        return "< 1%"
    return "> 99%" if 0.995 <= part < 1 else f"{100 * part:.0f}%"


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
              f"{100 * wrong[actual, given] / counts[actual].sum():.0f}%"))
        for actual, given in pairs
    ]  # fmt: skip
    head = ("actual", "predicted", f"{subject}s", "of the actual class")
    return text + table(head, lines, numbers=head[2:], compact=True)

"""What a notebook shows of a refit."""

from __future__ import annotations

import html

from lstmgru.evaluation.decimals import fixed
from search.reports.backtest import backtest_notebook
from search.reports.formatting import decimals_of_scores, metric_label
from search.reports.notebook import notebook_html
from search.reports.page import Line, details, paragraph, table
from search.study.backtest_records import BacktestRecord
from search.study.refit_records import RefitRecord


def refit_notebook(study: str, metric: str, record: RefitRecord, champion: BacktestRecord | None) -> str:
    """A refit as the output of a cell; the backtest of the old champion is folded away.

    Args:
        study: Name of the study.
        metric: Name of its metric.
        record: The refit.
        champion: The old champion on the new rows.
    """
    label, decimals = metric_label(metric), decimals_of_scores(metric, record.challenger)
    rows = [
        (model, rows, "" if score is None else fixed(score, decimals))
        for model, rows, score in (
            ("the recipe, trained before them", "last new rows", record.challenger),
            ("the old champion", "last new rows", record.against),
            ("the old champion", "all new rows", record.champion),
        )
    ]
    head = ("model", "scored on", label)
    words = "New champion" if record.promoted else "New challenger"
    parts = [
        f'<p class="verdict{" good" if record.promoted else ""}"><strong>{words}</strong> '
        f"{html.escape(record.reason)}</p>\n",
        table(head, [Line(row) for row in rows if row[2]], numbers=(label,)),
        paragraph(record.champion_verdict) if record.champion_verdict else "",
        paragraph(record.warning) if record.warning else "",
        details("The old champion on the new rows", backtest_notebook(champion)) if champion is not None else "",
    ]
    return notebook_html(study, f"trained on {record.source}: {record.change}.", parts)

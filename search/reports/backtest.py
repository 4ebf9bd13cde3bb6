"""The page of a backtest, and what a notebook shows of it."""

from __future__ import annotations

from search.reports.first_screen import verdict_html
from search.reports.formatting import metric_label
from search.reports.notebook import notebook_html
from search.reports.page import Line, details, html_page, paragraph, table
from search.study.backtest_records import BacktestRecord

_MOST_ROWS = 50


def backtest_html(record: BacktestRecord, drawing: str) -> str:
    """The page as HTML.

    Args:
        record: The backtest.
        drawing: The outputs as HTML; empty if nothing is drawn.
    """
    body = [
        paragraph(f"{record.model} on {record.source}: {record.scored}."),
        _result(record),
        f"<h2>Scores</h2>\n{_scores(record)}",
        *(f"<h2>By {record.part_noun(name)}</h2>\n{_part(name, record)}" for name in record.part_names),
        f"<h2>Outputs</h2>\n{drawing}" if drawing else "",
    ]
    return html_page(f"{record.model}: backtest", "".join(body))


def backtest_notebook(record: BacktestRecord) -> str:
    """A backtest as the output of a cell; scores by part are folded away."""
    parts = [details(f"By {record.part_noun(name)}", _part(name, record)) for name in record.part_names]
    about = f"on {record.source}: {record.scored}."
    return notebook_html(record.model, about, [_result(record), _scores(record), *parts])


def _result(record: BacktestRecord) -> str:
    """Verdict, change since the holdout, and notes."""
    verdict = verdict_html(record.verdict, beats=bool(record.beats_baselines)) if record.verdict else ""
    notes = (paragraph(f"Note: {note}.") for note in record.notes)
    return "".join([verdict, paragraph(record.drift) if record.drift else "", *notes])


def _scores(record: BacktestRecord) -> str:
    """The model and the baselines, all metrics, and the intervals."""
    head, rows = record.table()
    head = tuple(metric_label(name) if name == record.metric else name for name in head)
    lines = [Line(row, "winner" if row[0] == "model" else "baseline") for row in rows]
    dropped = [f"{name.replace('_', ' ')}: {each.reason}." for name, each in record.baselines.items() if each.reason]
    metrics = [Line((metric_label(name), *row)) for name, *row in record.metric_rows()]
    metric_head = ("metric", "score", record.then, "change")
    return "".join(
        [
            paragraph(
                f"By {metric_label(record.metric)}; the baselines were fitted to the rows before the scored ones."
            ),
            table(head, lines, numbers=head[1:]),
            paragraph("Not scored:", *dropped) if dropped else "",
            table(metric_head, metrics, numbers=metric_head[1:]),
            _intervals(record),
        ]
    )


def _intervals(record: BacktestRecord) -> str:
    if not record.intervals:
        return ""
    head = ("interval", "coverage", record.then, "mean width")
    return table(head, [Line(row) for row in record.interval_rows()], numbers=head)


def _part(name: str, record: BacktestRecord) -> str:
    """The table of a kind of part; the rows after the first ones are folded away."""
    head, rows = record.part_table(name)
    head = tuple(metric_label(title) if title == record.metric else title for title in head)
    lines = [Line(row) for row in rows]
    shown = table(head, lines[:_MOST_ROWS], numbers=head[1:], sort=f"By {record.part_noun(name)}")
    more = lines[_MOST_ROWS:]
    return shown + (details(f"{len(more):,} more", table(head, more, numbers=head[1:])) if more else "")

"""The files of a comparison: a self-contained HTML page, Markdown and JSON."""

from __future__ import annotations

import html
import json
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from lstmgru.data.tables.writers import write_text
from search.compare.figures import (
    classes_chart,
    contexts_chart,
    costs_chart,
    differences_chart,
    lengths_chart,
    scores_chart,
    steps_chart,
    trials_chart,
    trials_cut,
)
from search.compare.heat import heat_html
from search.compare.markdown import markdown
from search.compare.results import Comparison, FamilyResult
from search.compare.tables import TextTable, advice_table, all_tables
from search.reports.charts.chart import chart_html
from search.reports.formatting import counted
from search.reports.notebook import notebook_html
from search.reports.page import Line, details, html_page, paragraph, table, written_on
from search.study.paths import COMPARISON_JSON, COMPARISON_MARKDOWN, COMPARISON_PAGE


def write_files(comparison: Comparison, folder: Path) -> None:
    """Write the page, the Markdown file and the JSON file.

    Args:
        comparison: The results.
        folder: Folder of the files, created if missing.

    Raises:
        OSError: A file cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    write_text(folder / COMPARISON_JSON, json.dumps(comparison.to_json(), indent=2) + "\n")
    write_text(folder / COMPARISON_MARKDOWN, markdown(comparison))
    write_text(folder / COMPARISON_PAGE, comparison_html(comparison, datetime.now().astimezone()))


def comparison_notebook(comparison: Comparison) -> str:
    """A comparison as the output of a cell: the verdict and the recommendations; all tables are folded away."""
    about = f"{len(comparison.families)} families of networks, scored by {comparison.terms.name}."
    folded = [
        details(each.title, (paragraph(each.caption) if each.caption else "") + _html_table(each, comparison))
        for each in all_tables(comparison)
    ]
    advice = _html_table(advice_table(comparison), comparison) if comparison.advice else ""
    limits = details("Limitations", "".join(_limits(comparison)))
    return notebook_html(comparison.study, about, [_verdict(comparison), advice, *folded, limits])


def comparison_html(comparison: Comparison, written: datetime) -> str:
    """A self-contained HTML page that loads nothing from elsewhere.

    Args:
        comparison: The results.
        written: Local time with its zone.
    """
    ahead = "" if comparison.horizon is None else f", {counted(comparison.horizon, 'step')} ahead"
    body = [
        paragraph(
            f"Families of networks for the study {comparison.study}{ahead}, scored by {comparison.terms.name}: "
            f"{counted(comparison.trials, 'trial')} each, the best of each retrained with "
            f"{counted(comparison.seeds, 'new seed')}.",
            written_on(written),
        ),
        _verdict(comparison),
        f'<div class="halves">{"".join(_first_charts(comparison))}</div>\n',
        "<h2>Recommendations</h2>\n",
        _html_table(advice_table(comparison), comparison),
        heat_html(comparison),
        "<h2>Strengths and weaknesses</h2>\n",
        f'<div class="grid">{"".join(f"<div>{_traits(family)}</div>" for family in comparison.families)}</div>\n',
    ]
    for each in all_tables(comparison):
        body += [f"<h2>{each.title}</h2>\n", *([paragraph(each.caption)] if each.caption else [])]
        body += [_html_table(each, comparison), *_charts(each.title, comparison)]
    body += ["<h2>Limitations</h2>\n", *_limits(comparison)]
    return html_page(f"{comparison.study}: comparison", "".join(body))


def _verdict(comparison: Comparison) -> str:
    (words, look), said = _headline(comparison), html.escape(comparison.verdict)
    return f'<p class="verdict{look}"><strong>{html.escape(words)}</strong> {said}</p>\n'


def _headline(comparison: Comparison) -> tuple[str, str]:
    """The family or baseline to use in a few words, and their color."""
    accurate = next((each for each in comparison.advice if each.preference == "accuracy"), None)
    if accurate is None:
        return "No result", ""
    alike = [each for each in comparison.scored if each.standing not in ("best", "worse", None)]
    if accurate.kind == "family" and alike:
        return "No clear difference", ""
    return f"Use {accurate.family.replace('_', ' ')}", " bad" if accurate.kind == "baseline" else " good"


def _first_charts(comparison: Comparison) -> Iterator[str]:
    """The differences from the best family, and scores against latency."""
    shown = comparison.contenders
    if any(each.difference and each.difference.low is not None for each in shown):
        title = f"Against {html.escape(str(comparison.best))}"
        yield f"<div><h2>{title}</h2>{chart_html(differences_chart(comparison))}</div>"
    if any(each.latency is not None for each in shown):
        yield f"<div><h2>Score and latency</h2>{chart_html(costs_chart(comparison))}</div>"


def _html_table(shown: TextTable, comparison: Comparison) -> str:
    of_families = [place for place, name in enumerate(shown.head) if name == "family"]
    best = [any(row[place] == comparison.best for place in of_families) for row in shown.rows]
    lines = [Line(row, "winner" if marked else "") for row, marked in zip(shown.rows, best, strict=True)]
    return table(shown.head, lines, numbers=tuple(name for name in shown.head if name not in shown.words))


def _traits(family: FamilyResult) -> str:
    parts = [f"<h3>{html.escape(family.name)}</h3>\n", paragraph(f"{family.words}.")]
    for title, traits in (("Strengths", family.strengths), ("Weaknesses", family.weaknesses)):
        if traits:
            items = "".join(f"<li>{html.escape(trait.text)}</li>" for trait in traits)
            parts.append(f"<p>{title}:</p><ul>{items}</ul>\n")
    if not family.strengths and not family.weaknesses:
        parts.append(paragraph("No strengths or weaknesses." if family.folds else "No score."))
    return "".join(parts)


def _charts(title: str, comparison: Comparison) -> Iterator[str]:
    """The charts below a table."""
    match title:
        case "Scores":
            yield chart_html(scores_chart(comparison))
        case "Trials":
            yield from _trials_chart(comparison)
        case "By step of the horizon":
            yield chart_html(steps_chart(comparison))
        case "By context length":
            if len({each.shortest for family in comparison.families for each in family.contexts}) > 1:
                yield chart_html(contexts_chart(comparison))
        case "By length":
            yield chart_html(lengths_chart(comparison))
        case "By class":
            yield chart_html(classes_chart(comparison))


def _trials_chart(comparison: Comparison) -> Iterator[str]:
    families = [family for family in comparison.families if family.trial_scores]
    if not families:
        return
    drawn = trials_cut(comparison)
    if drawn.hidden:
        yield paragraph(drawn.sentence("trials" if drawn.hidden > 1 else "trial"))
    yield chart_html(trials_chart(comparison))


def _limits(comparison: Comparison) -> Iterator[str]:
    yield f"<ul>{''.join(f'<li>{html.escape(note)}</li>' for note in comparison.notes)}</ul>\n"

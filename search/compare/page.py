"""A comparison on one HTML page that loads nothing from elsewhere, as Markdown, and as JSON."""

from __future__ import annotations

import html
import json
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from search.compare.figures import (
    classes_figure,
    contexts_figure,
    costs_figure,
    differences_figure,
    lengths_figure,
    scores_figure,
    steps_figure,
    trials_cut,
    trials_figure,
)
from search.compare.results import Comparison, FamilyResult
from search.compare.tables import Sheet, advice_sheet, sheets, shown_classes
from search.reports.formatting import counted
from search.reports.page import Line, chart, html_page, paragraph, table
from search.study.paths import COMPARISON_JSON, COMPARISON_MARKDOWN, COMPARISON_PAGE

_ROW, _AROUND_ROWS, _HEIGHT = 46, 110, 360
_CLASS_ROW = 24


def write_files(comparison: Comparison, folder: Path) -> None:
    """Write the page, the Markdown file and the JSON file.

    Args:
        comparison: What was found.
        folder: Where; it is made if it is not there.

    Raises:
        OSError: They cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / COMPARISON_JSON).write_text(json.dumps(comparison.to_json(), indent=2) + "\n", encoding="utf-8")
    (folder / COMPARISON_MARKDOWN).write_text(markdown(comparison), encoding="utf-8")
    (folder / COMPARISON_PAGE).write_text(comparison_html(comparison, datetime.now().astimezone()), encoding="utf-8")


def comparison_html(comparison: Comparison, written: datetime) -> str:
    """The page.

    Args:
        comparison: What was found.
        written: Local time, with its zone.
    """
    ahead = "" if comparison.horizon is None else f", {counted(comparison.horizon, 'step')} ahead"
    body = [
        paragraph(
            f"Families of networks for the study {comparison.study}{ahead}, scored by {comparison.terms.name}: "
            f"{counted(comparison.trials, 'trial')} each, the best of each trained again with "
            f"{counted(comparison.seeds, 'fresh seed')}. Written on {written:%Y-%m-%d at %H:%M %Z}."
        ),
        f'<p class="verdict">{html.escape(comparison.verdict)}</p>\n',
        "<h2>What to use</h2>\n",
        _sheet(advice_sheet(comparison), comparison),
        "<h2>Strengths and weaknesses</h2>\n",
        f'<div class="grid">{"".join(f"<div>{_traits(family)}</div>" for family in comparison.families)}</div>\n',
    ]
    for sheet in sheets(comparison):
        body += [f"<h2>{sheet.title}</h2>\n", *([paragraph(sheet.text)] if sheet.text else [])]
        body += [_sheet(sheet, comparison), *_charts(sheet.title, comparison)]
    body += ["<h2>What limits these numbers</h2>\n", *_limits(comparison)]
    return html_page(f"{comparison.study}: comparison", "".join(body))


def _sheet(sheet: Sheet, comparison: Comparison) -> str:
    of_families = [place for place, name in enumerate(sheet.head) if name == "family"]
    best = [any(row[place] == comparison.best for place in of_families) for row in sheet.rows]
    lines = [Line(row, "winner" if marked else "") for row, marked in zip(sheet.rows, best, strict=True)]
    return table(sheet.head, lines, numbers=tuple(name for name in sheet.head if name not in sheet.words))


def _traits(family: FamilyResult) -> str:
    parts = [f"<h3>{html.escape(family.name)}</h3>\n", paragraph(f"{family.words}.")]
    for title, traits in (("Good", family.strengths), ("Bad", family.weaknesses)):
        if traits:
            items = "".join(f"<li>{html.escape(trait.text)}</li>" for trait in traits)
            parts.append(f"<p>{title}:</p><ul>{items}</ul>\n")
    if not family.strengths and not family.weaknesses:
        parts.append(paragraph("Nothing sets it apart from the others." if family.folds else "It has no score."))
    return "".join(parts)


def _charts(title: str, comparison: Comparison) -> Iterator[str]:
    """What is drawn below a table."""
    scored = [family for family in comparison.families if family.folds]
    rows = _AROUND_ROWS + _ROW * len(scored)
    match title:
        case "Scores":
            yield chart(scores_figure(comparison), height=rows)
        case "Against the best family":
            if any(family.difference and family.difference.low is not None for family in scored):
                yield chart(differences_figure(comparison), height=rows - _ROW)
        case "What it costs":
            if any(family.latency is not None for family in scored):
                yield chart(costs_figure(comparison), height=_HEIGHT)
        case "Trials":
            yield from _trials_chart(comparison)
        case "Over the horizon":
            yield chart(steps_figure(comparison), height=_HEIGHT)
        case "By length of the context":
            if len({each.shortest for family in comparison.families for each in family.contexts}) > 1:
                yield chart(contexts_figure(comparison), height=_HEIGHT)
        case "By length":
            yield chart(lengths_figure(comparison), height=_HEIGHT)
        case "By class":
            rows = len(shown_classes([family for family in scored if family.classes]))
            yield chart(classes_figure(comparison), height=_AROUND_ROWS + _CLASS_ROW * rows)


def _trials_chart(comparison: Comparison) -> Iterator[str]:
    families = [family for family in comparison.families if family.trial_scores]
    if not families:
        return
    drawn = trials_cut(comparison)
    if drawn.hidden:
        yield paragraph(drawn.sentence("trials" if drawn.hidden > 1 else "trial"))
    yield chart(trials_figure(comparison), height=_AROUND_ROWS + _ROW * len(families))


def _limits(comparison: Comparison) -> Iterator[str]:
    yield f"<ul>{''.join(f'<li>{html.escape(note)}</li>' for note in comparison.notes)}</ul>\n"
    if comparison.baselines:
        scores = ", ".join(f"{name.replace('_', ' ')} {value:.4g}" for name, value in comparison.baselines.items())
        yield paragraph(f"Simple methods on the same folds: {scores}.")


def markdown(comparison: Comparison) -> str:
    """The whole comparison."""
    title = f"# {_escape(comparison.study)}: what each family is good and bad at"
    return "\n\n".join([title, *_summary(comparison), *_numbers(comparison)]) + "\n"


def brief(comparison: Comparison) -> str:
    """The words of it, without the tables of numbers."""
    return "\n\n".join(_summary(comparison)) + "\n"


def _summary(comparison: Comparison) -> Iterator[str]:
    yield f"**{_escape(comparison.verdict)}**"
    yield _markdown_table(advice_sheet(comparison))
    for family in comparison.families:
        if family.strengths or family.weaknesses:
            yield "\n".join(_markdown_traits(family))


def _numbers(comparison: Comparison) -> Iterator[str]:
    for sheet in sheets(comparison):
        yield f"## {sheet.title}"
        if sheet.text:
            yield _escape(sheet.text)
        yield _markdown_table(sheet)
    if comparison.baselines:
        scores = ", ".join(f"{name.replace('_', ' ')} {value:.4g}" for name, value in comparison.baselines.items())
        yield f"Simple methods on the folds: {scores}."
    yield "\n".join(f"- {_escape(note)}" for note in comparison.notes)


def _markdown_traits(family: FamilyResult) -> Iterator[str]:
    yield f"**{_escape(family.name)}**"
    yield ""
    yield from (f"- Strength: {_escape(trait.text)}" for trait in family.strengths)
    yield from (f"- Weakness: {_escape(trait.text)}" for trait in family.weaknesses)


def _markdown_table(sheet: Sheet) -> str:
    lines = ["|".join(["", *sheet.head, ""]), "|".join(["", *(_align(name, sheet) for name in sheet.head), ""])]
    lines += ["|".join(["", *map(_escape, row), ""]) for row in sheet.rows]
    return "\n".join(lines)


def _align(name: str, sheet: Sheet) -> str:
    return ":--" if name in sheet.words else "--:"


def _escape(text: str) -> str:
    """Keep text from being read as Markdown or HTML, or from ending a cell."""
    for mark in ("\\", "|", "*", "_", "`", "[", "]", "<", ">"):
        text = text.replace(mark, f"\\{mark}")
    return text.replace("\n", " ")

"""A comparison as Markdown."""

from __future__ import annotations

from collections.abc import Iterator

from search.compare.results import Comparison, FamilyResult
from search.compare.sheet import Sheet
from search.compare.tables import advice_sheet, sheets


def markdown(comparison: Comparison) -> str:
    """The whole comparison."""
    title = f"# {_escape(comparison.study)}: what each family is good and bad at"
    return "\n\n".join([title, *_words(comparison), *_numbers(comparison)]) + "\n"


def brief(comparison: Comparison) -> str:
    """The words of it, without the tables of numbers."""
    return "\n\n".join(_words(comparison)) + "\n"


def _words(comparison: Comparison) -> Iterator[str]:
    yield f"**{_escape(comparison.verdict)}**"
    yield _table(advice_sheet(comparison))
    for family in comparison.families:
        if family.strengths or family.weaknesses:
            yield "\n".join(_traits(family))


def _numbers(comparison: Comparison) -> Iterator[str]:
    for sheet in sheets(comparison):
        yield f"## {sheet.title}"
        if sheet.text:
            yield _escape(sheet.text)
        yield _table(sheet)
    if comparison.baselines:
        scores = ", ".join(f"{name.replace('_', ' ')} {value:.4g}" for name, value in comparison.baselines.items())
        yield f"Simple methods on the folds: {scores}."
    yield "\n".join(f"- {_escape(note)}" for note in comparison.notes)


def _traits(family: FamilyResult) -> Iterator[str]:
    yield f"**{_escape(family.name)}**"
    yield ""
    yield from (f"- Strength: {_escape(trait.text)}" for trait in family.strengths)
    yield from (f"- Weakness: {_escape(trait.text)}" for trait in family.weaknesses)


def _table(sheet: Sheet) -> str:
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

"""A comparison as Markdown, for its file and for MLflow."""

from __future__ import annotations

from collections.abc import Iterator

from search.compare.results import Comparison, FamilyResult
from search.compare.tables import TextTable, advice_table, all_tables


def markdown(comparison: Comparison) -> str:
    """The whole comparison as Markdown."""
    title = f"# {_escape(comparison.study)}: strengths and weaknesses of each family"
    return "\n\n".join([title, *_summary(comparison), *_numbers(comparison)]) + "\n"


def brief(comparison: Comparison) -> str:
    """Verdict, recommendations, strengths and weaknesses as Markdown, without the tables of numbers."""
    return "\n\n".join(_summary(comparison)) + "\n"


def _summary(comparison: Comparison) -> Iterator[str]:
    yield f"**{_escape(comparison.verdict)}**"
    yield _markdown_table(advice_table(comparison))
    for family in comparison.families:
        if family.strengths or family.weaknesses:
            yield "\n".join(_markdown_traits(family))


def _numbers(comparison: Comparison) -> Iterator[str]:
    for each in all_tables(comparison):
        yield f"## {each.title}"
        if each.caption:
            yield _escape(each.caption)
        yield _markdown_table(each)
    yield "\n".join(f"- {_escape(note)}" for note in comparison.notes)


def _markdown_traits(family: FamilyResult) -> Iterator[str]:
    yield f"**{_escape(family.name)}**"
    yield ""
    yield from (f"- Strength: {_escape(trait.text)}" for trait in family.strengths)
    yield from (f"- Weakness: {_escape(trait.text)}" for trait in family.weaknesses)


def _markdown_table(shown: TextTable) -> str:
    alignment = [":--" if name in shown.words else "--:" for name in shown.head]
    lines = ["|".join(["", *shown.head, ""]), "|".join(["", *alignment, ""])]
    lines += ["|".join(["", *map(_escape, row), ""]) for row in shown.rows]
    return "\n".join(lines)


def _escape(text: str) -> str:
    """Text that Markdown shows literally, also in a table cell."""
    for mark in ("\\", "|", "*", "_", "`", "[", "]", "<", ">"):
        text = text.replace(mark, f"\\{mark}")
    return text.replace("\n", " ")

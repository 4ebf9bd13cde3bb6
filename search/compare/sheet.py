"""A table of a comparison as text, and what all of them share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from search.compare.formatting import score
from search.compare.results import Comparison, FamilyResult


@dataclass(frozen=True)
class Sheet:
    """A table.

    Attributes:
        title: What it shows.
        text: How it is to be read, sentences.
        head: Names of the columns.
        rows: Cells, in the order of the columns.
        words: Names of the columns that hold words; the others hold numbers.
    """

    title: str
    text: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    words: tuple[str, ...] = ("family",)


def scored(comparison: Comparison) -> list[FamilyResult]:
    """The families that have a score."""
    return [family for family in comparison.families if family.folds is not None]


def shown_score(comparison: Comparison) -> Callable[[float | None], str]:
    """How a score is written."""
    return partial(score, of_one=comparison.terms.larger_is_better)

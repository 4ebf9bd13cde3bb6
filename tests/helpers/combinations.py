"""Tables of options: a few combinations that hold every pair of values, and all of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import combinations, product
from typing import Any

import pytest


def every_combination(**options: Iterable[Any]) -> Iterator[dict[str, Any]]:
    """The full product, for slow tests."""
    for values in product(*options.values()):
        yield dict(zip(options, values, strict=True))


def every_pair(**options: Iterable[Any]) -> pytest.MarkDecorator:
    """Parametrizes a test with a few combinations: any two values of two options occur together in one of them."""
    tables = [list(values) for values in options.values()]
    rows = [[table[place] for table, place in zip(tables, row, strict=True)] for row in covering_rows(map(len, tables))]
    return pytest.mark.parametrize(tuple(options), rows)


def covering_rows(sizes: Iterable[int]) -> list[tuple[int, ...]]:
    """Rows of indices that hold every pair: always the first row that adds the most."""
    rows = {row: set(combinations(enumerate(row), 2)) for row in product(*map(range, sizes))}
    missing, chosen = set().union(*rows.values()), []
    while missing:
        best = max(rows, key=lambda row: len(rows[row] & missing))
        chosen.append(best)
        missing -= rows[best]
    return chosen

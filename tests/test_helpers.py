"""The helpers of the tests, where something could be wrong with them."""

from __future__ import annotations

from itertools import combinations, product

import pytest
from helpers.combinations import covering_rows


@pytest.mark.parametrize("sizes", [(2, 2), (3, 1, 2), (5, 8, 4, 2, 2)])
def test_chosen_rows_hold_every_pair(sizes: tuple[int, ...]) -> None:
    rows = covering_rows(sizes)

    for (i, m), (j, n) in combinations(enumerate(sizes), 2):
        assert {(row[i], row[j]) for row in rows} == set(product(range(m), range(n)))
    assert len(rows) <= 1.25 * max(m * n for m, n in combinations(sizes, 2))

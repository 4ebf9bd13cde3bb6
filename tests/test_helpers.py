"""The helpers of the tests, where something could be wrong with them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import combinations, product
from pathlib import Path

import pytest
from helpers.combinations import covering_rows, each_row
from helpers.json_output import valid_json
from pydantic import ValidationError


@pytest.mark.parametrize("sizes", [(2, 2), (3, 1, 2), (5, 8, 4, 2, 2)])
def test_chosen_rows_hold_every_pair(sizes: tuple[int, ...]) -> None:
    rows = covering_rows(sizes)

    for (i, m), (j, n) in combinations(enumerate(sizes), 2):
        assert {(row[i], row[j]) for row in rows} == set(product(range(m), range(n)))
    assert len(rows) <= 1.25 * max(m * n for m, n in combinations(sizes, 2))


def test_each_row_runs_every_row_of_its_tables_by_name_and_in_a_folder_of_its_own(tmp_path: Path) -> None:
    seen, names = [], []

    @each_row(("cell", "size"), [("lstm", 1), ("gru", 2)])
    @each_row("pooling", ["last", "mean"])
    def check(cell: str, size: int, pooling: str, tmp_path: Path) -> None:
        seen.append((cell, size, pooling))
        assert list(tmp_path.iterdir()) == []
        (tmp_path / "file").touch()

    class Names:
        @contextmanager
        def test(self, name: str) -> Iterator[None]:
            names.append(name)
            yield

    check(subtests=Names(), tmp_path=tmp_path)
    assert seen == [("lstm", 1, "last"), ("lstm", 1, "mean"), ("gru", 2, "last"), ("gru", 2, "mean")]
    assert names[1] == "row 1: cell='lstm', size=1, pooling='mean'"


@pytest.mark.parametrize(
    "text", ['[{"name": "a"}]', '[{"name": "a", "reason": "b", "more": 1}]', '[{"name": 1, "reason": "b"}]']
)
def test_json_with_another_key_or_without_one_is_not_valid(text: str) -> None:
    with pytest.raises((ValidationError, AssertionError)):
        valid_json("predict", text)

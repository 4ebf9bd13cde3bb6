"""Whether a later table only adds rows: counts, the first new row, the first changed one."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
from helpers.combinations import each_row

from search.study.table_rows import TableRows


def rows(*series: tuple[str, list[float]], start: int = 0) -> TableRows:
    """Series of numbers at the times 0, 1, …"""
    values = np.concatenate([np.array(numbers) for _, numbers in series])
    times = np.concatenate([np.arange(start, start + len(numbers)) for _, numbers in series])
    return TableRows(
        parts=tuple(name for name, _ in series),
        offsets=np.concatenate([[0], np.cumsum([len(numbers) for _, numbers in series])]),
        columns=(times, values),
        order=times,
        label=lambda row: f"day {times[row]}",
        dated=True,
    )


ONE = [("x", [1.0, 2.0, 3.0])]
TWO = [("a", [1.0, 2.0, 3.0]), ("c", [4.0, 5.0, 6.0])]


@each_row(
    ("before", "after", "said"),
    [
        (ONE, [("x", [1.0, 2.0, 3.0, 4.0])], "1 row more, from day 3 on, the 3 before unchanged"),
        (ONE, [("x", [1, 2.5, 3, 4])], "1 row more, from day 3 on, 1 of the 3 before has changed, the first day 1"),
        (ONE, [("x", [1.0, 2.5, 2.5])], "2 of the 3 before have changed, the first day 1"),
        (ONE, [("x", [1.0, 2.0])], "1 of the 3 before is gone"),
        (TWO, [("a", [1.0, 2, 3, 0]), ("c", [4.0, 5, 6, 0])], "2 rows more, from day 3 on, the 6 before unchanged"),
        (TWO, [*TWO[:1], ("b", [7.0, 7.0]), *TWO[1:]], "2 rows more, from day 0 on (b: new), the 6 before unchanged"),
        (TWO, [("a", [1.0, 2.0, 3.0]), ("c", [4.0, 0.0, 6.0])], "1 of the 6 before has changed, the first day 1 of c"),
        (TWO, [("c", [4.0, 5.0, 6.0, 7.0])], "1 row more, from day 3 on, 3 of the 6 before are gone"),
    ],
)  # fmt: skip
def test_a_change_is_said_in_words(before: Any, after: Any, said: str) -> None:
    stored = json.loads(json.dumps(rows(*before).fingerprint()))
    change = rows(*after).change_since(stored)
    assert str(change) == said
    assert change.only_grown == said.endswith("unchanged")


def test_rows_that_are_dropped_at_the_beginning_do_not_count_as_changed() -> None:
    stored = rows(("x", [1.0, 2.0, 3.0, 4.0])).fingerprint()
    change = rows(("x", [3.0, 4.0, 5.0]), start=2).change_since(stored)
    assert str(change) == "1 row more, from day 4 on, 2 of the 4 before are gone"
    assert change.new is not None
    assert change.new.tolist() == [False, False, True]
    corrected = rows(("x", [3.0, 4.5, 5.0]), start=2).change_since(stored)
    assert str(corrected) == (
        "1 row more, from day 4 on, 2 of the 4 before are gone, 1 of the 4 before has changed, the first day 3"
    )

    numbers = np.random.default_rng(0).normal(size=10_000).tolist()
    stored = rows(("x", numbers)).fingerprint()
    assert stored["block"] > 1
    for gone in (1, 1234, 9_990):
        change = rows(("x", [*numbers[gone:], 1.0]), start=gone).change_since(stored)
        are = "is" if gone == 1 else "are"
        assert str(change) == f"1 row more, from day 10000 on, {gone} of the 10000 before {are} gone"


def test_new_rows_are_flagged() -> None:
    change = rows(("a", [1.0, 2.0, 3.0, 9.0]), ("b", [7.0]), ("c", [4.0, 5.0, 6.0])).change_since(
        rows(*TWO).fingerprint()
    )
    assert change.new is not None
    assert change.new.tolist() == [False] * 3 + [True, True] + [False] * 3


def test_rows_of_a_large_table_are_stored_as_few_blocks() -> None:
    numbers = np.random.default_rng(0).normal(size=100_000).tolist()
    stored = rows(("x", numbers)).fingerprint()
    assert len(json.dumps(stored)) < 12_000
    size = stored["block"]

    assert str(rows(("x", [*numbers, 1.0])).change_since(stored)).endswith("the 100000 before unchanged")
    changed = rows(("x", [*numbers[:70_000], 1.0, *numbers[70_001:], 1.0])).change_since(stored)
    first = 70_000 // size * size
    assert str(changed).endswith(
        f"up to {size} of the 100000 before have changed, the first day {first} to day {first + size - 1}"
    )

"""Tables of cases: one test for all rows, a few combinations that hold every pair of values, and all of them."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from itertools import combinations, product
from typing import Any

import pytest
from _pytest.mark import ParameterSet

Test = Callable[..., None]


def each_row(names: str | tuple[str, ...], rows: Iterable[Any]) -> Callable[[Test], Test]:
    """One test for a table whose rows prove one rule; every row that fails is named and reported.

    Called as ``pytest.mark.parametrize`` is, which makes a test of every row, and multiplied as it is. Each row starts
    with a folder of its own in ``tmp_path``, a fresh ``monkeypatch``, and nothing captured; other fixtures are shared.
    """
    rows = list(rows)
    assert rows, "a table without rows proves nothing"
    assert not any(isinstance(row, ParameterSet) for row in rows), "rows have no marks: use pytest.mark.parametrize"
    table = [{names: row} if isinstance(names, str) else dict(zip(names, row, strict=True)) for row in rows]

    def loop(test: Test) -> Test:
        body, others = getattr(test, "table", (test, [{}]))
        combined = [{**row, **other} for row, other in product(table, others)]

        @functools.wraps(body)
        def all_rows(subtests: pytest.Subtests, **fixtures: Any) -> None:
            for number, values in enumerate(combined):
                with subtests.test(f"row {number}: {_described(values)}"), ExitStack() as stack:
                    body(**values, **_fresh(fixtures, number, stack))

        signature = inspect.signature(body)
        fixtures = [each for each in signature.parameters.values() if each.name not in combined[0]]
        subtests = inspect.Parameter("subtests", inspect.Parameter.POSITIONAL_OR_KEYWORD)
        all_rows.__signature__ = signature.replace(parameters=[subtests, *fixtures])  # type: ignore[attr-defined]
        all_rows.table = body, combined  # type: ignore[attr-defined]
        return all_rows

    return loop


def _described(values: dict[str, Any]) -> str:
    """What can be written in a few letters."""
    texts = {name: repr(value) for name, value in values.items() if not callable(value) and not hasattr(value, "shape")}
    return ", ".join(f"{name}={text}" for name, text in texts.items() if len(text) <= 80)


def _fresh(fixtures: dict[str, Any], number: int, stack: ExitStack) -> dict[str, Any]:
    """The fixtures of a test as another test would find them."""
    own = dict(fixtures)
    if "tmp_path" in own:
        own["tmp_path"] = own["tmp_path"] / f"row_{number}"
        own["tmp_path"].mkdir()
    if "monkeypatch" in own:
        own["monkeypatch"] = stack.enter_context(own["monkeypatch"].context())
    if "caplog" in own:
        own["caplog"].clear()
    if "capsys" in own:
        own["capsys"].readouterr()
    return own


def every_combination(**options: Iterable[Any]) -> Iterator[dict[str, Any]]:
    """The full product, for slow tests."""
    for values in product(*options.values()):
        yield dict(zip(options, values, strict=True))


def every_pair(**options: Iterable[Any]) -> Callable[[Test], Test]:
    """One test for a few combinations: any two values of two options occur together in one of them."""
    tables = [list(values) for values in options.values()]
    rows = [[table[place] for table, place in zip(tables, row, strict=True)] for row in covering_rows(map(len, tables))]
    return each_row(tuple(options), rows)


def covering_rows(sizes: Iterable[int]) -> list[tuple[int, ...]]:
    """Rows of indices that hold every pair: always the first row that adds the most."""
    rows = {row: set(combinations(enumerate(row), 2)) for row in product(*map(range, sizes))}
    missing, chosen = set().union(*rows.values()), []
    while missing:
        best = max(rows, key=lambda row: len(rows[row] & missing))
        chosen.append(best)
        missing -= rows[best]
    return chosen

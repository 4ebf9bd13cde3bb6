"""Read text tables without pyarrow: as :mod:`lstmgru.data.tables.arrow_text` reads them, but slower."""

from __future__ import annotations

import csv
import re
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from typing import Any

import numpy as np
import pandas as pd

from lstmgru.data.tables.columns import MISSING
from lstmgru.data.tables.delimited import DelimitedFile

_ROWS = 256
"""At once; of more, the garbage collector would traverse them again and again."""
_LONGEST_CELL = 2**31 - 1
_KEPT = re.compile(r"[+-]?0\d|[+-]?\d{16,}$", re.ASCII)
"""Digits that a number would not preserve."""
_INTEGER = re.compile(r"-?\d+|0x[0-9a-f]{1,15}", re.ASCII | re.IGNORECASE)
_FLOAT = re.compile(r"[+-]?((\d+\.?\d*|\.\d+)(e[+-]?\d+)?|inf(inity)?|nan)", re.ASCII | re.IGNORECASE)
_MISSING = frozenset(MISSING)
_BOOLEAN = {"true": True, "false": False}


def read_text(file: DelimitedFile, text: Collection[str]) -> pd.DataFrame:
    """Read a text file, see :func:`lstmgru.data.tables.arrow_text.read_text`."""
    columns: list[list[str]] = [[] for _ in file.names]
    with file.translating_errors():
        for rows in _chunks(file):
            for column, more in zip(columns, zip(*rows, strict=True), strict=True):
                column.extend(more)
    first = int(file.has_header)
    if len(columns[0]) <= first:
        raise file.no_rows()
    file.check_end([column[-1] for column in columns])
    inferred = pd.Series(["text"]).dtype  # of text, which pandas would not infer for a column without any
    found: dict[str, Any] = {}
    for name, column in zip(file.names, columns, strict=True):
        cells = column[first:]
        typed = None if name in text else _typed(cells, file.decimal)
        found[name] = pd.Series([cell or None for cell in cells], dtype=inferred) if typed is None else typed
    return pd.DataFrame(found)


def _chunks(file: DelimitedFile) -> Iterator[list[list[str]]]:
    """Rows of text, a number at a time; empty lines are skipped."""
    before, count = 0, len(file.names)
    with file.open() as opened, _cells_of_any_length():
        lines = filter(None, csv.reader(opened, delimiter=file.delimiter))
        try:
            while rows := list(islice(lines, _ROWS)):
                wrong = next((number for number, row in enumerate(rows) if len(row) != count), None)
                if wrong is not None:
                    raise file.uneven(file.line_of(before + wrong + 1), len(rows[wrong]))
                yield rows
                before += len(rows)
        except csv.Error as error:
            raise file.unreadable(error) from error


@contextmanager
def _cells_of_any_length() -> Iterator[None]:
    before = csv.field_size_limit(_LONGEST_CELL)
    try:
        yield
    finally:
        csv.field_size_limit(before)


def _typed(column: Sequence[str], decimal: str) -> Any:
    """Integers, floats or booleans of a column of text, if all cells allow it; else ``None``. Distinct cells count."""
    cells = {cell: cell.strip() for cell in set(column)}
    known = {cell: text for cell, text in cells.items() if text not in _MISSING}
    if any(map(_KEPT.match, known.values())):
        return None
    if decimal == ",":
        if any("." in text for text in known.values()):
            return None
        known = {cell: text.replace(",", ".") for cell, text in known.items()}
    values: dict[str, Any]
    if known and all(map(_INTEGER.fullmatch, known.values())):
        values = {cell: int(text, 0) for cell, text in known.items()}
    elif all(map(_FLOAT.fullmatch, known.values())):
        values = {cell: float(text) for cell, text in known.items()}
    elif all(text.lower() in _BOOLEAN for text in known.values()):
        values = {cell: _BOOLEAN[text.lower()] for cell, text in known.items()}
        return [values.get(cell) for cell in column]
    else:
        return None
    if len(known) < len(cells):
        values |= dict.fromkeys(cells.keys() - known.keys(), np.nan)
    return np.array([values[cell] for cell in column])

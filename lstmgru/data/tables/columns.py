"""Columns of a table as numbers, names of series, or categories; errors name the row of an invalid value.

The codes of categories do not depend on later rows.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from pandas.api import types

from lstmgru.errors import DataError, RowsError, did_you_mean, shorten

MISSING = ("", "NA", "N/A", "n/a", "#N/A", "NaN", "nan", "-nan", "null", "NULL", "None")
"""Texts that represent a missing number."""

_BLOCK_ROWS = 262_144
_WHOLE = re.compile(r"(0|-?[1-9]\d{0,14})$")
"""Whole numbers as they are printed, with at most 15 digits."""
_DECIMAL = re.compile(r"[+-]?\d*\.\d+$")
_THOUSANDS = re.compile(r"^\s*[+-]?\d{1,3}(,\d{3})+(\.\d+)?\s*$")
_DECIMAL_COMMA = re.compile(r"^\s*[+-]?\d+,\d+\s*$")


def check_columns(frame: pd.DataFrame, wanted: Sequence[tuple[str, str]], source: str) -> None:
    """Refuse a table that lacks a column, has one twice, or has one play two parts.

    Args:
        frame: The table.
        wanted: Pairs of the key that names a column (``data.time``) and the column.
        source: File or data set, for messages.

    Raises:
        DataError: Names the key, the column and the columns that there are.
    """
    names = list(frame.columns)
    parts: dict[str, str] = {}
    for key, column in wanted:
        if column not in names:
            near = did_you_mean(column, [str(name) for name in names])
            index = "; it is the index, call reset_index() on the frame" if column in frame.index.names else near
            raise DataError(
                f"{source}: {key} is {column!r} but there is no such column{index} (columns: {shorten(names)})"
            )
        if names.count(column) > 1:
            raise DataError(f"{source}: column {column!r} occurs {names.count(column)} times; rename one of them")
        if column in parts:
            raise DataError(f"{source}: column {column!r} is both {parts[column]} and {key}; a column has one role")
        parts[column] = key
    if len(frame) == 0:
        raise DataError(f"{source}: the table has a header but no rows")


def refuse_empty(missing: npt.NDArray[np.bool_], at: str, rule: str) -> None:
    """Refuse empty cells in a column that must be complete.

    Args:
        missing: (rows,) True for empty cells.
        at: The file and the column, for the message.
        rule: What the message ends with: the rule, or a remedy.

    Raises:
        RowsError: There are such cells.
    """
    if missing.any():
        raise RowsError(missing, lambda _, number, more: f"{at} is empty in row {number}{more}; {rule}")


def read_numbers(column: pd.Series, source: str, *, may_hold_names: bool = False) -> npt.NDArray[np.float64]:
    """(rows,) numbers of a column, NaN if missing; booleans are 0 and 1.

    Args:
        column: Numbers, booleans, or text that holds numbers.
        source: File or data set, for messages.
        may_hold_names: Whether messages suggest to make the column categorical.

    Raises:
        DataError: A value is not a number, infinite, or too large for single precision; rows count from 1.
    """
    if isinstance(column.dtype, pd.CategoricalDtype):
        column = column.astype(column.cat.categories.dtype)
    if column.dtype == object:
        column = column.infer_objects()
    if column.dtype.kind in "mMc" or isinstance(column.dtype, pd.PeriodDtype):
        raise DataError(f"{source}: column {column.name!r} must hold numbers but holds {column.dtype}; remove it")
    if types.is_numeric_dtype(column.dtype):
        values = column.to_numpy(np.float64, na_value=np.nan)
    else:
        values = _parse_numbers(column, source, may_hold_names)
    largest = np.finfo(np.float32).max
    too_large = (values > largest) | (values < -largest)
    if too_large.any():

        def message(row: int, number: int, more: str) -> str:
            rule = "is infinite" if np.isinf(values[row]) else "is too large for single precision"
            return (
                f"{source}: column {column.name!r} {rule} in row {number} ({values[row]:g}){more}; leave the cell "
                "empty or correct it"
            )

        raise RowsError(too_large, message)
    return values


def _parse_numbers(column: pd.Series, source: str, may_hold_names: bool) -> npt.NDArray[np.float64]:
    objects = column.astype(object)
    missing = (objects.isna() | objects.isin(MISSING)).to_numpy()
    numbers = pd.to_numeric(objects.mask(missing, None), errors="coerce")
    values = numbers.to_numpy(np.float64, na_value=np.nan)
    bad = np.isnan(values) & ~missing
    if bad.any():
        correct = "correct the cell or leave it empty"
        if may_hold_names:
            correct = "correct the cell, leave it empty, or, if the column holds names, name it in data.categorical"

        def message(row: int, number: int, more: str) -> str:
            text = str(objects.iloc[row])
            texts = objects[bad].astype(str) if more else pd.Series([text])
            advice = _comma_advice(texts) or correct
            return f"{source}: column {column.name!r} must hold numbers but row {number} is {text!r}{more}; {advice}"

        raise RowsError(bad, message)
    return values


def _comma_advice(texts: pd.Series) -> str:
    """What to do about texts that are numbers but for their commas; empty for others."""
    if texts.str.match(_THOUSANDS).all():
        return (
            "if the commas separate thousands, write the numbers without them; if they are decimal marks, with points"
        )
    if texts.str.match(_DECIMAL_COMMA).all():
        return "for a decimal comma set data.decimal: ',' (predict: --decimal), or write the numbers with points"
    return ""


def read_ids(
    column: pd.Series,
    source: str,
    *,
    noun: str = "series",
    key: str = "data.id",
    sort: bool = True,
    decimals: bool = False,
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.object_]]:
    """(rows,) number of each row's series, and (series,) names of the series.

    Names are text without the blanks around it, so that the name of a series does not depend on the other names in a
    file or on the type of a column.

    Args:
        column: The names.
        source: File or data set, for messages.
        noun: What the names refer to, for messages.
        key: The study key of the column, for messages.
        sort: Whether the names are sorted, as numbers if all are whole numbers; otherwise they are in the order of
            their first appearance.
        decimals: Whether all names may be decimal numbers written as text, as where a model reads a part of a table.

    Raises:
        DataError: A name is missing or a decimal number.
    """
    names = read_row_names(column, source)
    refuse_empty(names.places < 0, f"{source}: column {column.name!r} ({key})", f"every row must name its {noun}")
    if types.is_float_dtype(column.dtype) or (not decimals and all(map(_DECIMAL.match, names.distinct))):
        raise DataError(
            f"{source}: column {column.name!r} ({key}) holds decimal numbers such as {column.iloc[0]}; "
            "write names as text or integers"
        )
    distinct, places = names.distinct, names.places
    del names  # as large as the codes
    codes, order = pd.factorize(places, size_hint=len(distinct))
    del places
    found = [distinct[place] for place in order]
    if sort:
        whole = whole_numbers(found)
        ranks = np.array(sorted(range(len(found)), key=(found if whole is None else whole).__getitem__), np.int64)
        if (np.diff(ranks) < 0).any():
            codes, found = np.argsort(ranks)[codes], [found[place] for place in ranks]
    return codes.astype(np.int64, copy=False), np.array(found, dtype=object)


def differ_in_blanks(column: pd.Series, name: str) -> str:
    """A hint for messages that cells with the same name differ in the blanks around it; empty if they do not.

    Args:
        column: The names.
        name: One of them, without blanks around it.
    """
    spellings = sorted({cell for cell in column.unique() if isinstance(cell, str) and cell.strip() == name})
    if len(spellings) < 2:
        return ""
    return f" ({spellings[0]!r} and {spellings[1]!r} are the same name: blanks around names do not count)"


def group_of(offsets: npt.NDArray[Any], rows: npt.NDArray[np.int64] | int) -> npt.NDArray[np.int64]:
    """The group (series, sequence) that each row belongs to, -1 before the first; a number for a number.

    Args:
        offsets: First row of each group, ascending; the end of the last may follow.
        rows: Row numbers.
    """
    return np.searchsorted(offsets, rows, side="right") - 1


def read_row_names(column: pd.Series, source: str) -> Names:
    """The names in a column of ids, which may have empty cells, see :func:`read_ids`."""
    return read_names(_nameable(column), source)


def whole_numbers(names: Sequence[str | int]) -> list[int] | None:
    """The numbers that names stand for if all are whole numbers, otherwise ``None``.

    Digests of data and the order of series were defined when such names were numbers.
    """
    if all(isinstance(name, int) or _WHOLE.match(name) for name in names):
        return [int(name) for name in names]
    return None


def _nameable(column: pd.Series) -> pd.Series:
    """The column with values that cannot be names as they are, such as dates, as text."""
    if isinstance(column.dtype, pd.CategoricalDtype):
        if types.is_string_dtype(column.cat.categories.dtype):
            return column if _all_are_used(column.cat) else column.cat.remove_unused_categories()
        column = column.astype(column.cat.categories.dtype)
    if column.dtype == object:
        column = column.infer_objects()
    if column.dtype == object:
        return column.map(lambda value: str(value) if _name(value) is None else value, na_action="ignore")
    return column.astype(str) if column.dtype.kind in "mMc" or isinstance(column.dtype, pd.PeriodDtype) else column


def _all_are_used(categories: Any) -> bool:
    """Whether every category of a column is in a cell; removing unused ones sorts the column."""
    used, codes = np.zeros(len(categories.categories) + 1, bool), categories.codes.to_numpy()
    for start in range(0, len(codes), _BLOCK_ROWS):
        used[codes[start : start + _BLOCK_ROWS]] = True  # -1, an empty cell, selects the last
    return bool(used[:-1].all())


_NEVER = np.iinfo(np.int64).max


@dataclass(frozen=True)
class Names:
    """A column whose cells are names.

    Attributes:
        places: (rows,) index in ``distinct``; -1 for an empty cell.
        distinct: The distinct names, in arbitrary order.
    """

    places: npt.NDArray[np.int64]
    distinct: tuple[str, ...]

    def by_first_appearance(self, times: npt.NDArray[Any], series: npt.NDArray[np.int64]) -> tuple[str, ...]:
        """The names in the order of their first appearance in time, so that later rows do not change earlier codes.

        Args:
            times: (rows,) times.
            series: (rows,) number of the row's series, which orders names that appear at the same time.
        """
        named = np.flatnonzero(self.places >= 0)
        places, clock, series = self.places[named], times[named].astype(np.int64), series[named]
        first, owner = np.full((2, len(self.distinct)), _NEVER)
        np.minimum.at(first, places, clock)
        at_first = clock == first[places]
        np.minimum.at(owner, places[at_first], series[at_first])
        return tuple(self.distinct[place] for place in np.lexsort((owner, first)) if owner[place] < _NEVER)

    def codes(self, known: Sequence[str]) -> npt.NDArray[np.float64]:
        """(rows,) codes: the position in ``known`` from 1, 0 for an unknown name, NaN for an empty cell."""
        code = {name: number for number, name in enumerate(known, start=1)}
        of_place = np.array([*(code.get(name, 0) for name in self.distinct), np.nan])
        return of_place[self.places]  # -1, an empty cell, selects the last


def read_names(column: pd.Series, source: str) -> Names:
    """The names in a column, stripped.

    Args:
        column: Text, whole numbers, booleans or categories of them. Floats are converted to text, integral ones without
            decimal point, because missing cells turn integers into floats.
        source: File or data set, for messages.

    Raises:
        DataError: A cell holds anything else; rows count from 1.
    """
    if isinstance(column.dtype, pd.CategoricalDtype):
        places, values = column.cat.codes.to_numpy(np.int64), column.cat.categories
    else:
        if column.dtype == object:
            column = column.infer_objects()
        if column.dtype == object:  # of mixed types; pandas would treat 1 and True as equal
            column = _texts(column, source)
        places, values = pd.factorize(column)
    place = {"": -1}
    for index, value in enumerate(values.to_numpy()):
        text = _name(value)
        if text is None:
            raise _no_name(column, int(np.argmax(places == index)), source)
        place.setdefault(text, len(place) - 1)
    of_value = np.array([*(place[str(_name(value))] for value in values.to_numpy()), -1], np.int64)
    if (of_value[:-1] != np.arange(len(values))).any():
        places = of_value[places]
    return Names(places.astype(np.int64, copy=False), tuple(place)[1:])


def _name(value: object) -> str | None:
    """A value as a name; ``None`` if it cannot be one."""
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, bool | np.bool_ | int | np.integer):
        return str(value)
    if isinstance(value, float | np.floating):
        return str(int(value)) if value.is_integer() else str(value)
    return None


def _texts(column: pd.Series, source: str) -> pd.Series:
    texts = column.map(_name, na_action="ignore")
    bad = (texts.isna() & ~column.isna()).to_numpy()
    if bad.any():
        raise _no_name(column, int(np.argmax(bad)), source)
    return texts


def _no_name(column: pd.Series, row: int, source: str) -> DataError:
    return DataError(
        f"{source}: column {column.name!r} (data.categorical) must hold names but row {row + 1} is "
        f"{column.iloc[row]!s}; write text, whole numbers or booleans, or remove it"
    )

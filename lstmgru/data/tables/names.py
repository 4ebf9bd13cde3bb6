"""Columns of names: categories become codes, in an order that nothing in the future can change."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from lstmgru.errors import DataError

_NEVER = np.iinfo(np.int64).max


@dataclass(frozen=True)
class Names:
    """A column whose cells are names.

    Attributes:
        places: (rows,) place in ``distinct``; -1 where the cell is empty.
        distinct: Every name once, in no order that means something.
    """

    places: npt.NDArray[np.int64]
    distinct: tuple[str, ...]

    def by_first_appearance(self, times: npt.NDArray[Any], series: npt.NDArray[np.int64]) -> tuple[str, ...]:
        """The names in the order of their first appearance in time, so that later rows cannot renumber earlier ones.

        Args:
            times: (rows,) times.
            series: (rows,) number of the row's series; of names that appear at the same time, the first one's is first.
        """
        named = np.flatnonzero(self.places >= 0)
        places, clock, series = self.places[named], times[named].astype(np.int64), series[named]
        first, owner = np.full((2, len(self.distinct)), _NEVER)
        np.minimum.at(first, places, clock)
        at_first = clock == first[places]
        np.minimum.at(owner, places[at_first], series[at_first])
        return tuple(self.distinct[place] for place in np.lexsort((owner, first)) if owner[place] < _NEVER)

    def codes(self, known: Sequence[str]) -> npt.NDArray[np.float64]:
        """(rows,) codes: the place in ``known`` from 1, 0 for a name that is not there, NaN for an empty cell."""
        code = {name: number for number, name in enumerate(known, start=1)}
        of_place = np.array([*(code.get(name, 0) for name in self.distinct), np.nan])
        return of_place[self.places]  # an empty cell has the place -1: the last


def read_names(column: pd.Series, source: str) -> Names:
    """The names in a column; blanks around them do not count.

    Args:
        column: Text, whole numbers, booleans or categories of them. A decimal number is taken as its text, a whole one
            without its point: a cell that is missing makes a column of whole numbers decimal.
        source: File or data set, for messages.

    Raises:
        DataError: A cell holds anything else; rows count from 1.
    """
    if isinstance(column.dtype, pd.CategoricalDtype):
        places, values = column.cat.codes.to_numpy(np.int64), column.cat.categories
    else:
        if column.dtype == object:
            column = column.infer_objects()
        if column.dtype == object:  # of several types, among which pandas takes 1 and True for the same
            column = _texts(column, source)
        places, values = pd.factorize(column)
    place = {"": -1}
    for index, value in enumerate(values.to_numpy()):
        text = _name(value)
        if text is None:
            raise _no_name(column, int(np.argmax(places == index)), source)
        place.setdefault(text, len(place) - 1)
    of_value = np.array([*(place[str(_name(value))] for value in values.to_numpy()), -1], np.int64)
    return Names(of_value[places], tuple(place)[1:])


def _name(value: object) -> str | None:
    """A value as a name; ``None``: it is none."""
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
        f"{column.iloc[row]!s}; write text, whole numbers or booleans, or leave it out"
    )

"""Columns of classes, numeric labels, and texts."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd
from pandas.api import types

from lstmgru.data.sequences.sequences import Indices
from lstmgru.data.tables.columns import MISSING, read_numbers, refuse_empty
from lstmgru.data.tables.precision import check_deviation
from lstmgru.errors import DataError, RowsError, counted, did_you_mean, shorten

Classes = tuple[str | int, ...]
Objects = npt.NDArray[np.object_]

_WRITE_LABEL = "write the label, or remove the row"


def read_classes(column: pd.Series, source: str, known: Classes | None = None) -> tuple[Indices, Classes]:
    """(rows,) codes of the classes from 0, and the classes, ascending.

    Whole numbers stay numbers, even if written as ``1.0``, but become text if the column also contains text. Text is
    stripped. Booleans become the texts ``False`` and ``True``.

    Args:
        column: The labels.
        source: File or data set, for messages.
        known: Valid classes; ``None`` to take them from the labels.

    Raises:
        DataError: A label is missing, a decimal number, not a name, or not a known class.
    """
    at = f"{source}: column {column.name!r} (data.target)"
    places, names = _names(_plain(column), at)
    refuse_empty(places < 0, at, _WRITE_LABEL)
    as_text = isinstance((known or names)[0], str) or len({type(name) for name in names}) > 1
    labels = [str(name) if as_text else name for name in names]
    classes = known or tuple(sorted(set(labels)))
    code = {str(name): number for number, name in enumerate(classes)}
    codes = np.array([code.get(str(label), -1) for label in labels], np.int64)[places]
    if (codes < 0).any():
        row = int(np.argmax(codes < 0))
        raise _unknown_class(labels[places[row]], row, classes, at)
    return codes, classes


def _plain(column: pd.Series) -> pd.Series:
    """The column without categorical dtype, and with numbers in objects as numbers."""
    if isinstance(column.dtype, pd.CategoricalDtype):
        column = column.astype(column.cat.categories.dtype)
    return column.infer_objects() if column.dtype == object else column


def _names(column: pd.Series, at: str) -> tuple[Indices, list[str | int]]:
    """(rows,) index of each cell in the distinct names, -1 for an empty cell; and these names."""
    if column.dtype == object:  # of mixed types; pandas would treat 1 and True as equal
        places, values = np.arange(len(column)), column.where(column.notna(), "").tolist()
    else:
        places, distinct = pd.factorize(column)
        values = distinct.tolist()
    place: dict[tuple[type, str | int], int] = {}
    of_value = np.full(len(values) + 1, -1, np.int64)  # the last one is for empty cells
    for index, value in enumerate(values):
        name = _name(value)
        if name is None:
            way_out = "use task: regression" if isinstance(value, float) else "write text, whole numbers or booleans"
            row = int(np.argmax(places == index)) + 1
            raise DataError(f"{at} must hold the names of classes but row {row} is {value}; {way_out}")
        of_value[index] = -1 if name == "" else place.setdefault((type(name), name), len(place))
    return of_value[places], [name for _, name in place]


def _name(value: object) -> str | int | None:
    """A value as the name of a class; ``None`` if it cannot be one."""
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, bool | np.bool_):
        return str(value)
    if isinstance(value, int | np.integer) or (isinstance(value, float) and value.is_integer()):
        return int(value)
    return None


def _unknown_class(label: str | int, row: int, classes: Classes, at: str) -> DataError:
    near = did_you_mean(str(label), [str(name) for name in classes])
    return DataError(
        f"{at} is {label!r} in row {row + 1}, which is not a class of the training part{near} (classes: "
        f"{shorten(classes)}); add sequences of it there, or remove the row"
    )


def check_classes(labels: Indices, classes: Classes, column: str, source: str) -> None:
    """Refuse labels that cannot be learned.

    Args:
        labels: (n,) codes of the classes of sequences.
        classes: (C,) names of the classes.
        column: Column of the labels, for messages.
        source: File or data set, for messages.

    Raises:
        DataError: There is a single class, there are too many classes, or a class has a single sequence.
    """
    at = f"{source}: column {column!r} (data.target)"
    if len(classes) == 1:
        raise DataError(f"{at} is {classes[0]!r} throughout: there is nothing to tell apart; add other classes")
    counts = np.bincount(labels, minlength=len(classes))
    if len(classes) > 2 and 2 * len(classes) > len(labels):
        numbers = "; for numbers use task: regression" if isinstance(classes[0], int) else "; name another column"
        raise DataError(
            f"{at} holds {len(classes)} different labels for {counted(len(labels), 'sequence')}, such as "
            f"{shorten([repr(name) for name in classes], 3)}: too many to learn{numbers}"
        )
    if (counts < 2).any():
        name = classes[int(np.argmax(counts < 2))]
        raise DataError(
            f"{at}: the class {name!r} has a single sequence, which cannot be learned from and scored; add others, "
            "merge it with another class, or remove it"
        )


def read_targets(column: pd.Series, source: str) -> npt.NDArray[np.float32]:
    """(rows,) numeric labels.

    Raises:
        DataError: A label is missing or not a number, or single precision would round the differences away.
    """
    at = f"{source}: column {column.name!r} (data.target)"
    plain = _plain(column)
    if not types.is_numeric_dtype(plain.dtype) and _holds_no_number(plain):
        raise DataError(f"{at} must hold numbers but row 1 is {str(plain.iloc[0])!r}; use task: classification")
    values = read_numbers(column, source)
    refuse_empty(np.isnan(values), at, _WRITE_LABEL)
    check_deviation(values, at)
    return values.astype(np.float32)


def _holds_no_number(column: pd.Series) -> bool:
    texts = column.dropna().astype(str)
    numbers = pd.to_numeric(texts[~texts.isin(MISSING)], errors="coerce")
    return len(numbers) > 0 and bool(numbers.isna().all())


def check_targets(labels: npt.NDArray[np.float32], column: str, source: str) -> None:
    """Refuse constant labels.

    Raises:
        DataError: All labels are the same.
    """
    if (labels == labels[0]).all():
        raise DataError(
            f"{source}: column {column!r} (data.target) is {labels[0]:g} throughout: there is nothing to learn; name "
            "another column"
        )


def read_texts(column: pd.Series, source: str) -> Objects:
    """(rows,) texts, which may be empty but not missing.

    Raises:
        DataError: A text is missing, not a text, or contains a lone surrogate.
    """
    at = f"{source}: column {column.name!r} (data.text)"
    refuse_empty(column.isna().to_numpy(), at, "write a text, or remove the row")
    texts = np.empty(len(column), object)
    texts[:] = column.tolist()
    other = np.array([not isinstance(text, str) for text in texts], bool)
    if other.any():
        raise RowsError(
            other,
            lambda row, number, _: f"{at} must hold texts but row {number} is {texts[row]!r}; write text",
        )
    halves = np.array([not _can_be_encoded(text) for text in texts], bool)
    if halves.any():
        raise RowsError(
            halves,
            lambda _, number, more: (
                f"{at} holds half of a character (a lone surrogate) in row {number}{more}; correct the text"
            ),
        )
    return texts


def _can_be_encoded(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True

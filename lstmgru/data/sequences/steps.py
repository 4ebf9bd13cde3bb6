"""Sequences of numbers from a table: rows or cells become steps, and missing ones are filled or refused."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from pandas.api import types

from lstmgru.data.forecasting.series import GapPolicy
from lstmgru.data.sequences.sequences import Indices, SequenceSchema
from lstmgru.data.tables.columns import differ_in_blanks, group_of, read_ids, read_numbers, refuse_empty
from lstmgru.data.tables.timestamps import read_times
from lstmgru.errors import DataError, RowsError, counted, show_time

_Float = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Steps:
    """Concatenated sequences; missing values are NaN.

    Attributes:
        ids: (n,) names of the sequences, ordered by first row.
        offsets: (n + 1,) sequence ``i`` has the rows ``offsets[i]:offsets[i + 1]``, at least one.
        values: (rows, F) numbers, NaN if missing.
        table_rows: (rows,) table row of each step, from 0.
        clock: (rows,) time of each step, ascending within a sequence.
    """

    ids: npt.NDArray[np.object_]
    offsets: Indices
    values: _Float
    table_rows: Indices
    clock: npt.NDArray[Any]

    @property
    def lengths(self) -> Indices:
        """(n,) steps of each sequence."""
        return np.diff(self.offsets)

    def sequence_of(self, row: int) -> int:
        """The sequence that a step belongs to."""
        return int(group_of(self.offsets, row))

    def named(self, sequence: int) -> str:
        """A sequence in messages."""
        return f"sequence {self.ids[sequence]!r}"


def read_long(frame: pd.DataFrame, schema: SequenceSchema, source: str, *, of_study: bool = True) -> Steps:
    """Read a table with a row for each step, in any order; for ``of_study`` see :func:`read_row_ids`.

    Raises:
        DataError: An id or a time is missing or invalid, a cell is not a number, or a sequence has two rows for one
            time.
    """
    assert schema.id is not None
    codes, ids = read_ids(frame[schema.id], source, noun="sequence", sort=False, decimals=not of_study)
    clock = np.arange(len(frame)) if schema.time is None else _clock(frame[schema.time], source)
    values = np.column_stack([read_numbers(frame[column], source) for column in schema.channels])
    rows = np.arange(len(frame))
    same = codes[1:] == codes[:-1]
    if not ((codes[1:] > codes[:-1]) | (same & (clock[1:] >= clock[:-1]))).all():
        rows = np.lexsort((clock, codes))
        codes, clock, values = codes[rows], clock[rows], values[rows]
    offsets = np.concatenate([[0], np.cumsum(np.bincount(codes, minlength=len(ids)))]).astype(np.int64)
    steps = Steps(ids, offsets, values, rows, clock)
    _check_duplicates(steps, codes, frame[schema.id], schema, source)
    return steps


def _clock(column: pd.Series, source: str) -> npt.NDArray[Any]:
    """(rows,) dates, text in ISO 8601, or any numbers, also as text; they only order the steps."""
    if column.dtype == object or types.is_string_dtype(column.dtype):
        numbers = pd.to_numeric(column, errors="coerce")
        column = column if numbers.isna().any() else numbers
    if not types.is_numeric_dtype(column.dtype) or types.is_bool_dtype(column.dtype):
        return read_times(column, source)[0]
    at = f"{source}: column {column.name!r} (data.time)"
    refuse_empty(column.isna().to_numpy(), at, "every row must have a time")
    kind = np.int64 if types.is_integer_dtype(column.dtype) else np.float64
    return column.to_numpy(kind)


def _check_duplicates(steps: Steps, codes: Indices, names: pd.Series, schema: SequenceSchema, source: str) -> None:
    repeated = (codes[1:] == codes[:-1]) & (steps.clock[1:] == steps.clock[:-1])
    if repeated.any():
        of_row = np.argsort(steps.table_rows)

        def message(row: int, *_: object) -> str:
            step = int(of_row[row])
            time, end = steps.clock[step], steps.offsets[steps.sequence_of(step) + 1]
            many = counted(int(repeated[step - 1 : end - 1].sum()), "row")
            same = differ_in_blanks(names, str(steps.ids[steps.sequence_of(step)]))
            shown = f"{time:g}" if steps.clock.dtype.kind == "f" else show_time(time)
            return (
                f"{source}: column {schema.time!r} (data.time) repeats a time within a sequence "
                f"({many} too many), first {shown} of "
                f"{steps.named(steps.sequence_of(step))}{same}; remove or aggregate them"
            )

        raise RowsError(np.append(False, repeated)[of_row], message)


def read_wide(frame: pd.DataFrame, schema: SequenceSchema, source: str, *, of_study: bool = True) -> Steps:
    """Read a table with a row for each sequence; empty cells at the end of a row are not part of the sequence.

    Raises:
        DataError: A cell is not a number, or a row has no numbers.
    """
    cells = np.column_stack([read_numbers(frame[column], source) for column in schema.channels])
    known = ~np.isnan(cells)
    empty: npt.NDArray[np.bool_] = ~np.any(known, axis=1)
    if empty.any():
        raise RowsError(empty, lambda _, number, more: f"{source}: row {number} has no numbers{more}; remove it")
    lengths = cells.shape[1] - np.argmax(known[:, ::-1], axis=1)
    inside = np.arange(cells.shape[1]) < lengths[:, None]
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    rows, steps = np.nonzero(inside)
    ids = read_row_ids(frame, schema, source, of_study=of_study)
    return Steps(ids, offsets, cells[inside][:, None], rows, steps)


def read_row_ids(
    frame: pd.DataFrame, schema: SequenceSchema, source: str, *, of_study: bool = True
) -> npt.NDArray[np.object_]:
    """(n,) names of the sequences of a table with a row for each; without an id column, numbers from 1.

    Args:
        frame: The table.
        schema: The roles of the columns.
        source: File or data set, for messages.
        of_study: Whether messages advise to set keys of a study, and names may not all be decimal numbers.

    Raises:
        DataError: A name is missing, a decimal number, or duplicated.
    """
    if schema.id is None:
        return np.arange(1, len(frame) + 1).astype(object)
    codes, names = read_ids(frame[schema.id], source, noun="sequence", sort=False, decimals=not of_study)
    if len(names) < len(codes):
        again = np.ones(len(codes), bool)
        again[np.unique(codes, return_index=True)[1]] = False
        or_set = ", or set data.layout: long if a row is a step" if of_study else ""
        raise RowsError(
            again,
            lambda row, number, _: (
                f"{source}: column {schema.id!r} (data.id) names {names[codes[row]]!r} again in row {number}, but each "
                f"row is a sequence of its own; remove one of them{or_set}"
            ),
        )
    return names


def fill_gaps(steps: Steps, schema: SequenceSchema, gaps: GapPolicy, source: str, *, of_study: bool = True) -> _Float:
    """(rows, F) numbers, with missing ones filled within their sequence.

    Args:
        steps: The sequences.
        schema: The roles of the columns, for messages.
        gaps: ``fill`` carries the last value forward; ``interpolate`` interpolates linearly in time; ``error`` refuses
            missing numbers. The start of a sequence is never filled, its end only by ``fill``.
        source: File or data set, for messages.
        of_study: Whether a column without numbers is refused as such, and not for each sequence, and messages advise to
            set ``data.gaps``.

    Raises:
        DataError: A missing number cannot be filled.
    """
    if not np.isnan(steps.values).any():
        return steps.values
    values = steps.values.copy()
    if gaps != "error":
        start, end = (np.repeat(part, steps.lengths) for part in (steps.offsets[:-1], steps.offsets[1:]))
        for channel in values.T:
            _fill(channel, steps.clock, start, end, gaps)
    missing = np.isnan(values)
    empty = missing.all(axis=0)
    if of_study and empty.any():
        name = schema.channels[int(np.argmax(empty))]
        raise DataError(f"{source}: column {name!r} has no values; remove it")
    if missing.any():
        raise _missing_cells(missing, steps, schema, gaps, source, of_study)
    return values


def _fill(channel: _Float, clock: npt.NDArray[Any], start: Indices, end: Indices, gaps: GapPolicy) -> None:
    """Fill a channel in place; (rows,) ``start`` and ``end`` are the bounds of each row's sequence."""
    missing, rows = np.isnan(channel), np.arange(len(channel))
    before = np.maximum.accumulate(np.where(missing, -1, rows))
    after = np.minimum.accumulate(np.where(missing, len(channel), rows)[::-1])[::-1]
    filled = np.flatnonzero(missing & (before >= start) & ((after < end) | (gaps == "fill")))
    left, right = before[filled], after[filled]
    known = channel[left]
    if gaps == "interpolate":
        share = (clock[filled] - clock[left]) / (clock[right] - clock[left])
        known = known + share * (channel[right] - known)
    channel[filled] = known


def _missing_cells(
    missing: npt.NDArray[np.bool_], steps: Steps, schema: SequenceSchema, gaps: GapPolicy, source: str, of_study: bool
) -> RowsError:
    steps_missing, channels = np.nonzero(missing)
    rows, first = np.unique(steps.table_rows[steps_missing], return_index=True)
    wide = schema.layout == "wide"

    def message(row: int, number: int, more: str) -> str:
        place = first[np.searchsorted(rows, row)]
        step, channel = int(steps_missing[place]), int(channels[place])
        sequence = steps.sequence_of(step)
        start = int(steps.offsets[sequence])
        column = schema.channels[step - start if wide else channel]
        at = f"{source}: column {column!r} is empty in row {number} ({steps.named(sequence)}){more}"
        if missing[start : step + 1, channel].all():
            remove = "remove the sequence" if wide else "remove its first rows"
            return f"{at}: a sequence cannot start with one, as nothing before it is known; {remove}"
        if gaps == "interpolate":
            way_out = "set data.gaps: fill" if of_study else "complete the table"
            return f"{at}: there is no number after it to interpolate to; {way_out}"
        return f"{at}; {'set data.gaps to fill or interpolate, or ' if of_study else ''}complete the table"

    return RowsError(np.isin(np.arange(int(steps.table_rows.max()) + 1), rows), message)

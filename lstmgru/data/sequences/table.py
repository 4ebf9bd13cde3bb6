"""Build labeled sequences or texts from a table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, TypedDict, get_args

import numpy as np
import numpy.typing as npt
import pandas as pd

from lstmgru.data.forecasting.series import GapPolicy, check_policy
from lstmgru.data.sequences.columns import Classes, check_classes, check_targets, read_classes, read_targets, read_texts
from lstmgru.data.sequences.sequences import Indices, LabeledSequences, Layout, SequenceSchema
from lstmgru.data.sequences.steps import fill_gaps, read_long, read_row_ids, read_wide
from lstmgru.data.tables.columns import check_columns, group_of, read_ids, read_numbers
from lstmgru.data.tables.precision import check_deviation
from lstmgru.errors import DataError, one_of
from lstmgru.specs.sequences import SEQUENCE_TASKS, SequenceTask


class Roles(TypedDict, total=False):
    """The roles of the columns of a table, see :class:`~lstmgru.data.sequences.sequences.SequenceSchema`."""

    layout: Layout
    target: str
    channels: tuple[str, ...]
    id: str | None
    time: str | None
    text: str | None
    group: str | None


def build_sequences(
    frame: pd.DataFrame,
    *,
    layout: Layout,
    target: str | None,
    channels: Sequence[str] = (),
    id: str | None = None,
    time: str | None = None,
    text: str | None = None,
    group: str | None = None,
    task: SequenceTask,
    gaps: GapPolicy = "error",
    source: str,
    classes: Classes | None = None,
    of_study: bool = True,
) -> LabeledSequences:
    """Build labeled sequences or texts from a table, ordered by first row.

    Args:
        frame: The table; it is not changed.
        layout: What a row is: ``long``, a step of a sequence; ``wide``, a sequence; ``text``, a text.
        target: Column of the labels. In a ``long`` table, all rows of a sequence have the same label.
        channels: Columns of numbers: the channels of a ``long`` table, or the steps of a ``wide`` one, in order. By
            default, all columns without another role.
        id: Column of the names of the sequences, required for ``long`` tables.
        time: Column that orders the steps of a sequence in a ``long`` table: numbers, dates, or text in ISO 8601.
            ``None`` if they are in order.
        text: Column of the texts, which may be empty.
        group: Column that identifies related sequences.
        task: The task of the labels.
        gaps: How missing numbers are handled: ``error`` refuses them, ``fill`` carries the last value of the sequence
            forward, ``interpolate`` interpolates linearly in time. Empty cells at the end of a row of a ``wide`` table
            are not missing but end the sequence.
        source: File or data set, for messages.
        classes: Valid classes, as for a test part; ``None`` to take them from the labels.
        of_study: Whether messages advise to set keys of a study.

    Raises:
        DataError: The table is invalid; the message names the rule, the place and a remedy.
    """
    one_of("task", task, SEQUENCE_TASKS, DataError)
    check_policy(gaps)
    if target is None:
        raise no_target(source)
    schema = SequenceSchema(layout, target, tuple(channels), id, time, text, group)
    _check_parts(schema, source)
    _check_named(frame, schema, source)
    if layout != "text" and not channels:
        schema = replace(schema, channels=_other_columns(frame, schema, source))
    inputs = _read_inputs(frame, schema, gaps, source, of_study=of_study)
    if task == "regression":
        labels: npt.NDArray[Any] = inputs.of_sequences(read_targets(frame[target], source), target, "data.target")
        if classes is None:
            check_targets(labels, target, source)
        return inputs.sequences(schema, labels, (), frame)
    codes, found = read_classes(frame[target], source, classes)
    labels = inputs.of_sequences(codes, target, "data.target", found)
    if classes is None:
        check_classes(labels, found, target, source)
    return inputs.sequences(schema, labels, found, frame)


def no_target(source: str) -> DataError:
    """The error for a missing column of labels."""
    return DataError(
        f"{source}: data.target must name the column of the labels; for a file without a header whose first column "
        "they are set data.layout: archive"
    )


def read_sequences(
    frame: pd.DataFrame, schema: SequenceSchema, *, gaps: GapPolicy = "error", source: str
) -> LabeledSequences:
    """Build sequences or texts for prediction, without labels and groups.

    Args:
        frame: The table; it is not changed. Columns that are not among ``schema.inputs`` are ignored.
        schema: Schema of the training sequences.
        gaps: How missing numbers are handled, as in :func:`build_sequences`.
        source: File or data set, for messages.

    Raises:
        DataError: A column is missing or has an invalid value.
    """
    check_policy(gaps)
    _check_named(frame, replace(schema, group=None), source, labeled=False)
    inputs = _read_inputs(frame, schema, gaps, source, of_study=False, labeled=False)
    return inputs.sequences(schema, np.empty(0, np.int64), (), None)


@dataclass(frozen=True)
class _Inputs:
    """A table without labels and groups.

    Attributes:
        source: File or data set, for messages.
        ids, offsets, values, texts: As of :class:`LabeledSequences`.
        table_rows: (rows,) row of the table of each step, or of each text, from 0.
        starts: (n + 1,) where a sequence starts in ``table_rows``.
        integer_times: As of :class:`LabeledSequences`.
    """

    source: str
    ids: npt.NDArray[np.object_]
    offsets: Indices
    values: npt.NDArray[np.float32]
    texts: npt.NDArray[np.object_]
    table_rows: Indices
    starts: Indices
    integer_times: bool = False

    def of_sequences(
        self, cells: npt.NDArray[Any], column: str, key: str, names: Sequence[object] | None = None
    ) -> npt.NDArray[Any]:
        """Values of table rows, constant within a sequence → (n,) values of sequences.

        Raises:
            DataError: A value changes within a sequence.
        """
        ordered = cells[self.table_rows]
        firsts = ordered[self.starts[:-1]]
        changed = ordered != np.repeat(firsts, np.diff(self.starts))
        if changed.any():
            step = int(np.argmax(changed))
            sequence = int(group_of(self.starts, step))
            old, new = (
                f"{value:g}" if names is None else repr(names[value]) for value in (firsts[sequence], ordered[step])
            )
            raise DataError(
                f"{self.source}: column {column!r} ({key}) changes within sequence {self.ids[sequence]!r}, from {old} "
                f"to {new} in row {self.table_rows[step] + 1}; write one for all rows of a sequence, or name another "
                "column in data.id"
            )
        return firsts

    def sequences(
        self, schema: SequenceSchema, labels: npt.NDArray[Any], classes: Classes, frame: pd.DataFrame | None
    ) -> LabeledSequences:
        """The sequences with their labels and, if there are any, their groups from the table."""
        groups: Indices | None = None
        names: tuple[str, ...] = ()
        if frame is not None and schema.group is not None:
            codes, found = read_ids(frame[schema.group], self.source, noun="group", key="data.group", sort=False)
            names = tuple(str(name) for name in found)
            groups = self.of_sequences(codes, schema.group, "data.group", names)
        return LabeledSequences(
            schema=schema,
            ids=self.ids,
            offsets=self.offsets,
            values=self.values,
            texts=self.texts,
            labels=labels,
            classes=classes,
            groups=groups,
            group_names=names,
            integer_times=self.integer_times,
        )


def _read_inputs(
    frame: pd.DataFrame, schema: SequenceSchema, gaps: GapPolicy, source: str, *, of_study: bool, labeled: bool = True
) -> _Inputs:
    rows = np.arange(len(frame) + 1)
    if schema.layout == "text":
        assert schema.text is not None
        texts = read_texts(frame[schema.text], source)
        nothing = np.empty((0, 0), np.float32)
        ids = read_row_ids(frame, schema, source, of_study=of_study)
        return _Inputs(source, ids, np.zeros(len(rows), np.int64), nothing, texts, rows[:-1], rows)
    steps = (read_long if schema.layout == "long" else read_wide)(frame, schema, source, of_study=of_study)
    numbers = fill_gaps(steps, schema, gaps, source, of_study=of_study)
    if labeled:
        _check_precision(numbers, schema, source)
    values = numbers.astype(np.float32)
    whole = schema.time is not None and steps.clock.dtype.kind != "M" and bool((steps.clock % 1 == 0).all())
    return _Inputs(
        source, steps.ids, steps.offsets, values, np.empty(0, object), steps.table_rows, steps.offsets, whole
    )


def _check_precision(numbers: npt.NDArray[np.float64], schema: SequenceSchema, source: str) -> None:
    """Refuse channels whose differences single precision would round away."""
    for channel, values in enumerate(numbers.T):
        column = f"column {schema.channels[channel]!r}" if schema.layout == "long" else "the sequences' numbers"
        check_deviation(values, f"{source}: {column}")


def _check_parts(schema: SequenceSchema, source: str) -> None:
    """Refuse roles that do not apply to the layout, and missing ones that it needs."""
    layout = schema.layout
    one_of("data.layout", layout, get_args(Layout), DataError)
    needed = {"long": ("id", schema.id, "the sequences"), "text": ("text", schema.text, "the texts")}
    if layout in needed and needed[layout][1] is None:
        key, _, what = needed[layout]
        raise DataError(f"{source}: data.layout: {layout} needs data.{key}, the column of {what}; set it")
    useless = [("time", schema.time is not None and layout != "long"), ("text", bool(schema.text) and layout != "text")]
    useless.append(("channels", bool(schema.channels) and layout == "text"))
    for key, stands in useless:
        if stands:
            raise DataError(f"{source}: data.{key} has no meaning with data.layout: {layout}; set only one of them")


def _check_named(frame: pd.DataFrame, schema: SequenceSchema, source: str, *, labeled: bool = True) -> None:
    parts = [("target", schema.target)] if labeled else []
    parts += [(key, getattr(schema, key)) for key in ("id", "time", "text", "group")]
    parts += [("channels", column) for column in schema.channels]
    check_columns(frame, [(f"data.{key}", column) for key, column in parts if column is not None], source)


def _other_columns(frame: pd.DataFrame, schema: SequenceSchema, source: str) -> tuple[str, ...]:
    """The columns without another role, in the order of the table.

    Raises:
        DataError: There are none, or one does not hold numbers.
    """
    taken = (schema.target, schema.id, schema.time, schema.group)
    columns = [column for column in frame.columns if column not in taken]
    if not columns:
        raise DataError(f"{source}: no column is left for the numbers of the sequences; name them in data.channels")
    check_columns(frame, [("data.channels", column) for column in columns], source)
    for column in columns:
        if not isinstance(column, str):
            raise DataError(f"{source}: the name of column {column!r} is not text; rename it, or set data.channels")
        try:
            read_numbers(frame[column], source)
        except DataError as error:
            raise DataError(
                f"{error}; without data.channels every column that plays no other part must hold numbers: name those "
                "in data.channels, or a column of texts in data.text"
            ) from error
    return tuple(columns)

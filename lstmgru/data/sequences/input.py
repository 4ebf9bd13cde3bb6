"""The labeled sequences of a study: its table or data set, and which of them are the given test part."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal, NamedTuple, get_args

import numpy as np
import numpy.typing as npt

from lstmgru.data.forecasting.series import GapPolicy
from lstmgru.data.sequences.datasets import load_labeled
from lstmgru.data.sequences.sequences import LabeledSequences, Layout
from lstmgru.data.sequences.table import Roles, build_sequences, no_target
from lstmgru.data.tables.archives import LabeledTable, is_archive, read_archives
from lstmgru.data.tables.readers import read_table
from lstmgru.errors import DataError, did_you_mean
from lstmgru.specs.sequences import SequenceTask

FileLayout = Layout | Literal["archive"]
"""What a row of a file is; ``archive``: a sequence, in a file without a header, the label first."""

_FILE_LAYOUTS = (*get_args(Layout), "archive")


class LabeledData(NamedTuple):
    """The data of a study.

    Attributes:
        sequences: Those of the given test part, if there is one, are the last.
        test: (n,) whether a sequence is of that part; ``None``: there is none.
        source: File or data set, for messages.
    """

    sequences: LabeledSequences
    test: npt.NDArray[np.bool_] | None
    source: str


def load_labeled_data(
    *,
    task: SequenceTask,
    path: Path | None = None,
    test: Path | None = None,
    dataset: str | None = None,
    layout: FileLayout | None = None,
    target: str | None = None,
    channels: Sequence[str] = (),
    id: str | None = None,
    time: str | None = None,
    text: str | None = None,
    group: str | None = None,
    gaps: GapPolicy = "error",
    delimiter: str = ",",
    decimal: str = ".",
) -> LabeledData:
    """Read a table or a data set, and make it labeled sequences.

    A file of an archive (``.ts``, or with the layout ``archive``) and a data set say themselves which part their
    columns play; only some of their channels can be chosen.

    Args:
        task: What a label is.
        path: Table to read; ``None``: ``dataset`` is.
        test: Table like it that is the test part.
        dataset: Data set to read; it may come with a test part.
        layout: What a row is. ``None``: ``text`` where ``text`` is named, ``long`` where ``time`` is, else ``wide``.
        target: Column of the labels.
        channels: Columns of numbers; without any, all that play no other part.
        id: Column that names the sequences.
        time: Column that orders the steps of a sequence.
        text: Column of the texts.
        group: Column that tells which sequences belong together.
        gaps: What becomes of missing numbers, as in :func:`~lstmgru.data.sequences.table.build_sequences`.
        delimiter: Between the fields of a text file.
        decimal: Its decimal point.

    Raises:
        DataError: A file cannot be read, or a table breaks a rule; one line that says which, and the way out.
    """
    if layout is not None and layout not in _FILE_LAYOUTS:
        near = did_you_mean(layout, list(_FILE_LAYOUTS))
        raise DataError(f"data.layout must be one of {', '.join(_FILE_LAYOUTS)} but got {layout!r}{near}")
    asked = Roles(id=id, time=time, text=text, group=group)
    if target is not None:
        asked["target"] = target
    if dataset is not None:
        source, table = dataset, _with_own_roles(load_labeled(dataset), asked, layout, channels, dataset)
    elif path is None:
        raise DataError("data.path or data.dataset must be set: a table to read, or a data set")
    elif is_archive(path) or layout == "archive":
        source = str(path)
        table = _with_own_roles(read_archives(path, test), asked, layout, channels, source)
    else:
        source = str(path)
        asked["layout"] = layout or ("text" if text is not None else "long" if time is not None else "wide")
        table = _read_tables(path, test, asked | {"channels": tuple(channels)}, delimiter, decimal)
    return _build(table, task, gaps, source, str(test or f"{source} (test part)"))


def _with_own_roles(
    table: LabeledTable, asked: Roles, layout: FileLayout | None, channels: Sequence[str], source: str
) -> LabeledTable:
    """The table of an archive or data set with the channels that are chosen.

    Raises:
        DataError: A column shall play another part than it does.
    """
    own = {**table.roles, "layout": "archive" if layout == "archive" else table.roles["layout"]}
    for key, value in {"layout": layout, **asked}.items():
        if value is not None and value != own.get(key):
            plays = f"data.{key} is {own[key]!r}" if own.get(key) is not None else f"there is no data.{key}"
            raise DataError(f"{source} says itself that {plays}, but the study sets {value!r}; leave data.{key} out")
    if not channels:
        return table
    return LabeledTable(table.train, table.test, table.roles | {"channels": tuple(channels)})


def _read_tables(path: Path, test: Path | None, roles: Roles, delimiter: str, decimal: str) -> LabeledTable:
    """The tables of two files that say nothing of their columns themselves."""
    if roles.get("target") is None:
        raise no_target(str(path))
    if test is not None and is_archive(test):
        raise DataError(f"{test} is a file of an archive but {path} is none; data.test must be like data.path")
    text = roles.get("text")
    as_text = [text] if text is not None else []
    train, *others = (
        read_table(file, delimiter=delimiter, decimal=decimal, text=as_text)
        for file in (path, test)
        if file is not None
    )
    return LabeledTable(train, others[0] if others else None, roles)


def _build(table: LabeledTable, task: SequenceTask, gaps: GapPolicy, source: str, test_source: str) -> LabeledData:
    sequences = build_sequences(table.train, **table.roles, task=task, gaps=gaps, source=source)
    if table.test is None:
        return LabeledData(sequences, None, source)
    roles = table.roles | {"channels": sequences.schema.channels}
    others = build_sequences(table.test, **roles, task=task, gaps=gaps, source=test_source, classes=sequences.classes)
    test = np.repeat([False, True], [len(sequences), len(others)])
    return LabeledData(sequences.followed_by(others), test, source)

"""Files of the time series classification archives, as tables.

``.ts`` files (Bagnall et al. 2018, https://doi.org/10.48550/arXiv.1811.00075) have a header of lines that start with
``@`` and a line for each sequence: its channels, separated by colons, and its label. The archive of univariate series
(Dau et al. 2019, https://doi.org/10.1109/JAS.2019.1911747) has files without a header, a label and numbers in each
line.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from lstmgru.data.sequences.table import Roles
from lstmgru.data.tables.readers import check_exists
from lstmgru.errors import DataError, counted, shorten

_Float = npt.NDArray[np.float64]
_LEADING_ZERO = re.compile(r"[+-]?0\d")


@dataclass(frozen=True)
class LabeledTable:
    """A table with labels.

    Attributes:
        train: The training part.
        test: The test part, if there is one; it has the same columns.
        roles: The roles of the columns.
    """

    train: pd.DataFrame
    test: pd.DataFrame | None
    roles: Roles


def read_archives(path: Path, test: Path | None) -> LabeledTable:
    """Read an archive file and its test part, with sequences numbered consecutively.

    Raises:
        DataError: As :func:`read_archive`, or the columns differ, or there are no labels.
    """
    train_frame, roles = read_archive(path)
    if "target" not in roles:
        raise DataError(f"{path} has no labels (@classLabel and @targetLabel are not true); name a file that has them")
    if test is None:
        return LabeledTable(train_frame, None, roles)
    test_frame, of_test = read_archive(test)
    if roles["layout"] == of_test["layout"] == "wide":
        roles = max(roles, of_test, key=lambda each: len(each["channels"]))
        columns = ["label", *roles["channels"]]
        return LabeledTable(train_frame.reindex(columns=columns), test_frame.reindex(columns=columns), roles)
    if roles != of_test:
        found, wanted = (shorten(list(frame.columns)) for frame in (test_frame, train_frame))
        raise DataError(f"{test} has other columns than {path}: {found}, not {wanted}")
    test_frame["sequence"] += train_frame["sequence"].max()
    return LabeledTable(train_frame, test_frame, roles)


def read_archive(path: Path) -> tuple[pd.DataFrame, Roles]:
    """Read the table of an archive file, and the roles of its columns.

    Args:
        path: A ``.ts`` file becomes a ``long`` table: ``sequence`` and ``step``, from 1, ``channel_1`` and so on
            (``value`` for a single channel), and ``label`` unless the header declares that there is none. Any other
            file has no header, and a label and numbers in each line, separated by tabs, commas or spaces; it becomes a
            ``wide`` table: ``label``, ``step_1`` and so on. Missing numbers (``NaN`` or ``?``) at the end of a sequence
            are removed.

    Raises:
        DataError: The file is missing, has another format, or is damaged; the message names the line.
    """
    check_exists(path)
    if is_archive(path):
        return _read_ts(path)
    return _read_rows(path)


def is_archive(path: Path) -> bool:
    """Whether a path is a ``.ts`` file."""
    return path.suffix.lower() == ".ts"


@dataclass(frozen=True)
class _Header:
    """The header of a ``.ts`` file.

    Attributes:
        labeled: Whether each line ends in a label.
        classes: The valid labels; empty for numbers.
        channels: F; ``None`` if not declared.
    """

    labeled: bool
    classes: tuple[str, ...]
    channels: int | None


def _read_ts(path: Path) -> tuple[pd.DataFrame, Roles]:
    lines = _lines(path)
    header = _header(lines, path)
    sequences, labels = [], []
    for where, line in lines:
        channels = line.split(":")
        if header.labeled:
            labels.append(_label(channels.pop().strip(), header, where))
        sequences.append(_sequence(channels, header, where))
        if sequences[-1].shape[1] != sequences[0].shape[1]:
            expected = f"{sequences[-1].shape[1]} channels but the first one has {sequences[0].shape[1]}"
            raise DataError(f"{where} has {expected}; separate them by colons")
    if not sequences:
        raise DataError(f"{path} has no sequences after @data; write the file again")
    lengths = [len(sequence) for sequence in sequences]
    n_channels = sequences[0].shape[1]
    names = ("value",) if n_channels == 1 else tuple(f"channel_{number + 1}" for number in range(n_channels))
    frame = pd.DataFrame(np.concatenate(sequences), columns=list(names))
    frame.insert(0, "step", np.concatenate([np.arange(1, length + 1) for length in lengths]))
    frame.insert(0, "sequence", np.repeat(np.arange(1, len(lengths) + 1), lengths))
    roles = Roles(layout="long", channels=names, id="sequence", time="step")
    if header.labeled:
        frame["label"] = np.repeat(_typed(labels), lengths)
        roles["target"] = "label"
    return frame, roles


def _read_rows(path: Path) -> tuple[pd.DataFrame, Roles]:
    labels, sequences = [], []
    for where, line in _lines(path):
        delimiter = next((mark for mark in "\t," if mark in line), None)
        label, *cells = line.split(delimiter)
        if not cells:
            raise DataError(f"{where} must be a label and numbers, separated by tabs, commas or blanks: {line[:40]!r}")
        labels.append(label.strip())
        sequences.append(_numbers(cells, f"{where}, in a file of data.layout: archive, which has no header,"))
    length = max(map(len, sequences))
    table = np.full((len(sequences), length), np.nan)
    for row, sequence in zip(table, sequences, strict=True):
        row[: len(sequence)] = sequence
    names = tuple(f"step_{number + 1}" for number in range(length))
    frame = pd.DataFrame(table, columns=list(names))
    frame.insert(0, "label", _typed(labels))
    return frame, Roles(layout="wide", target="label", channels=names)


def _lines(path: Path) -> Iterator[tuple[str, str]]:
    """The position of each line, for messages, and the line, without comments (in any encoding) and empty lines."""
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            stripped = line.removeprefix(b"\xef\xbb\xbf").strip()
            if not stripped or stripped.startswith((b"#", b"%")):
                continue
            try:
                yield f"{path}: line {number}", stripped.decode()
            except UnicodeDecodeError as error:
                raise DataError(f"{path}: line {number} is not UTF-8 text; convert the file") from error


def _header(lines: Iterator[tuple[str, str]], path: Path) -> _Header:
    """Read the lines up to ``@data``, ignoring case and unknown keys."""
    settings: dict[str, list[str]] = {}
    for where, line in lines:
        key, *values = line.split()
        if not key.startswith("@"):
            raise DataError(f"{where} must start with '@' as all lines before @data, but is {line[:40]!r}")
        if key.lower() == "@data":
            return _settings(settings, path)
        settings[key[1:].lower()] = values
    raise DataError(f"{path} is not a .ts file: it has no line @data; give another kind of table another suffix")


def _settings(settings: dict[str, list[str]], path: Path) -> _Header:
    if _says(settings, "timestamps"):
        raise DataError(
            f"{path}: sequences with @timeStamps are not supported; write them as a table with a row for each step"
        )
    dimensions = settings.get("dimensions") or settings.get("dimension") or [""]
    classes = tuple(settings.get("classlabel", ())[1:])
    labeled = _says(settings, "classlabel") or _says(settings, "targetlabel")
    univariate = _says(settings, "univariate")
    return _Header(labeled, classes, int(dimensions[0]) if dimensions[0].isdigit() else 1 if univariate else None)


def _says(settings: dict[str, list[str]], key: str) -> bool:
    return [value.lower() for value in settings.get(key, ())[:1]] == ["true"]


def _label(label: str, header: _Header, where: str) -> str:
    if header.classes and label not in header.classes:
        raise DataError(
            f"{where} ends in the label {label!r}, which @classLabel does not name ({shorten(header.classes)}); "
            "correct one of them"
        )
    return label


def _sequence(channels: list[str], header: _Header, where: str) -> _Float:
    """(steps, F), without trailing steps that are missing in all channels."""
    if header.channels is not None and len(channels) != header.channels:
        raise DataError(
            f"{where} has {counted(len(channels), 'channel')} but the header has {header.channels}; separate them by "
            "colons, and put the label last"
        )
    columns = [_numbers(channel.split(","), where) for channel in channels]
    lengths = {len(column) for column in columns}
    if len(lengths) > 1:
        raise DataError(f"{where} has channels of {min(lengths)} and of {max(lengths)} steps; they must have the same")
    values = np.column_stack(columns)
    known = np.flatnonzero(~np.all(np.isnan(values), axis=1))
    if len(known) == 0:
        raise DataError(f"{where} has no numbers; remove it")
    return values[: known[-1] + 1]


def _numbers(cells: list[str], where: str) -> _Float:
    try:
        return np.array(cells, np.float64)
    except ValueError:
        return np.array([_number(cell, where) for cell in cells])


def _number(cell: str, where: str) -> float:
    if cell.strip() in ("?", ""):
        return np.nan
    try:
        return float(cell)
    except ValueError as error:
        raise DataError(f"{where} must hold numbers but one is {cell.strip()[:40]!r}; correct it") from error


def _typed(labels: list[str]) -> npt.NDArray[Any]:
    """Labels as numbers, if all of them are numbers whose text is preserved."""
    texts = np.array(labels, dtype=object)
    if any(_LEADING_ZERO.match(label) for label in labels):
        return texts
    try:
        numbers = texts.astype(np.float64)
    except ValueError:
        return texts
    return numbers.astype(np.int64) if (numbers % 1 == 0).all() else numbers

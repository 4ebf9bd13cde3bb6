"""The labeled sequences or texts of a study: from its tables, or from a dataset that a package ships."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Literal, NamedTuple, get_args

import numpy as np
import numpy.typing as npt
import pandas as pd

from lstmgru.data.forecasting.series import GapPolicy
from lstmgru.data.sequences.sequences import LabeledSequences, Layout
from lstmgru.data.sequences.table import Roles, build_sequences, no_target
from lstmgru.data.tables.archives import LabeledTable, is_archive, read_archives
from lstmgru.data.tables.datasets import Dataset, find_dataset, locate
from lstmgru.data.tables.readers import read_table
from lstmgru.errors import DataError, one_of
from lstmgru.specs.sequences import SequenceTask

LANGUAGES = {
    "ar": "Arabic",
    "cs": "Czech",
    "da": "Danish",
    "de": "German",
    "en": "English",
    "es": "Spanish",
    "fa": "Persian",
    "fr": "French",
    "ja": "Japanese",
    "nl": "Dutch",
    "pt": "Portuguese",
    "ru": "Russian",
    "sk": "Slovak",
    "sv": "Swedish",
    "uk": "Ukrainian",
}
"""Four scripts, and in three of them pairs that are easily confused: Czech and Slovak, Danish and Swedish, Dutch and
German, Spanish and Portuguese; Russian and Ukrainian; Arabic and Persian. Japanese stands alone."""


def _read_vowels(path: Path) -> LabeledTable:
    return read_archives(path, path.with_name(path.name.replace("TRAIN", "TEST")))


def _read_languages(path: Path) -> LabeledTable:
    """Only the names that are unique to one language: shared names have no single correct label."""
    # The files are pickled objects of the package, so that only the package can read them; it is small.
    from babel import Locale

    rows = []
    for code, language in LANGUAGES.items():
        locale = Locale.parse(code)
        names = {**locale.languages, **locale.territories}
        # Austrian German is kept together with German: its name says it too.
        rows += [(names[key], language, key.partition("_")[0]) for key in sorted(names)]
    frame = pd.DataFrame(rows, columns=["text", "language", "code"])
    shared = frame.groupby("text")["language"].transform("nunique") > 1
    frame = frame[~shared].drop_duplicates("text").reset_index(drop=True)
    return LabeledTable(frame, None, Roles(layout="text", target="language", text="text", group="code"))


LABELLED_DATASETS: dict[str, Dataset[LabeledTable]] = {
    dataset.name: dataset
    for dataset in (
        Dataset(
            name="vowels",
            package="sktime",
            file="datasets/data/JapaneseVowels/JapaneseVowels_TRAIN.ts",
            license=(
                "Japanese Vowels (M. Kudo, J. Toyama, M. Shimbo, UCI Machine Learning Repository, 1999, "
                "doi:10.24432/C5NS47), CC BY 4.0; as in the UEA archive (Bagnall et al. 2018), distributed with sktime "
                "(BSD-3-Clause)"
            ),
            description=(
                "Which of nine men says two Japanese vowels: 270 utterances to learn from and 370 to test, of 7 to 29 "
                "steps with 12 coefficients each, in long format: sequence, step, channel_1 to channel_12 (no unit), "
                "label (1 to 9)"
            ),
            read=_read_vowels,
            extra="studies",
        ),
        Dataset(
            name="languages",
            package="babel",
            file="locale-data/ja.dat",
            license="Unicode CLDR, Unicode License v3, as distributed with Babel (BSD-3-Clause)",
            description=(
                "Names of places and languages in the 15 languages "
                f"{', '.join(sorted(LANGUAGES.values()))}, each a row: text, language, and code, what is named (ISO "
                "3166 or UN M.49 for a place, ISO 639 for a language). Names that several of the languages share are "
                "left out; of Portuguese it is that of Brazil"
            ),
            read=_read_languages,
            extra="studies",
        ),
    )
}


def load_labeled(name: str) -> LabeledTable:
    """A data set of labeled sequences or texts by name.

    Raises:
        DataError: The name is unknown, or the package is not installed, or in a version without the data.
    """
    dataset = find_dataset(name, LABELLED_DATASETS)
    return dataset.read(locate(dataset))


FileLayout = Layout | Literal["archive"]
"""The meaning of a row of a file; ``archive``: a sequence in a file without a header, the label first."""

_FILE_LAYOUTS = (*get_args(Layout), "archive")


class LabeledData(NamedTuple):
    """The data of a study.

    Attributes:
        sequences: All sequences; those of a given test part are the last.
        test: (n,) True for sequences of the test part; ``None`` without one.
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
    encoding: str = "utf-8",
    columns: Sequence[str] = (),
) -> LabeledData:
    """Read labeled sequences from a table or a data set.

    Archive files (``.ts``, or the layout ``archive``) and data sets define the roles of their columns; only channels
    can be selected.

    Args:
        task: The task of the labels.
        path: Table to read; ``None`` to read ``dataset``.
        test: Table with the same columns for the test part.
        dataset: Data set to read; it may have a test part.
        layout: The meaning of a row; ``None`` for ``text`` if ``text`` is given, ``long`` if ``time`` is, else
            ``wide``.
        target: Column of the labels.
        channels: Columns of numbers; by default, all columns without another role.
        id: Column of the names of the sequences.
        time: Column that orders the steps of a sequence.
        text: Column of the texts.
        group: Column that identifies related sequences.
        gaps: How missing numbers are handled, as in :func:`~lstmgru.data.sequences.table.build_sequences`.
        delimiter: Field delimiter of a text file.
        decimal: Decimal mark of a text file.
        encoding: Encoding of a text file.
        columns: Names of the columns of a text file without a header.

    Raises:
        DataError: A file cannot be read, or a table is invalid; the message names the rule and a remedy.
    """
    if layout is not None:
        one_of("data.layout", layout, _FILE_LAYOUTS, DataError)
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
        read = partial(read_table, delimiter=delimiter, decimal=decimal, encoding=encoding, columns=columns)
        asked["layout"] = layout or ("text" if text is not None else "long" if time is not None else "wide")
        table = _read_tables(path, test, asked | {"channels": tuple(channels)}, read)
    return _build(table, task, gaps, source, str(test or f"{source} (test part)"))


def _with_own_roles(
    table: LabeledTable, asked: Roles, layout: FileLayout | None, channels: Sequence[str], source: str
) -> LabeledTable:
    """The table of an archive or data set with the selected channels.

    Raises:
        DataError: A requested role contradicts those of the file.
    """
    own = {**table.roles, "layout": "archive" if layout == "archive" else table.roles["layout"]}
    for key, value in {"layout": layout, **asked}.items():
        if value is not None and value != own.get(key):
            plays = f"data.{key} is {own[key]!r}" if own.get(key) is not None else f"there is no data.{key}"
            raise DataError(f"{source} declares that {plays}, but the study sets {value!r}; remove data.{key}")
    if not channels:
        return table
    return LabeledTable(table.train, table.test, table.roles | {"channels": tuple(channels)})


def _read_tables(path: Path, test: Path | None, roles: Roles, read: Callable[..., pd.DataFrame]) -> LabeledTable:
    """The tables of files that do not define the roles of their columns."""
    if roles.get("target") is None:
        raise no_target(str(path))
    if test is not None and is_archive(test):
        raise DataError(f"{test} is a file of an archive but {path} is none; data.test must be like data.path")
    as_text = [column for column in (roles.get("text"), roles.get("id"), roles.get("group")) if column is not None]
    train, *others = (read(file, text=as_text) for file in (path, test) if file is not None)
    return LabeledTable(train, others[0] if others else None, roles)


def _build(table: LabeledTable, task: SequenceTask, gaps: GapPolicy, source: str, test_source: str) -> LabeledData:
    sequences = build_sequences(table.train, **table.roles, task=task, gaps=gaps, source=source)
    if table.test is None:
        return LabeledData(sequences, None, source)
    roles = table.roles | {"channels": sequences.schema.channels}
    others = build_sequences(table.test, **roles, task=task, gaps=gaps, source=test_source, classes=sequences.classes)
    test = np.repeat([False, True], [len(sequences), len(others)])
    return LabeledData(sequences.followed_by(others), test, source)

"""Read tables: text files, Parquet and Arrow."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from lstmgru.data.tables.delimited import DelimitedFile, open_delimited
from lstmgru.errors import DataError, did_you_mean

if TYPE_CHECKING:
    import pandas as pd

    from lstmgru.data.tables.chunks import ChunkedFile

_DELIMITED = (".csv", ".tsv", ".txt", ".csv.gz", ".tsv.gz", ".txt.gz")
_ARROW = (".parquet", ".feather", ".arrow")
_FORMATS = (
    (b"PAR1", "a Parquet file", (".parquet",)),
    (b"ARROW1", "an Arrow file", (".feather", ".arrow")),
    (b"\x1f\x8b", "a gzip file", (".gz", ".csv.gz")),
)
"""First bytes of a format, its name, and the ends of its files' names."""
_FIRST_BYTES = 4096


def read_table(
    path: Path,
    *,
    delimiter: str = ",",
    decimal: str = ".",
    encoding: str = "utf-8",
    columns: Sequence[str] = (),
    text: Collection[str] = (),
    categories: bool = False,
) -> pd.DataFrame:
    """Read a file in the format of its suffix.

    Integers become ``int64``, other numbers ``float64``. Text stays text, and so do digits that a number would not
    preserve, such as ``007`` or more than 15 digits. Dates in text files stay text.

    Args:
        path: ``.csv``, ``.tsv`` or ``.txt`` (also with ``.gz``), ``.parquet``, ``.feather`` or ``.arrow``.
        delimiter: Field delimiter of a text file; a comma means a tab in ``.tsv``.
        decimal: Decimal mark of a text file, ``.`` or ``,``.
        encoding: Encoding of a text file.
        columns: Names of the columns of a text file without a header; empty to read them from its first line.
        text: Columns of names: in a text file they always stay text, so that names such as ``1.0`` or ``NA`` are read
            the same way in every file, and whole numbers of other files become text.
        categories: Whether columns of names in a Parquet file become categories, so that a name takes a few bytes in
            each row, however long it is.

    Raises:
        DataError: The file is missing, of an unknown format, damaged, without rows, or its columns are ambiguous.
    """
    file = _text_file(path, delimiter, decimal, encoding, columns)
    if file is None:
        return _read_arrow(path, text, categories=categories)
    if find_spec("pyarrow") is None:
        from lstmgru.data.tables.plain_text import read_text
    else:
        from lstmgru.data.tables.arrow_text import read_text
    return read_text(file, text)


def _read_arrow(path: Path, text: Collection[str], *, categories: bool) -> pd.DataFrame:
    if find_spec("pyarrow") is None:
        raise DataError(f"{path}: pyarrow, which reads {path.suffix}, is not installed; install it, or write a .csv")
    from lstmgru.data.tables.chunks import read_arrow

    return read_arrow(path, text, categories=categories)


def open_chunks(
    path: Path,
    *,
    delimiter: str = ",",
    decimal: str = ".",
    encoding: str = "utf-8",
    columns: Sequence[str] = (),
    text: Collection[str] = (),
) -> ChunkedFile:
    """Open a file to read it in chunks, with the arguments of :func:`read_table`.

    Raises:
        DataError: As :func:`read_table`; rows are only checked when they are read.
    """
    from lstmgru.data.tables.chunks import ArrowChunks, DelimitedChunks

    file = _text_file(path, delimiter, decimal, encoding, columns)
    return ArrowChunks(path, text) if file is None else DelimitedChunks(file, text)


def _text_file(path: Path, delimiter: str, decimal: str, encoding: str, columns: Sequence[str]) -> DelimitedFile | None:
    """A text file whose header has been read; ``None`` for a file of Parquet or Arrow.

    Raises:
        DataError: As :func:`read_table`.
    """
    check_exists(path)
    delimited = _is_delimited(path, columns)
    _check_content(path, delimited)
    if not delimited:
        return None
    if delimiter == "," and ".tsv" in path.name.lower()[-7:]:
        delimiter = "\t"
    return open_delimited(path, delimiter=delimiter, decimal=decimal, encoding=encoding, columns=columns)


def _is_delimited(path: Path, columns: Sequence[str]) -> bool:
    """Whether a file is a text file and not one of Parquet or Arrow.

    Raises:
        DataError: The format is unknown, or names of columns are given for a file that has them.
    """
    if path.name.lower().endswith(_DELIMITED):
        return True
    if columns:
        raise DataError(f"{path}: data.columns is for text files without a header; remove it")
    if path.suffix.lower() not in _ARROW:
        valid = [*_DELIMITED, *_ARROW]
        raise DataError(
            f"{path}: a data file must end in one of {', '.join(valid)} but ends in {path.suffix!r}"
            f"{did_you_mean(path.suffix, valid)}"
        )
    return False


def _check_content(path: Path, delimited: bool) -> None:
    """Refuse a file whose first bytes are those of another format than its suffix names.

    Raises:
        DataError: The message says what the file is and what to name it.
    """
    ending = next(each for each in (*_DELIMITED, *_ARROW)[::-1] if path.name.lower().endswith(each))
    with path.open("rb") as file:
        start = file.read(_FIRST_BYTES)
    # A header may begin as a format does, such as PAR1,PAR2; but all of them have control characters.
    if not any(byte < 32 and byte not in b"\t\r\n\f" for byte in start):
        if b"\n" in start and not (delimited and not ending.endswith(".gz")):
            raise _misnamed(path, "text", ending, ending.removesuffix(".gz") if delimited else ".csv")
        return
    for magic, noun, endings in _FORMATS:
        if start.startswith(magic) and not ending.endswith(endings):
            right = f"{ending}.gz" if noun == "a gzip file" and delimited else endings[-1]
            raise _misnamed(path, noun, ending, right)


def _misnamed(path: Path, what: str, ending: str, right: str) -> DataError:
    return DataError(f"{path} is {what} but its name ends in {ending}; rename it to {path.name[: -len(ending)]}{right}")


def check_exists(path: Path) -> None:
    """Refuse a path that is not a file, or an empty file.

    Raises:
        DataError: The message suggests similar names.
    """
    if path.is_dir():
        raise DataError(f"{path} is a folder; name one file in it")
    if not path.exists():
        folder = path.parent
        if not folder.is_dir():
            raise DataError(f"{path} does not exist, nor does the folder {folder}; correct the path")
        near = did_you_mean(path.name, [file.name for file in sorted(folder.iterdir()) if file.is_file()])
        raise DataError(f"{path} does not exist{near or '; correct the path (it counts from the current folder)'}")
    if path.stat().st_size == 0:
        raise DataError(f"{path} is empty (0 bytes); write the table again")

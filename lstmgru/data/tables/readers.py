"""Read tables: text files, Parquet and Arrow."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pandas as pd
import pyarrow as pa

from lstmgru.data.tables.delimited import read_delimited
from lstmgru.errors import DataError, did_you_mean

_DELIMITED = (".csv", ".tsv", ".txt", ".csv.gz", ".tsv.gz", ".txt.gz")


def read_table(
    path: Path,
    *,
    delimiter: str = ",",
    decimal: str = ".",
    encoding: str = "utf-8",
    columns: Sequence[str] = (),
    text: Collection[str] = (),
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
        text: Columns of a text file that always stay text, so that names such as ``1.0`` or ``NA`` are read the same
            way in every file.

    Raises:
        DataError: The file is missing, of an unknown format, damaged, without rows, or its columns are ambiguous.
    """
    name = path.name.lower()
    check_exists(path)
    if name.endswith(_DELIMITED):
        tab = ".tsv" in name[-7:] and delimiter == ","
        with _returning_memory():
            delimiter = "\t" if tab else delimiter
            return read_delimited(
                path, delimiter=delimiter, decimal=decimal, encoding=encoding, columns=columns, text=text
            )
    if columns:
        raise DataError(f"{path}: data.columns is for text files without a header; remove it")
    reader = _ARROW_READERS.get(path.suffix.lower())
    if reader is None:
        valid = [*_DELIMITED, *_ARROW_READERS]
        raise DataError(
            f"{path}: a data file must end in one of {', '.join(valid)} but ends in {path.suffix!r}"
            f"{did_you_mean(path.suffix, valid)}"
        )
    with _returning_memory():
        return _frame(_read_arrow(path, reader), path)


@contextmanager
def _returning_memory() -> Iterator[None]:
    """Release Arrow's unused memory to the system instead of keeping it in Arrow's pool."""
    before = pa.default_memory_pool()
    pa.set_memory_pool(pa.system_memory_pool())
    try:
        yield
    finally:
        pa.set_memory_pool(before)


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


def _parquet(path: Path) -> pa.Table:
    from pyarrow.parquet import ParquetFile

    return ParquetFile(path).read()


def _ipc(path: Path) -> pa.Table:
    from pyarrow import ipc

    try:
        with pa.memory_map(str(path)) as source:
            return ipc.open_file(source).read_all()
    except pa.ArrowInvalid:  # or the streaming format, with the same suffix
        with pa.OSFile(str(path)) as source:
            return ipc.open_stream(source).read_all()


_ARROW_READERS: dict[str, Callable[[Path], pa.Table]] = {".parquet": _parquet, ".feather": _ipc, ".arrow": _ipc}


def _read_arrow(path: Path, reader: Callable[[Path], pa.Table]) -> pa.Table:
    try:
        return reader(path)
    except (pa.ArrowException, OSError) as error:
        reason = str(error).splitlines()[0]
        raise DataError(f"{path} cannot be read as {path.suffix[1:]}: {reason}; write the file again") from error


def _frame(table: pa.Table, path: Path) -> pd.DataFrame:
    repeated = {name for name in table.column_names if table.column_names.count(name) > 1}
    if repeated:
        raise DataError(f"{path}: several columns are named {sorted(repeated)[0]!r}; rename all but one")
    if table.num_rows == 0:
        raise DataError(f"{path} has no rows; write the table again")
    for index, field in enumerate(table.schema):
        if pa.types.is_decimal(field.type):
            table = table.set_column(index, field.name, table.column(index).cast(pa.float64()))
    # Ignoring pandas' metadata turns an index of times back into a column.
    frame: pd.DataFrame = table.to_pandas(
        ignore_metadata=True, date_as_object=False, split_blocks=True, self_destruct=True
    )
    return frame

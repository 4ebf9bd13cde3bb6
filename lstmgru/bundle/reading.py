"""The table in a file, as a model's own data were read."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from lstmgru.bundle.forecasting.bundle import ForecastBundle
from lstmgru.bundle.format import AnyBundle
from lstmgru.data.sequences.sequences import SequenceSchema
from lstmgru.data.tables.archives import is_archive, read_archive
from lstmgru.data.tables.readers import check_exists, read_table

if TYPE_CHECKING:
    import pandas as pd


def read_data(bundle: AnyBundle, path: Path, *, delimiter: str = ",", decimal: str = ".") -> pd.DataFrame:
    """Read what a model is to forecast from or to label.

    Args:
        bundle: The model.
        path: A table, see :func:`~lstmgru.data.tables.readers.read_table`. A sequence model also reads the file of an
            archive, see :func:`~lstmgru.data.tables.archives.read_archive`: a ``.ts`` file, or a file without a header
            if the model was trained on one.
        delimiter: Between the fields of a text file.
        decimal: The decimal point of a text file.

    Raises:
        DataError: The file is missing, of another kind, damaged, or without rows.
    """
    if isinstance(bundle, ForecastBundle):
        return read_table(path, delimiter=delimiter, decimal=decimal, text=bundle.schema.categories)
    schema = bundle.schema
    check_exists(path)
    if is_archive(path) or _lacks_header(path, schema):
        return read_archive(path)[0]
    return read_table(path, delimiter=delimiter, decimal=decimal, text=() if schema.text is None else (schema.text,))


def _lacks_header(path: Path, schema: SequenceSchema) -> bool:
    """Whether the model's columns have the names that a file without a header gets, and the file does not name them."""
    if schema.layout != "wide" or path.suffix.lower() not in (".tsv", ".txt", ".csv"):
        return False
    if schema.channels != tuple(f"step_{number + 1}" for number in range(len(schema.channels))):
        return False
    with path.open("rb") as file:
        return schema.channels[0].encode() not in file.readline()

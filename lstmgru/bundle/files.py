"""Write the files of a bundle, and replace its directory atomically."""

from __future__ import annotations

import glob
import json
import math
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from lstmgru.data.tables.writers import runs
from lstmgru.errors import BundleError
from lstmgru.runtime.files import DESCRIPTION, MANIFEST, backup_of, digest

if TYPE_CHECKING:
    import pandas as pd


@contextmanager
def replacing(directory: Path) -> Iterator[Path]:
    """Yield an empty directory to fill, and move it to ``directory`` at the end.

    Leftovers of killed processes are removed first. There must be one writer at a time.

    Args:
        directory: An existing bundle is replaced; parents are created.

    Raises:
        BundleError: Something other than a bundle exists there.
    """
    directory = directory.resolve()
    directory.parent.mkdir(parents=True, exist_ok=True)
    _clean(directory)
    if directory.exists() and not _replaceable(directory):
        raise BundleError(f"{directory} exists but is not a bundle; remove it or choose another directory")
    partial = directory.with_name(f".{directory.name}.partial-{os.getpid()}")
    partial.mkdir()
    try:
        yield partial
        _swap(partial, directory)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _swap(partial: Path, directory: Path) -> None:
    previous = backup_of(directory)
    if directory.exists():
        directory.rename(previous)
    partial.rename(directory)
    if previous.exists():
        previous.rename(partial)


def _clean(directory: Path) -> None:
    previous = backup_of(directory)
    if previous.exists() and not directory.exists():
        previous.rename(directory)
    shutil.rmtree(previous, ignore_errors=True)
    prefix = f".{directory.name}.partial-"
    for partial in directory.parent.glob(f"{glob.escape(prefix)}*"):
        pid = partial.name.removeprefix(prefix)
        if pid.isdecimal() and not runs(int(pid)):
            shutil.rmtree(partial, ignore_errors=True)


def _replaceable(directory: Path) -> bool:
    return directory.is_dir() and ((directory / DESCRIPTION).exists() or not any(directory.iterdir()))


def write_json(path: Path, value: dict[str, Any], *, indent: int | None = None) -> None:
    """Write strict JSON in UTF-8."""
    text = json.dumps(value, indent=indent, ensure_ascii=False, allow_nan=False) + "\n"
    path.write_text(text, encoding="utf-8")


def write_manifest(folder: Path) -> None:
    """Write the digests of all files of a bundle."""
    files = {path.name: digest(path.read_bytes()) for path in sorted(folder.iterdir()) if path.name != MANIFEST}
    write_json(folder / MANIFEST, {"sha256": files}, indent=2)


def plain_table(frame: pd.DataFrame) -> dict[str, Any]:
    """A table as ``example.json`` stores it: ``columns``, and ``data`` by row, with ``None`` for missing values.

    Raises:
        BundleError: A cell cannot be represented in JSON.
    """
    rows = frame.itertuples(index=False, name=None)
    return {"columns": list(frame.columns), "data": [plain(list(row), "example") for row in rows]}


def plain(value: Any, key: str) -> Any:
    """A value as JSON types; numbers that are not finite become ``None``.

    Args:
        value: Plain values, NumPy scalars, dates and paths, in dicts and lists.
        key: Where the value is in the bundle, for messages.

    Raises:
        BundleError: The value cannot be represented in JSON.
    """
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, Mapping):
        return {str(name): plain(item, f"{key}.{name}") for name, item in value.items()}
    if isinstance(value, list | tuple | np.ndarray):
        return [plain(item, f"{key}.{index}") for index, item in enumerate(value)]
    raise BundleError(f"{key} of a bundle must be a JSON value but is a {type(value).__name__}")


def shortest_decimals(values: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    """Numbers of single precision in their shortest notation: 12.8, not 12.800000190734863."""
    return values.astype(str).astype(np.float64)

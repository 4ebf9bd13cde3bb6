"""Values, columns and tables of a bundle as files hold them."""

from __future__ import annotations

import json
import math
from collections.abc import Container, Mapping
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from lstmgru.errors import BundleError

if TYPE_CHECKING:
    import pandas as pd


def write_json(path: Path, value: dict[str, Any], *, indent: int | None = None) -> None:
    """Write strict JSON in UTF-8."""
    text = json.dumps(value, indent=indent, ensure_ascii=False, allow_nan=False) + "\n"
    path.write_text(text, encoding="utf-8")


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


def free_name(name: str, taken: Container[str]) -> str:
    """The name, with underscores appended until it is not taken."""
    while name in taken:
        name += "_"
    return name

"""Values of a bundle as JSON holds them."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lstmgru.errors import BundleError

if TYPE_CHECKING:
    import pandas as pd


def write_json(path: Path, value: dict[str, Any], *, indent: int | None = None) -> None:
    """Write strict JSON in UTF-8."""
    text = json.dumps(value, indent=indent, ensure_ascii=False, allow_nan=False) + "\n"
    path.write_text(text, encoding="utf-8")


def describe_example(frame: pd.DataFrame) -> dict[str, Any]:
    """A table as ``example.json`` holds it: ``columns``, and ``data`` row by row; missing values are ``None``.

    Raises:
        BundleError: A cell is something that JSON cannot hold.
    """
    rows = frame.itertuples(index=False, name=None)
    return {"columns": list(frame.columns), "data": [plain(list(row), "example") for row in rows]}


def plain(value: Any, key: str) -> Any:
    """A value as JSON holds it; numbers that are not finite become ``None``.

    Args:
        value: Plain values, numpy scalars, dates and paths, in dicts and lists.
        key: Where it stands, for messages.

    Raises:
        BundleError: It is something else.
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
    raise BundleError(f"{key} of a bundle must be plain values but is a {type(value).__name__}")

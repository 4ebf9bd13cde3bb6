"""The arrays of ``weights.safetensors`` as NumPy arrays.

The format: eight bytes with the length of a header, little-endian; the header in JSON, with type, shape and place of
each array; the arrays (https://huggingface.co/docs/safetensors).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from lstmgru.errors import BundleError
from lstmgru.runtime.files import EXPORT_AGAIN, one_line
from lstmgru.runtime.versions import MEMBERS, upgraded_arrays

_LENGTH = 8
_TYPES = {
    "F64": "<f8", "F32": "<f4", "F16": "<f2", "I64": "<i8", "I32": "<i4", "I16": "<i2", "I8": "i1", "U8": "u1",
    "BOOL": "?",
}  # fmt: skip

_T = TypeVar("_T")


def read_arrays(content: bytes, path: Path, description: dict[str, Any]) -> list[dict[str, npt.NDArray[Any]]]:
    """The arrays of each member, by name.

    Args:
        content: Of the file.
        path: The file, for messages.
        description: The content of ``bundle.json``.

    Raises:
        BundleError: The file is damaged, or has an array of no member.
    """
    try:
        start = _LENGTH + int.from_bytes(content[:_LENGTH], "little")
        if start > len(content):
            raise ValueError("it ends in its header")
        header = json.loads(content[_LENGTH:start])
        found = {name: _array(content[start:], entry) for name, entry in header.items() if name != "__metadata__"}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise BundleError(f"{path} is damaged: {one_line(error)}; {EXPORT_AGAIN}") from error
    return by_member(upgraded_arrays(found, description["format_version"]), len(description["members"]), path)


def by_member(arrays: Mapping[str, _T], n_members: int, path: Path) -> list[dict[str, _T]]:
    """Arrays of a file, by member and name.

    Args:
        arrays: By their names in the file.
        n_members: Number of members.
        path: The file, for messages.

    Raises:
        BundleError: One is of no member.
    """
    parts: list[dict[str, _T]] = [{} for _ in range(n_members)]
    for name, array in arrays.items():
        number, _, inner = name.removeprefix(MEMBERS).partition(".")
        if not (name.startswith(MEMBERS) and number.isdecimal() and int(number) < len(parts)):
            raise BundleError(f"{path} holds {name}, which is of none of the {len(parts)} members; {EXPORT_AGAIN}")
        parts[int(number)][inner] = array
    return parts


def _array(data: bytes, entry: dict[str, Any]) -> npt.NDArray[Any]:
    start, end = entry["data_offsets"]
    return np.frombuffer(data[start:end], _TYPES[entry["dtype"]]).reshape(entry["shape"]).copy()

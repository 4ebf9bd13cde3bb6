"""Bundles of earlier versions, brought to the current form.

- Version 2 had no ``task``: every model was a forecasting model.
- Versions 2 and 3 held one network: its keys were at the top level, its weights had no prefix, and the only vocabulary
  was ``vocabulary``.
- Version 4 holds ``members`` with weights.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

FORMAT_VERSION = 4
READABLE_VERSIONS = (2, 3, 4)

MEMBERS = "members."
"""What the name of every array begins with."""

_MEMBER_KEYS = ("model", "training", "scaler", "encoding")

_T = TypeVar("_T")


def upgraded(description: dict[str, Any]) -> dict[str, Any]:
    """The content of ``bundle.json`` in the current form.

    Args:
        description: Of a readable version.
    """
    version = description["format_version"]
    if version == FORMAT_VERSION:
        return description
    member = {"kind": "network", "weight": 1.0}
    member |= {key: description[key] for key in _MEMBER_KEYS if key in description}
    vocabulary = description.get("vocabulary")
    usual = {"task": "forecast"} if version == 2 else {}
    rest = {key: value for key, value in description.items() if key not in (*_MEMBER_KEYS, "vocabulary")}
    return {**usual, **rest, "members": [member], "vocabularies": [] if vocabulary is None else [vocabulary]}


def upgraded_arrays(arrays: Mapping[str, _T], version: int) -> dict[str, _T]:
    """The content of ``weights.safetensors`` in the current form.

    Args:
        arrays: Arrays by name.
        version: Format version of the bundle.
    """
    prefix = "" if version == FORMAT_VERSION else array_prefix(0)
    return {prefix + name: array for name, array in arrays.items()}


def array_prefix(number: int) -> str:
    """What the names of the arrays of a member begin with.

    Args:
        number: Its position among the members, from 0.
    """
    return f"{MEMBERS}{number}."

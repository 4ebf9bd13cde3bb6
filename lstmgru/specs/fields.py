"""Types of the values from which a data class is built, when they come from a file."""

from __future__ import annotations

import math
from collections.abc import Mapping
from types import NoneType, UnionType
from typing import TYPE_CHECKING, Any, Literal, Union, get_args, get_origin, get_type_hints

from lstmgru.errors import SpecError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

_LARGEST_INTEGER = 2**63
_NAMES = {str: "text", int: "an integer", float: "a finite number", bool: "true or false", NoneType: "null"}


def check_types(owner: type, values: Mapping[str, Any]) -> None:
    """Refuse values of the wrong type; types of other classes than the plain ones are not checked.

    Args:
        owner: The data class.
        values: Some of its fields, with lists or tuples for tuples.

    Raises:
        SpecError: It names the first such field.
    """
    for name, hint in get_type_hints(owner).items():
        if name in values and not _is_a(values[name], hint):
            raise SpecError(f"{name} must be {_described(hint)} but is {_shown(values[name])}")


def single_precision(name: str, values: Any) -> npt.NDArray[np.float32]:
    """Numbers of a file as an array; ``None`` is NaN.

    Args:
        name: Of the numbers, for the message.
        values: A number, or numbers in nested lists of equal lengths.

    Raises:
        SpecError: One of them does not fit single precision.
        TypeError, ValueError: They are no numbers, or the lists differ in their lengths.
    """
    import numpy as np

    numbers = np.asarray(values, np.float64)
    if (too_large := np.abs(numbers) > np.finfo(np.float32).max).any():
        raise SpecError(f"{name} must be numbers of single precision, at most 3.4e38, but is {numbers[too_large][0]:g}")
    return numbers.astype(np.float32)


def _is_a(value: Any, hint: Any) -> bool:
    kind, parts = get_origin(hint), get_args(hint)
    if kind in (Union, UnionType):
        return any(_is_a(value, part) for part in parts)
    if kind is Literal:
        return isinstance(value, str)
    if kind is tuple:
        return isinstance(value, list | tuple) and all(_is_a(item, parts[0]) for item in value)
    if kind is dict:
        return isinstance(value, dict) and all(_is_a(item, parts[1]) for item in value.values())
    if hint is int:
        return type(value) is int and abs(value) < _LARGEST_INTEGER
    if hint is float:
        return (type(value) is float and math.isfinite(value)) or _is_a(value, int)
    return isinstance(value, hint) if hint in _NAMES else True


def _described(hint: Any) -> str:
    kind, parts = get_origin(hint), get_args(hint)
    if kind in (Union, UnionType):
        return " or ".join(_described(part) for part in parts)
    if kind is Literal:
        return "text"
    if kind is tuple:
        return f"a list, with each item {_described(parts[0])}"
    if kind is dict:
        return f"an object, with each value {_described(parts[1])}"
    return _NAMES[hint]


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."

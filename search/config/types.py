"""How the values of a study file are checked: strictly, and by their shape."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, GetCoreSchemaHandler, WithJsonSchema
from pydantic_core import CoreSchema, core_schema

from search.errors import shown

_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_PART = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([smhd])\s*")
_FORMS = "a number of seconds, or like 90s, 5m, 2h or 1h30m"

PATTERN = r"^\s*(\d+(\.\d+)?\s*[smhd]\s*)+$"
"""Regular expression of the text that :func:`parse_duration` takes."""


def parse_duration(value: object) -> float:
    """Seconds of ``90``, ``"90s"``, ``"5m"``, ``"2h"`` or ``"1h30m"``.

    Raises:
        ValueError: The value has another form, or is not above zero; the message is the predicate of a key.
    """
    seconds = _seconds(value)
    if seconds is None:
        raise ValueError(f"must be {_FORMS} but got {shown(value)}")
    if not 0 < seconds < math.inf:
        raise ValueError(f"must be a time above zero ({_FORMS}) but got {shown(value)}")
    return seconds


def _seconds(value: object) -> float | None:
    if isinstance(value, str):
        # What is left between the parts, an unknown unit or a stray word, makes the text no time.
        parts = _PART.findall(value)
        return sum(float(number) * _SECONDS[unit] for number, unit in parts) if re.match(PATTERN, value) else None
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


MOST = 1_000_000
"""Largest whole number of a study: far beyond any use, and small enough to reckon with everywhere."""
MOST_FOLDS = 1000
"""Most folds: every candidate is trained once for each."""
MOST_JOBS = 1024
"""Most trials at the same time: each is a process."""

COMPARISON_SUFFIX = ".compare"
"""The files of the comparison of study ``x`` are named as those of a study ``x.compare`` would be."""
RESERVED_SUFFIXES = (COMPARISON_SUFFIX, ".journal")
"""Names of studies cannot end in them; the lock of a study ``x.journal`` would be that of the journal of ``x``."""

TAGS = SCALAR, LIST, MAPPING = "<scalar>", "<list>", "<mapping>"


class Strict(BaseModel):
    """A model that refuses unknown keys and never converts text to numbers or numbers to truth values."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


@dataclass(frozen=True)
class ByShape:
    """Checks a value by the one type that fits its shape, so that one mistake gives one message.

    Attributes:
        scalar: Type of a single value.
        item: Type of the items of a list.
        mapping: Type of a mapping; ``None``: a mapping is an error.
        then: Makes the checked value what the model holds; may raise ``ValueError``.
        plain: The inverse of ``then``.
        held: Types that ``then`` gives; their instances are taken as well as their plain form.
        expected: The shapes, for the error about a mapping.
        fewest: Items that a list must hold at least.
    """

    scalar: Any
    item: Any
    mapping: Any = None
    then: Callable[[Any], Any] = lambda value: value
    plain: Callable[[Any], Any] = lambda value: value
    held: tuple[type, ...] = ()
    expected: str = ""
    fewest: int = 1

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """A tagged union: its tag follows the key in the path of an error."""
        shapes: dict[Any, CoreSchema] = {
            SCALAR: handler.generate_schema(self.scalar),
            LIST: core_schema.list_schema(handler.generate_schema(self.item), min_length=self.fewest),
        }
        if self.mapping is not None:
            shapes[MAPPING] = handler.generate_schema(self.mapping)
        union = core_schema.tagged_union_schema(
            shapes, discriminator=_tag, custom_error_type="shape", custom_error_message=self.expected
        )
        written = core_schema.no_info_before_validator_function(self._as_written, union)
        return core_schema.no_info_after_validator_function(
            self.then, written, serialization=core_schema.plain_serializer_function_ser_schema(self.plain)
        )

    def _as_written(self, value: object) -> object:
        return self.plain(value) if isinstance(value, self.held) else value


def _tag(value: object) -> str:
    return LIST if isinstance(value, list) else MAPPING if isinstance(value, dict) else SCALAR


def each_once(values: Any) -> tuple[Any, ...]:
    """A scalar or a list as a tuple.

    Raises:
        ValueError: A value stands there twice; the message is the predicate of a key.
    """
    items = tuple(values) if isinstance(values, list) else (values,)
    twice = [item for index, item in enumerate(items) if item in items[:index]]
    if twice:
        raise ValueError(f"must hold each value once but holds {shown(twice[0])} twice")
    return items


def _count_or_auto(most: int, value: Any) -> Any:
    if value != "auto" and (type(value) is not int or value < 1):
        raise ValueError(f"must be a whole number from 1, or auto, but got {shown(value)}")
    if value != "auto" and value > most:
        raise ValueError(f"must be at most {most} but got {shown(value)}")
    return value


def _bound(value: Any) -> Any:
    each = value.values() if isinstance(value, dict) else (value,)
    if not all(type(bound) in (int, float) and math.isfinite(bound) for bound in each):
        raise ValueError(f"must be a number or a mapping of targets to numbers but got {shown(value)}")
    return {name: float(bound) for name, bound in value.items()} if isinstance(value, dict) else float(value)


def _bound_or(*words: object) -> Callable[[Any], Any]:
    return lambda value: value if value in words else _bound(value)


def _character(value: Any) -> Any:
    if isinstance(value, str) and len(value) != 1:
        hint = '; write a tab as "\\t"' if value in ("\\t", "tab") else ""
        raise ValueError(f"must be one character but got {shown(value)}{hint}")
    return value


Text = Annotated[str, Field(min_length=1)]
Count = Annotated[int, Field(ge=1, le=MOST)]
Folds = Annotated[int, Field(ge=1, le=MOST_FOLDS)]
CountOrZero = Annotated[int, Field(ge=0, le=MOST)]
CountOrAuto = Annotated[Count | Literal["auto"], BeforeValidator(partial(_count_or_auto, MOST))]
JobsOrAuto = Annotated[
    Annotated[int, Field(ge=1, le=MOST_JOBS)] | Literal["auto"], BeforeValidator(partial(_count_or_auto, MOST_JOBS))
]
Character = Annotated[str, Field(min_length=1, max_length=1), BeforeValidator(_character)]
_COLUMNS = ByShape(Text, Text, then=each_once, plain=list, held=(tuple,), expected="a column or a list of columns")
BoundOrNone = Annotated[float | dict[Text, float] | None, BeforeValidator(_bound_or(None))]
BoundOrAuto = Annotated[float | dict[Text, float] | Literal["auto"] | None, BeforeValidator(_bound_or(None, "auto"))]
Columns = Annotated[tuple[str, ...], _COLUMNS]
TimeColumns = Annotated[
    tuple[str, ...], replace(_COLUMNS, plain=lambda value: value[0] if len(value) == 1 else list(value))
]
ColumnsOrNone = Annotated[tuple[str, ...], replace(_COLUMNS, fewest=0)]
_LEVEL = Annotated[float, Field(gt=0, lt=1)]
Levels = Annotated[
    tuple[float, ...],
    ByShape(
        _LEVEL,
        _LEVEL,
        then=lambda value: tuple(sorted(each_once(value))),
        plain=list,
        held=(tuple,),
        expected="a level between 0 and 1, or a list of them",
        fewest=0,
    ),
]
Seconds = Annotated[
    float,
    BeforeValidator(parse_duration),
    WithJsonSchema({"anyOf": [{"type": "number", "exclusiveMinimum": 0}, {"type": "string", "pattern": PATTERN}]}),
]

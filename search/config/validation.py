"""Validation of a study: pydantic's errors as sentences about its keys."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from lstmgru.errors import did_you_mean
from search.config.space_values import IntRange
from search.config.study_config import CROSS_SECTION, StudyConfig
from search.config.types import MAPPING, TAGS
from search.errors import shown

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

Keys = tuple[str | int, ...]
_SLIP = 0.8
"""Similarity of a name and a key of which it is a misspelling, see :func:`difflib.get_close_matches`."""
_FAMILY = ("compare", "families")
"""Its keys stand two levels deeper than those of other sections."""


def find_problems(
    values: Mapping[str, Any], kind: type[StudyConfig]
) -> tuple[StudyConfig | None, list[tuple[Keys, str]]]:
    """Check the values of a study.

    Args:
        values: As the file holds them.
        kind: The study of their task.

    Returns:
        The study, or ``None``, and every problem: the path of its key, and the message as the predicate of the key.
    """
    try:
        return kind.model_validate(values), []
    except ValidationError as error:
        details = error.errors(include_url=False)
    problems = [(_keys(detail), _message(detail, kind)) for detail in details]
    for detail in _hidden_behind(values, details, kind):
        problem = (_keys(detail), _message(detail, kind))
        if problem not in problems:
            problems.append(problem)
    return None, problems


def config_fields(kind: type[StudyConfig]) -> dict[str, FieldInfo]:
    """The field of every key of a kind of study, by dotted path; sections are not keys."""
    fields: dict[str, FieldInfo] = {}
    for name, field in kind.model_fields.items():
        section = _section(field)
        inner = section.model_fields if section else {}
        fields |= {f"{name}.{key}": inner_field for key, inner_field in inner.items()} or {name: field}
    return fields


def dotted(keys: Iterable[str | int]) -> str:
    """``space.hidden_size[1]`` of ``("space", "hidden_size", 1)``."""
    path = "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in keys).removeprefix(".")
    return path if path.isprintable() else repr(path)


def _keys(detail: ErrorDetails) -> Keys:
    """The path without the tag of :class:`search.config.types.ByShape`, which follows the name of a key."""
    key, tag = _key_and_tag(detail)
    return (*key, *(() if tag in TAGS else detail["loc"][len(key) : len(key) + 1]), *detail["loc"][len(key) + 1 :])


def _key_and_tag(detail: ErrorDetails) -> tuple[Keys, str | int | None]:
    """The names of a key and its sections, and what follows them."""
    depth = len(_FAMILY) + 2 if detail["loc"][: len(_FAMILY)] == _FAMILY else 2
    return detail["loc"][:depth], next(iter(detail["loc"][depth:]), None)


def _hidden_behind(
    values: Mapping[str, Any], details: list[ErrorDetails], kind: type[StudyConfig]
) -> list[ErrorDetails]:
    """Broken rules between two sections, which pydantic checks only once both sections are valid.

    The wrong keys are taken out; what a rule then says is still true of the keys that are left.
    """
    left = {name: dict(section) if isinstance(section, dict) else section for name, section in values.items()}
    for detail in details:
        section, *rest = _keys(detail) or ("",)
        inside = left.get(str(section))
        if rest and isinstance(inside, dict):
            inside.pop(rest[0], None)
        else:
            left.pop(str(section), None)
    try:
        kind.model_validate(left)
    except ValidationError as error:
        return [detail for detail in error.errors(include_url=False) if detail["type"] == CROSS_SECTION]
    return []


def _message(detail: ErrorDetails, study: type[StudyConfig]) -> str:
    kind, value, context = detail["type"], detail["input"], detail.get("ctx", {})
    if kind == "value_error":
        return str(context["error"])
    if kind == CROSS_SECTION:
        return detail["msg"]
    if kind == "missing":
        return _missing(detail, study)
    if kind in ("extra_forbidden", "invalid_key"):
        return _unknown_key(detail, study)
    if kind == "literal_error":
        valid = re.findall(r"'([^']*)'", context["expected"])
        hint = did_you_mean(value, valid) if isinstance(value, str) else ""
        rule = f"one of {', '.join(valid)}" if len(valid) > 1 else valid[0]
        return f"must be {rule}{_or_null(detail, study)} but got {shown(value)}{hint}"
    rule = _RULES[kind](context) if kind in _RULES else detail["msg"]
    return f"must be {rule}{_or_null(detail, study)} but got {shown(value)}{_quotes(kind, value)}"


_RULES: dict[str, Callable[[dict[str, Any]], str]] = {
    "greater_than_equal": lambda context: f"at least {_bound(context['ge'])}",
    "greater_than": lambda context: f"above {_bound(context['gt'])}",
    "less_than_equal": lambda context: f"at most {_bound(context['le'])}",
    "less_than": lambda context: f"below {_bound(context['lt'])}",
    "int_type": lambda _: "a whole number",
    "int_from_float": lambda _: "a whole number",
    "float_type": lambda _: "a number",
    "finite_number": lambda _: "a finite number",
    "bool_type": lambda _: "true or false",
    "string_type": lambda _: "text",
    "string_too_short": lambda _: "text of at least one character",
    "too_short": lambda _: "a list of at least one value",
    "dict_type": lambda _: "a mapping of names to sections",
    "model_type": lambda _: "a section with its own keys",
}


def _bound(value: float) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _or_null(detail: ErrorDetails, study: type[StudyConfig]) -> str:
    field = _field_at(detail, study)
    if field is None or type(None) not in get_args(field.annotation):
        return ""
    # An item of a list and an end of a range cannot be null, and no bound is a reason to write it.
    return " or null" if len(_keys(detail)) <= 2 and detail["type"].endswith(("_type", "_error")) else ""


def _quotes(kind: str, value: object) -> str:
    return "; put it in quotes" if kind == "string_type" and isinstance(value, int | float) else ""


def _missing(detail: ErrorDetails, study: type[StudyConfig]) -> str:
    if _key_and_tag(detail)[1] == MAPPING:
        return "is missing: a range has low and high"
    field = _field_at(detail, study)
    description = field.description if field is not None and field.description else ""
    return f"is missing: {description[:1].lower()}{description[1:].partition('. ')[0].rstrip('.')}"


def _unknown_key(detail: ErrorDetails, study: type[StudyConfig]) -> str:
    *parents, name = _keys(detail)
    if _key_and_tag(detail)[1] == MAPPING:
        valid = list(IntRange.model_fields)
        return f"is not a key of a range{did_you_mean(str(name), valid) or '; it may have ' + ', '.join(valid)}"
    if tuple(parents[:2]) == _FAMILY:
        valid = [key for key in _section_of(study, "space").model_fields if key != "preset"] + ["mixed"]
        hint = did_you_mean(str(name), valid) or "; a family may have the keys of space and mixed"
        return f"is not a known key{hint}"
    outer, dot, inner = str(name).partition(".")
    if dot and name in config_fields(study):
        return f"must be written in two levels: {outer}: and, indented below it, {inner}:"
    section = _section(study.model_fields[str(parents[0])]) if parents else study
    valid = list(section.model_fields) if section else []
    elsewhere = [key for key in config_fields(study) if key.endswith(f".{name}")]
    # A slip of the pen in the section is likelier than a key of another one.
    if elsewhere and not get_close_matches(str(name), valid, n=1, cutoff=_SLIP):
        return f"is not a known key; did you mean '{elsewhere[0]}'?"
    place = f"{parents[0]} may have" if parents else "a study may have"
    return f"is not a known key{did_you_mean(str(name), valid) or f'; {place} ' + ', '.join(valid)}"


def _field_at(detail: ErrorDetails, study: type[StudyConfig]) -> FieldInfo | None:
    keys = _keys(detail)
    return config_fields(study).get(dotted(keys[:2])) or study.model_fields.get(dotted(keys[:1]))


def _section_of(study: type[StudyConfig], name: str) -> type[BaseModel]:
    section = _section(study.model_fields[name])
    assert section is not None  # of the names that are asked for, every one is a section
    return section


def _section(field: FieldInfo) -> type[BaseModel] | None:
    kind = field.annotation
    return kind if isinstance(kind, type) and issubclass(kind, BaseModel) else None

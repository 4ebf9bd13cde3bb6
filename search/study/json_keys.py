"""How the keys of the JSON that commands print are described: on the classes whose fields they are.

``Annotated[float, key("Mean score.", unit="metric")]`` describes a field of a dataclass. docs/reference.py writes the
tables of docs/json.md from these descriptions, and ``schema`` prints them as JSON Schema. The keys are a public
interface.
"""

from __future__ import annotations

import inspect
import re
from typing import Any, Literal

from pydantic import Field, TypeAdapter
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

Stability = Literal["fixed", "open", "text"]
"""What can change inside a value: nothing; the set of words or keys, which can grow; the wording of a sentence."""


def key(meaning: str, *, unit: str = "", stability: Stability = "fixed") -> Any:
    """A key that is always present."""
    return Field(description=meaning, json_schema_extra={"unit": unit, "stability": stability})


def json_schema(model: Any) -> dict[str, Any]:
    """The JSON Schema of a class whose keys are described; also of a list of its objects."""
    schema = TypeAdapter(model).json_schema(schema_generator=_Described)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


def _public(name: str) -> str:
    """``Refit`` of ``RefitRecord``."""
    return re.sub(r"(Record|Result)$", "", name)


class _Described(GenerateJsonSchema):
    """Objects have the names and descriptions of their classes, and all keys, whether or not a field has a default."""

    def field_is_required(self, *_: Any, **__: Any) -> bool:
        return True

    def normalize_name(self, name: str) -> str:
        return _public(super().normalize_name(name))

    def dataclass_schema(self, schema: core_schema.DataclassSchema) -> JsonSchemaValue:
        cls = schema["cls"]
        about = {"title": _public(cls.__name__), "description": inspect.getdoc(cls)}
        return {**super().dataclass_schema(schema), **about}

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        return self.generate_inner(schema["schema"])

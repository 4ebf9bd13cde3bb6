"""What the JSON of commands is validated with."""

from __future__ import annotations

import json
from typing import Any

from pydantic import TypeAdapter

from search.cli.documents import documents


def valid_json(command: str, text: str) -> Any:
    """The document in a text, which has all keys of what the command prints, no others, and values of their types."""
    document, model = json.loads(text), TypeAdapter(documents()[command])
    assert model.dump_python(model.validate_json(text, strict=True), mode="json") == document
    return document

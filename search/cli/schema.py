"""``search schema``: the JSON Schema of a study file."""

from __future__ import annotations

import json


def schema() -> None:
    """Print the JSON Schema of a study file; editors complete and check from it.

    Example: python -m search schema > study.schema.json
    """
    from search.tasks.study_file import schema as study_schema

    print(json.dumps(study_schema(), indent=2))

"""``search schema``: the JSON Schema of a study file."""

from __future__ import annotations


def schema() -> None:
    """Print the JSON Schema of a study file, which editors use to complete and check keys.

    Example: python -m search schema > study.schema.json
    """
    from search.cli.console import print_json
    from search.tasks.study_file import schema as study_schema

    print_json(study_schema())

"""The files of a comparison, beside those of the study's report."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path

from search.compare.markdown import markdown
from search.compare.page import comparison_html
from search.compare.results import Comparison

PAGE, MARKDOWN, JSON = "compare.html", "compare.md", "compare.json"
"""Their names."""


def write_files(comparison: Comparison, folder: Path) -> None:
    """Write the page, the Markdown file and the JSON file.

    Args:
        comparison: What was found.
        folder: Where; it is made if it is not there.

    Raises:
        OSError: They cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / JSON).write_text(json.dumps(comparison.to_json(), indent=2) + "\n", encoding="utf-8")
    (folder / MARKDOWN).write_text(markdown(comparison), encoding="utf-8")
    (folder / PAGE).write_text(comparison_html(comparison, datetime.now().astimezone()), encoding="utf-8")

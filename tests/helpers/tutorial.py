"""The tutorial of the documentation: executed in a folder of its own.

``python tests/helpers/tutorial.py`` executes it in a temporary folder and writes the outputs to the notebook.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
from pathlib import Path
from typing import Any

NOTEBOOK = Path(__file__).parents[2] / "docs" / "tutorial.ipynb"
SECONDS = 280


def read() -> dict[str, Any]:
    """The notebook as JSON."""
    notebook: dict[str, Any] = json.loads(NOTEBOOK.read_text(encoding="utf-8"))
    return notebook


def code_cells(notebook: dict[str, Any]) -> list[dict[str, Any]]:
    """The cells with code."""
    return [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]


def digest(notebook: dict[str, Any]) -> str:
    """SHA-256 of the code that the outputs belong to."""
    return hashlib.sha256("\n\n".join("".join(cell["source"]) for cell in code_cells(notebook)).encode()).hexdigest()


def execute(folder: Path) -> dict[str, Any]:
    """The notebook with new outputs.

    Args:
        folder: Where it is executed.

    Raises:
        nbclient.exceptions.CellExecutionError: A cell raised an error.
    """
    import nbformat
    from nbclient import NotebookClient

    notebook = nbformat.read(NOTEBOOK, as_version=4)
    NotebookClient(notebook, timeout=SECONDS, record_timing=False, resources={"metadata": {"path": folder}}).execute()
    executed: dict[str, Any] = json.loads(nbformat.writes(notebook))
    executed["metadata"] = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
        "executed_source": digest(executed),
    }
    return executed


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        executed = execute(Path(folder))
    NOTEBOOK.write_text(json.dumps(executed, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")

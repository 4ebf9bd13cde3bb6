"""The tutorial of the documentation runs, and the outputs in it are those of its code."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import pytest
from helpers.tutorial import NOTEBOOK, code_cells, digest, execute, read

import search

LOCAL = re.compile(r"(?<![\w.])/(?:home|tmp|root|work|Users|usr|opt|var)/|[A-Z]:\\\\|0x[0-9a-f]{6,}")
"""Places and addresses of one machine."""


def outputs(notebook: dict[str, Any]) -> list[dict[str, Any]]:
    return [output for cell in code_cells(notebook) for output in cell["outputs"]]


def problems(notebook: dict[str, Any]) -> list[str]:
    """What is wrong with the outputs of a notebook."""
    found = [f"{each['ename']}: {each['evalue']}" for each in outputs(notebook) if each["output_type"] == "error"]
    found += ["".join(each["text"]) for each in outputs(notebook) if each.get("name") == "stderr"]
    counts = [cell["execution_count"] for cell in code_cells(notebook)]
    return found + ([] if counts == list(range(1, len(counts) + 1)) else [f"the cells were executed as {counts}"])


def test_the_outputs_are_those_of_the_code() -> None:
    notebook = read()

    assert notebook["metadata"]["executed_source"] == digest(notebook), "execute it: python tests/helpers/tutorial.py"
    assert problems(notebook) == []


def test_it_is_small_and_of_no_machine() -> None:
    text = NOTEBOOK.read_text(encoding="utf-8")

    assert len(text.encode()) < 300_000
    assert LOCAL.findall(text) == []


def test_it_uses_every_function_but_compare() -> None:
    code = "\n".join("".join(cell["source"]) for cell in code_cells(read()))

    functions = {name for name in search.__all__ if name[0].islower()} - {"run_comparison"}
    assert {name for name in functions if f"{name}(" not in code} == set()
    assert {".plot(", ".predict(", ".trials", ".leaderboard", ".weights", ".verdict"} <= set(
        re.findall(r"\.\w+\(?", code)
    )


@pytest.mark.slow
def test_it_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("nbclient", reason="the tutorial is executed by nbclient, of the extra dev")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(NOTEBOOK.parents[1]), os.environ.get("PYTHONPATH", "")]))
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)

    executed = execute(tmp_path)

    assert problems(executed) == []
    kinds = [sorted(output.get("data", {})) for output in outputs(executed)]
    assert kinds == [sorted(output.get("data", {})) for output in outputs(read())]
    assert LOCAL.findall(str(outputs(executed))) == []

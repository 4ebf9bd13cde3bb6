"""Whether the code of two processes is compared by its source files, and that of a user's own cells."""

from __future__ import annotations

import linecache
import os
import shutil
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from search.executors.source import digest_of_code, source_digest

ROOT = Path(__file__).parent.parent.parent
_PROGRAM = "from search.executors.source import source_digest; print(source_digest())"


def digest_in(folder: Path) -> str:
    environment = {**os.environ, "PYTHONPATH": str(folder)}
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM], cwd=folder, env=environment, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def test_a_copy_elsewhere_is_the_same_code_until_a_file_changes_or_is_added(tmp_path: Path) -> None:
    for package in ("lstmgru", "search"):
        shutil.copytree(ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__"))
    found = [digest_in(tmp_path)]  # which also writes compiled files
    with (tmp_path / "lstmgru" / "errors.py").open("a") as file:
        file.write("# changed\n")
    found.append(digest_in(tmp_path))
    (tmp_path / "search" / "more.py").touch()
    found.append(digest_in(tmp_path))

    assert found[0] == source_digest()
    assert len(set(found)) == 3


OWN = {
    "own_base": "class Base: width = 1",
    "own_cell": "from own_base import Base\nclass Cell(Base): depth = 1",
    "own_metric": "def mean(): return 1",
}


@pytest.mark.parametrize("name", OWN)
def test_registered_code_is_the_same_until_a_file_of_a_class_a_base_class_or_a_function_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    for module, text in OWN.items():
        monkeypatch.delitem(sys.modules, module, raising=False)
        (tmp_path / f"{module}.py").write_text(text)
    registered = [import_module("own_cell").Cell, import_module("own_metric").mean]
    before = digest_of_code(registered)
    assert digest_of_code(reversed(registered)) == before

    file = tmp_path / f"{name}.py"
    file.write_text(file.read_text().replace("1", "2"))

    assert digest_of_code(registered) != before


def notebook_class(monkeypatch: pytest.MonkeyPatch, file: str) -> Any:
    """A class of a module without a file, as of a notebook."""
    notebook = ModuleType("notebook")
    monkeypatch.setitem(sys.modules, "notebook", notebook)
    exec(compile("class Cell:\n    def forward(self): return 1\n", file, "exec"), vars(notebook))
    return notebook.Cell


def test_the_code_of_a_notebook_is_that_of_its_cells(monkeypatch: pytest.MonkeyPatch) -> None:
    found = []
    for kernel, number in ((7, 1), (8, 1), (9, 2)):
        file = f"ipykernel_{kernel}"
        monkeypatch.setitem(linecache.cache, file, (9, None, [f"return {number}\n"], file))
        found.append(digest_of_code([notebook_class(monkeypatch, file)]))

    assert found[0] == found[1] != found[2]


def test_code_that_can_be_read_nowhere_is_never_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    cell = notebook_class(monkeypatch, "<string>")

    assert digest_of_code([cell]) != digest_of_code([cell])

"""Whether the code of two processes is compared by its source files."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from search.executors.source import source_digest

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

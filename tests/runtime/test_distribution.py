"""The distribution ``lstmgru-runtime``: what it holds, and that it predicts in an environment with nothing else.

The whole is built as well, as both are built from the same folder.
"""

from __future__ import annotations

import subprocess
import sys
import tarfile
import tomllib
import venv
import zipfile
from pathlib import Path
from typing import Any

import pytest
from helpers.runtime_models import check_equal, predict_elsewhere, save_all

ROOT = Path(__file__).parents[2]
RUNTIME = ROOT / "libs" / "runtime"
PARTS = ("data", "evaluation/forecast_baselines", "evaluation/sequence_baselines", "runtime", "specs")
FILES = ("__init__.py", "errors.py", "evaluation/__init__.py", "evaluation/time_limit.py", "py.typed")
KINDS = ("forecasts", "mixture", "sequences", "words", "numbers", "waves", "notes")


def project(folder: Path) -> dict[str, Any]:
    content: dict[str, Any] = tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return content


def test_it_has_the_version_and_the_bounds_of_the_whole() -> None:
    whole, part = project(ROOT), project(RUNTIME)

    for key in ("version", "requires-python", "license"):
        assert part[key] == whole[key]
    assert set(part["dependencies"]) <= set(whole["dependencies"])
    assert set(part["optional-dependencies"]["parquet"]) <= set(whole["dependencies"])
    assert (RUNTIME / "LICENSE").read_bytes() == (ROOT / "LICENSE").read_bytes()


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return wheel_of(RUNTIME, tmp_path_factory.mktemp("wheel"))


def wheel_of(source: Path, folder: Path) -> Path:
    """Build a wheel from a project, or from its source distribution."""
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", str(folder), str(source)]
    subprocess.run(command, check=True, timeout=200)
    [found] = folder.glob("*.whl")
    return found


def held_by(wheel: Path) -> set[str]:
    return {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}


@pytest.mark.slow
def test_its_wheel_holds_what_predicts_and_nothing_that_trains(wheel: Path) -> None:
    modules = {path for part in PARTS for path in (ROOT / "lstmgru" / part).rglob("*.py")}
    modules |= {ROOT / "lstmgru" / name for name in FILES}
    modules -= {ROOT / "lstmgru" / "evaluation" / "forecast_baselines" / "modules.py"}  # PyTorch
    assert held_by(wheel) == {str(path.relative_to(ROOT)) for path in modules}
    assert wheel.name.startswith("lstmgru_runtime-")


@pytest.mark.slow
def test_both_can_be_built_from_their_source_distributions(wheel: Path, tmp_path: Path) -> None:
    venv.create(tmp_path / "environment", with_pip=True)
    python = str(tmp_path / "environment" / "bin" / "python")
    subprocess.run([python, "-m", "pip", "install", "--quiet", "hatchling"], check=True, timeout=200)
    held = {}
    for source in (RUNTIME, ROOT):
        folder = tmp_path / f"of {source.name}"
        build = [python, "-m", "hatchling", "build", "--target", "sdist", "--directory", str(folder)]
        subprocess.run(build, cwd=source, check=True, capture_output=True, timeout=60)
        [archive] = folder.glob("*.tar.gz")
        held[source] = held_by(wheel_of(archive, folder))
        with tarfile.open(archive) as files:
            assert not [member.name for member in files if member.issym() or member.islnk()]  # refused by extractors

    assert held[RUNTIME] == held_by(wheel)
    modules = {str(path.relative_to(ROOT)) for name in ("lstmgru", "search") for path in (ROOT / name).rglob("*.py")}
    assert {name for name in held[ROOT] if name.endswith(".py")} == modules


@pytest.mark.slow
def test_it_predicts_in_a_fresh_environment(wheel: Path, tmp_path: Path) -> None:
    save_all(tmp_path, KINDS)
    environment = tmp_path / "environment"
    venv.create(environment, with_pip=True)
    python = str(environment / "bin" / "python")
    subprocess.run([python, "-m", "pip", "install", "--quiet", str(wheel)], check=True, timeout=280)
    installed = subprocess.run(
        [python, "-m", "pip", "list", "--format", "freeze"], check=True, capture_output=True, text=True, timeout=60
    ).stdout

    loaded = predict_elsewhere(python, tmp_path, KINDS)

    for kind in KINDS:
        check_equal(tmp_path, kind)
    names = {line.partition("==")[0] for line in installed.splitlines()}
    assert names.isdisjoint({"torch", "lightning", "pyarrow", "scipy", "mlflow", "lstmgru-search"})
    assert loaded.isdisjoint({"torch", "pyarrow", "scipy"})
    missing = subprocess.run([python, "-c", "import torch"], capture_output=True, text=True, timeout=60, check=False)
    assert "No module named 'torch'" in missing.stderr
    script = "from pathlib import Path; from lstmgru.runtime import load_model\n"
    script += f"load_model({str(tmp_path / 'words.bundle')!r}).read_table(Path('new.parquet'))"
    (tmp_path / "new.parquet").write_bytes(b"PAR1")
    refused = subprocess.run([python, "-c", script], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert "new.parquet: pyarrow, which reads .parquet, is not installed" in refused.stderr

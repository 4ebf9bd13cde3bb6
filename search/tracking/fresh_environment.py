"""Whether an exported model, as MLflow serves it, works in an environment that has only what the model declares."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
import time
import venv
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from search.errors import ModelDoesNotServe, printable
from search.tracking.export import Export
from search.tracking.model import requirements, save_model
from search.tracking.store import ENVIRONMENT, talking_to

if TYPE_CHECKING:
    import pandas as pd

_PREDICT = """\
import sys, mlflow.pyfunc
model = mlflow.pyfunc.load_model(sys.argv[1])
model.predict(model.input_example).to_json(sys.argv[2], orient="split", date_format="iso")
"""
# Rounding differs between libraries; outputs are in single precision.
_RELATIVE, _ABSOLUTE = 1e-3, 1e-5


@dataclass(frozen=True)
class Checked:
    """How the check went.

    Attributes:
        rows: Number of rows that were predicted.
        requirements: What was installed, as pip reads it.
        seconds: Wall time, most of it for the installation.
    """

    rows: int
    requirements: tuple[str, ...]
    seconds: float


def check_environment(folder: Path) -> Checked:
    """Install what a model declares in a new virtual environment, and predict its example there with MLflow.

    Needs a package index, and disk for the packages while it runs.

    Args:
        folder: Directory of the model.

    Raises:
        BundleError: The directory has no model.
        ModelDoesNotServe: It has no example, a package cannot be installed, or the predictions are others.
    """
    from lstmgru.bundle.load import load_bundle

    start, bundle = time.monotonic(), load_bundle(folder)
    if bundle.example is None:
        raise ModelDoesNotServe(f"{folder} has no example.json to predict from; export the model again")
    export = Export.read(folder)
    with tempfile.TemporaryDirectory(prefix="lstmgru-check-") as name:
        place = Path(name)
        with talking_to(str(folder)):
            save_model(place / "model", export)
        venv.create(place / "environment", with_pip=True, symlinks=os.name != "nt")
        python = place / "environment" / ("Scripts" if os.name == "nt" else "bin") / "python"
        needed = place / "model" / "requirements.txt"
        _run([python, "-m", "pip", "install", "--quiet", "-r", needed], place, "its requirements cannot be installed")
        found = place / "predictions.json"
        _run([python, "-c", _PREDICT, place / "model", found], place, "it cannot predict its example")
        content = json.loads(found.read_text(encoding="utf-8"))
    _compare(content, bundle.predict(bundle.example, source="example"))
    return Checked(len(content["data"]), tuple(requirements(export)), time.monotonic() - start)


def _run(command: list[str | Path], folder: Path, problem: str) -> None:
    """Run a command in a folder without this program's packages.

    Raises:
        ModelDoesNotServe: It failed; the message has its last line.
    """
    environment = {key: value for key, value in os.environ.items() if key not in ("PYTHONPATH", "PYTHONHOME")}
    done = subprocess.run(
        [str(part) for part in command],
        cwd=folder,
        env={**ENVIRONMENT, "PIP_DISABLE_PIP_VERSION_CHECK": "1", **environment},
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    if done.returncode != 0:
        lines = [line for line in printable(done.stderr or done.stdout).splitlines() if line.strip()]
        errors = [line for line in lines if line.lower().startswith("error")] or lines
        reason = errors[-1].strip() if errors else f"exit code {done.returncode}"
        raise ModelDoesNotServe(f"the model does not work in a new environment: {problem}: {reason}")


def _compare(content: dict[str, list[object]], expected: pd.DataFrame) -> None:
    """Refuse predictions that differ from those of this environment.

    Raises:
        ModelDoesNotServe: Columns, rows or numbers differ.
    """
    import numpy as np
    import pandas as pd

    found = pd.DataFrame(content["data"], columns=content["columns"])
    if found.shape != expected.shape or list(found.columns) != list(expected.columns):
        raise ModelDoesNotServe(
            f"the model predicts {found.shape[0]} rows of {', '.join(found.columns)} in a new environment, but "
            f"{expected.shape[0]} of {', '.join(expected.columns)} here"
        )
    for name, column in expected.items():
        if column.dtype.kind == "f" and not np.allclose(
            found[name].astype(float),
            column,
            rtol=_RELATIVE,
            atol=_ABSOLUTE * float(column.abs().max()),
            equal_nan=True,
        ):
            raise ModelDoesNotServe(f"the model predicts another {name} in a new environment than here")

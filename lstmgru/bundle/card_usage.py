"""The last section of a model card: how to use the model."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from lstmgru.bundle.directory import EXAMPLE

_WHOLE = ("series", "lengths", "tokens")
_AXES = {
    "past": "batch, context, channel",
    "future": "batch, horizon, channel",
    "static": "batch, static covariate",
    "series": "batch",
    "lengths": "batch",
    "forecast": "batch, horizon, target",
    "quantiles": "batch, horizon, target, quantile",
    "values": "batch, step, channel",
    "tokens": "batch, step",
    "label": "batch",
    "probabilities": "batch, class",
    "value": "batch",
}


def usage(results: str, *, example: bool, options: str = "", more: Iterable[str] = ()) -> Iterator[str]:
    """How to use it on the command line, from Python and from MLflow.

    Args:
        results: What it gives: ``forecasts``.
        example: Whether the bundle has an example.
        options: Further arguments with which pandas reads its table.
        more: Further lines of Python.
    """
    yield "On the command line:"
    yield from _block("sh", f"python -m search predict path/to/this/bundle --data new.csv --output {results}.csv")
    yield "From Python:"
    yield from _block(
        "python",
        "import pandas as pd",
        "from lstmgru.bundle import load_bundle",
        "",
        'bundle = load_bundle("path/to/this/bundle")',
        f'{results} = bundle.predict(pd.read_csv("new.csv"{options}))',
        *more,
    )
    if example:
        yield f"A table to try it with, `bundle.example`, is in `{EXAMPLE}`."
        yield ""
    yield (
        'Where it is registered in MLflow, `mlflow.pyfunc.load_model("models:/<name>@champion")` gives a model whose '
        "`predict` takes the same table."
    )
    yield ""


def onnx_usage(onnx: dict[str, Any] | None, notes: Iterable[str]) -> Iterator[str]:
    """How to use its ONNX file; nothing if there is none.

    Args:
        onnx: What its ``bundle.json`` says of the file; ``None``: there is none.
        notes: What each array holds.
    """
    if onnx is None:
        return
    yield "With ONNX Runtime alone. Values are float32 in original units, and the batch may have any size."
    yield ""
    yield from (f"- {line}" for line in notes)
    arrays = [
        f'"{name}": np.ones({_shape(shape)}, np.{"int64" if name in _WHOLE else "float32"}),  # {_AXES[name]}'
        for name, shape in onnx["inputs"].items()
    ]
    outputs = list(onnx["outputs"])
    names = ", ".join(outputs) if len(outputs) > 1 else f"({outputs[0]},)"
    asked = ", ".join(f'"{name}"' for name in outputs)
    yield from _block(
        "python",
        "import numpy as np",
        "import onnxruntime",
        "",
        f'session = onnxruntime.InferenceSession("{onnx["file"]}")',
        "inputs = {",
        *(f"    {array}" for array in arrays),
        "}",
        f"{names} = session.run([{asked}], inputs)  # {'; '.join(_AXES[name] for name in outputs)}",
    )


def _shape(shape: list[Any]) -> str:
    sizes = ["1" if size == "batch" else str(size) for size in shape]
    return sizes[0] if len(sizes) == 1 else f"({', '.join(sizes)})"


def _block(language: str, *lines: str) -> Iterator[str]:
    yield from ("", f"```{language}", *lines, "```", "")

"""The last section of a model card: how to use the model."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from lstmgru.bundle.bundle import Bundle
from lstmgru.bundle.directory import DESCRIPTION
from lstmgru.bundle.format import EXAMPLE
from lstmgru.bundle.markdown import code, codes
from lstmgru.data.series import SeriesSchema

_AXES = {
    "past": "batch, context, channel",
    "future": "batch, horizon, channel",
    "static": "batch, static covariate",
    "series": "batch",
    "lengths": "batch",
    "forecast": "batch, horizon, target",
    "quantiles": "batch, horizon, target, quantile",
}


def usage(bundle: Bundle, onnx: dict[str, Any] | None) -> Iterator[str]:
    """The lines of the section.

    Args:
        bundle: The model.
        onnx: What its ``bundle.json`` says of the ONNX file; ``None``: there is none.
    """
    yield "On the command line:"
    yield from _block("sh", "python -m search predict path/to/this/bundle --data new.csv --output forecasts.csv")
    yield "From Python:"
    yield from _block(
        "python",
        "import pandas as pd",
        "from lstmgru.bundle import load_bundle",
        "",
        'bundle = load_bundle("path/to/this/bundle")',
        'forecasts = bundle.predict(pd.read_csv("new.csv"))',
    )
    if bundle.example is not None:
        yield f"A table to try it with, `bundle.example`, is in `{EXAMPLE}`."
        yield ""
    if onnx is not None:
        yield from _onnx(bundle, onnx)


def _onnx(bundle: Bundle, onnx: dict[str, Any]) -> Iterator[str]:
    yield "With ONNX Runtime alone. Values are float32 in original units, and the batch may have any size."
    yield ""
    yield from (f"- {line}" for line in _arrays(bundle, list(onnx["inputs"])))
    arrays = [
        f'"{name}": np.ones({_shape(shape)}, np.{_type(name)}),  # {_AXES[name]}'
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


def _arrays(bundle: Bundle, inputs: list[str]) -> Iterator[str]:
    """What each array holds."""
    schema = bundle.schema
    yield f"The channels of `past` are {codes(list(bundle.channels), most=50)}" + (
        f"; those of `future` are the last {bundle.n_future} of them." if bundle.n_future else "."
    )
    if schema.calendar:
        yield _calendar(schema)
    if schema.categories:
        yield (
            "A name is its code: its place in `data.schema.categories` of "
            f"`{DESCRIPTION}`, from 1. Any other name has the code 0."
        )
    if "static" in inputs:
        yield f"`static` holds {codes(list(schema.static_covariates), most=50)}."
    if "series" in inputs:
        yield (
            f"`series` (int64) is the place of the series in `data.ids` of `{DESCRIPTION}`, from 1. Any other series "
            "has the code 0, and no forecast but NaN."
        )
    if "lengths" in inputs:
        yield "`lengths` (int64) says how many rows of each context are real, its last; the rows before them hold 0."
    if bundle.calibration is not None:
        missing = "; NaN where there is no interval" if len(bundle.levels) < len(bundle.forecast.levels) else ""
        probabilities = ", ".join(f"{probability:g}" for probability in bundle.forecast.quantiles)
        yield f"`quantiles` are those of the probabilities {probabilities}{missing}."


def _calendar(schema: SeriesSchema) -> str:
    pairs = [channel.removesuffix("_sin") for channel in schema.calendar if channel.endswith("_sin")]
    explained = [
        f"A pair such as {code(pairs[0] + '_sin')}, {code(pairs[0] + '_cos')} is the sine and cosine of 2π times the "
        "fraction of the period that has passed, by the clock of the time column."
    ] if pairs else []  # fmt: skip
    if "year" in schema.calendar:
        explained.append("`year` counts the years since the start of 2000, with their fraction.")
    return " ".join(explained)


def _type(name: str) -> str:
    return "int64" if name in ("series", "lengths") else "float32"


def _shape(shape: list[Any]) -> str:
    sizes = ["1" if size == "batch" else str(size) for size in shape]
    return sizes[0] if len(sizes) == 1 else f"({', '.join(sizes)})"


def _block(language: str, *lines: str) -> Iterator[str]:
    yield from ("", f"```{language}", *lines, "```", "")

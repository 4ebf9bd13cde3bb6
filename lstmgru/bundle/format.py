"""The description of a bundle: what ``bundle.json`` holds."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lstmgru.bundle.bundle import Bundle
from lstmgru.bundle.output import forecast_columns
from lstmgru.errors import BundleError
from lstmgru.registry import registered_cells
from lstmgru.specs import ModelSpec

if TYPE_CHECKING:
    import pandas as pd

FORMAT_VERSION = 2
WEIGHTS = "weights.safetensors"
ONNX = "model.onnx"
CARD = "MODEL_CARD.md"
EXAMPLE = "example.json"


def describe(
    bundle: Bundle,
    *,
    weights_sha256: str,
    onnx: dict[str, Any] | None,
    onnx_problem: str | None,
    provenance: dict[str, Any],
) -> dict[str, Any]:
    """Everything but the weights, as plain values.

    Args:
        bundle: The model.
        weights_sha256: Of the weights file, in hexadecimal.
        onnx: Of the ONNX file: ``file``, ``inputs``, ``outputs``, ``parity``; ``None``: there is none.
        onnx_problem: Why there is none, if one was asked for.
        provenance: The bundle's, completed.

    Raises:
        BundleError: ``metrics`` or ``provenance`` hold something that JSON cannot.
    """
    return {
        "format_version": FORMAT_VERSION,
        "model": bundle.model_spec.to_dict(),
        "training": bundle.train_spec.to_dict(),
        "forecast": bundle.forecast.to_dict(),
        "data": {
            "schema": bundle.schema.to_dict(),
            "frequency": bundle.frequency,
            "step": bundle.step,
            "timezone": bundle.timezone,
            "gaps": bundle.gaps,
            "short_series": bundle.short_series,
            "ids": plain(bundle.ids, "ids"),
        },
        "channels": list(bundle.channels),
        "forecast_columns": forecast_columns(bundle.schema, bundle.levels),
        "registered_cells": _registered(bundle.model_spec),
        "scaler": bundle.scaler.to_dict(),
        "calibration": None if bundle.calibration is None else bundle.calibration.to_dict(),
        "weights": {"file": WEIGHTS, "sha256": weights_sha256},
        "onnx": onnx,
        "onnx_problem": onnx_problem,
        "metrics": plain(bundle.metrics, "metrics"),
        "provenance": plain(provenance, "provenance"),
    }


def _registered(model: ModelSpec) -> dict[str, str]:
    """The cells of an architecture that are not the library's own: name → class, for whoever has to register them."""
    registered = registered_cells()
    names = {layer.cell for stack in model.branches for layer in stack}
    return {name: f"{cell.__module__}.{cell.__qualname__}" for name, cell in registered.items() if name in names}


def describe_example(frame: pd.DataFrame) -> dict[str, Any]:
    """A table as ``example.json`` holds it: ``columns``, and ``data`` row by row; missing values are ``None``.

    Raises:
        BundleError: A cell is something that JSON cannot hold.
    """
    rows = frame.itertuples(index=False, name=None)
    return {"columns": list(frame.columns), "data": [plain(list(row), "example") for row in rows]}


def plain(value: Any, key: str) -> Any:
    """A value as JSON holds it; numbers that are not finite become ``None``.

    Args:
        value: Plain values, numpy scalars, dates and paths, in dicts and lists.
        key: Where it stands, for messages.

    Raises:
        BundleError: It is something else.
    """
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, Mapping):
        return {str(name): plain(item, f"{key}.{name}") for name, item in value.items()}
    if isinstance(value, list | tuple | np.ndarray):
        return [plain(item, f"{key}.{index}") for index, item in enumerate(value)]
    raise BundleError(f"{key} of a bundle must be plain values but is a {type(value).__name__}")

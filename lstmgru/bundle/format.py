"""The description of a bundle: what ``bundle.json`` holds."""

from __future__ import annotations

from typing import Any, Literal

from lstmgru.bundle.directory import VOCABULARY, WEIGHTS
from lstmgru.bundle.forecasting.bundle import ForecastBundle
from lstmgru.bundle.forecasting.format import describe_forecaster
from lstmgru.bundle.plain import plain
from lstmgru.bundle.sequences.bundle import SequenceBundle
from lstmgru.bundle.sequences.format import describe_predictor
from lstmgru.specs.layers import Stack
from lstmgru.specs.registry import registered_cells

AnyBundle = ForecastBundle | SequenceBundle
"""What can be saved and loaded."""
BundleTask = Literal["forecast", "classification", "regression"]

FORMAT_VERSION = 3
READABLE_VERSIONS = (2, 3)
"""Version 2 had no ``task``: all models forecast."""


def describe(
    bundle: AnyBundle,
    *,
    weights_sha256: str,
    vocabulary_sha256: str | None,
    onnx: dict[str, Any] | None,
    onnx_problem: str | None,
    provenance: dict[str, Any],
) -> dict[str, Any]:
    """Everything but weights and vocabulary, as plain values.

    Args:
        bundle: The model.
        weights_sha256: Of the weights file, in hexadecimal.
        vocabulary_sha256: Of the vocabulary's; ``None``: the model reads no texts.
        onnx: Of the ONNX file: ``file``, ``inputs``, ``outputs``, ``parity``; ``None``: there is none.
        onnx_problem: Why there is none, if one was asked for.
        provenance: The bundle's, completed.

    Raises:
        BundleError: ``metrics`` or ``provenance`` hold something that JSON cannot.
    """
    of_kind = describe_forecaster(bundle) if isinstance(bundle, ForecastBundle) else describe_predictor(bundle)
    files = {"weights": {"file": WEIGHTS, "sha256": weights_sha256}}
    if vocabulary_sha256 is not None:
        files["vocabulary"] = {"file": VOCABULARY, "sha256": vocabulary_sha256}
    return {
        "format_version": FORMAT_VERSION,
        "task": task_of(bundle),
        "model": bundle.model_spec.to_dict(),
        "training": bundle.train_spec.to_dict(),
        "registered_cells": _registered(bundle.model_spec.branches),
        **of_kind,
        **files,
        "onnx": onnx,
        "onnx_problem": onnx_problem,
        "metrics": plain(bundle.metrics, "metrics"),
        "provenance": plain(provenance, "provenance"),
    }


def task_of(bundle: AnyBundle) -> BundleTask:
    """What a model does."""
    return "forecast" if isinstance(bundle, ForecastBundle) else bundle.task.task


def _registered(branches: tuple[Stack, ...]) -> dict[str, str]:
    """The cells of an architecture that are not the library's own: name → class, for whoever has to register them."""
    names = {layer.cell for stack in branches for layer in stack}
    return {
        name: f"{cell.__module__}.{cell.__qualname__}" for name, cell in registered_cells().items() if name in names
    }

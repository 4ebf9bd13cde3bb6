"""Load a bundle for prediction with ONNX Runtime."""

from __future__ import annotations

import pkgutil
from pathlib import Path
from typing import Any

from lstmgru.errors import BundleError, one_of
from lstmgru.runtime.files import ONNX, BundleFiles
from lstmgru.runtime.graph import OnnxGraph
from lstmgru.runtime.predictor import Predictor
from lstmgru.specs.tasks import TASKS

PROVEN = 1e-5
"""Largest difference from PyTorch, as it was measured at the export, with which the ONNX model stands for it."""


def load_model(directory: Path | str, *, threads: int | None = None) -> Predictor:
    """Load a bundle that :func:`~lstmgru.bundle.save_bundle` wrote; PyTorch is not needed.

    Args:
        directory: The bundle.
        threads: Batches that are computed at the same time; ``None``: as many as processors may be used.

    Raises:
        BundleError: The directory or a file is missing, damaged or changed, its format version is unknown, or there is
            no ONNX model.
    """
    files = BundleFiles.of(directory)
    description = files.description()
    with files.described():
        if description["onnx"] is None:
            raise _no_graph(files, description)
        content = files.read(ONNX)
        task = description["task"]
        one_of("task", task, tuple(TASKS))
        model: Any = pkgutil.resolve_name(TASKS[task].runtime)
        vocabularies = files.vocabularies(description)
        predictor: Predictor = model.from_description(description, vocabularies, OnnxGraph(content, threads=threads))
        return predictor.with_arrays(files.arrays(description))


def is_proven(description: dict[str, Any]) -> bool:
    """Whether a bundle has an ONNX model that gave the results of PyTorch when it was exported.

    Args:
        description: The content of ``bundle.json``.
    """
    found = (description.get("onnx") or {}).get("parity") or []
    return bool(found) and all(batch["relative"] <= PROVEN for batch in found)


def _no_graph(files: BundleFiles, description: dict[str, Any]) -> BundleError:
    reason = description.get("onnx_problem") or "it was saved without one"
    return BundleError(
        f"{files.folder} has no ONNX model: {reason}; it needs PyTorch: pip install lstmgru-search, and load it with "
        "lstmgru.bundle.load_bundle, or predict --engine torch"
    )

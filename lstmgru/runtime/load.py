"""Load a bundle for prediction with ONNX Runtime."""

from __future__ import annotations

import pkgutil
from pathlib import Path
from typing import Any

from lstmgru.errors import BundleError, one_of
from lstmgru.runtime.files import NETWORKS, ONNX, WEIGHTS, BundleFiles
from lstmgru.runtime.graph import OnnxGraph, Stored
from lstmgru.runtime.predictor import Predictor
from lstmgru.runtime.weights import read_arrays
from lstmgru.specs.tasks import TASKS

PROVEN = 1e-5
"""Largest difference from PyTorch, as it was measured at the export, with which the ONNX model stands for it."""


def load_model(directory: Path | str, *, threads: int | None = None) -> Predictor:
    """Load a bundle that :func:`~lstmgru.bundle.save_bundle` wrote; PyTorch is not needed.

    Args:
        directory: The bundle.
        threads: Batches that are computed at the same time; ``None``: as many as processors may be used.

    Raises:
        BundleError: The directory or a file is missing, damaged or changed, its format version is unknown, or a member
            can be computed by PyTorch only.
    """
    files = BundleFiles.of(directory)
    return build(files, files.description(), threads=threads)


def build(files: BundleFiles, description: dict[str, Any], *, threads: int | None = None) -> Predictor:
    """The model in a directory, see :func:`load_model`.

    Args:
        files: The directory.
        description: The content of its ``bundle.json``.
        threads: As for :func:`load_model`.

    Raises:
        BundleError: As by :func:`load_model`.
    """
    with files.described():
        stored = _stored(files, description, threads)
        task = description["task"]
        one_of("task", task, tuple(TASKS))
        model: Any = pkgutil.resolve_name(TASKS[task].runtime)
        predictor: Predictor = model.from_description(description, stored)
        return predictor.with_arrays(files.arrays(description))


def _stored(files: BundleFiles, description: dict[str, Any], threads: int | None) -> Stored:
    """What a model reads of the other files."""
    vocabularies, mixture = files.vocabularies(description), description.get("mixture")
    if description["onnx"] is not None:
        return Stored(vocabularies, OnnxGraph(files.read(ONNX), threads=threads))
    if mixture is None:
        raise _no_graph(files, description)
    weights = files.read(WEIGHTS)
    files.check_digest(WEIGHTS, weights, description["weights"]["sha256"])
    arrays = read_arrays(weights, files.folder / WEIGHTS, description)
    graph = None if mixture["networks"] is None else OnnxGraph(files.read(NETWORKS), threads=threads)
    return Stored(vocabularies, graph, arrays)


def is_proven(description: dict[str, Any]) -> bool:
    """Whether the model without PyTorch gave the results of PyTorch when the bundle was exported.

    Args:
        description: The content of ``bundle.json``.
    """
    found = (description.get("onnx") or description.get("mixture") or {}).get("parity")
    return found is not None and all(batch["relative"] <= PROVEN for batch in found)


def _no_graph(files: BundleFiles, description: dict[str, Any]) -> BundleError:
    reason = description.get("onnx_problem") or "it was saved without one"
    return BundleError(
        f"{files.folder} has no ONNX model: {reason}; it needs PyTorch: pip install lstmgru-search, and load it with "
        "lstmgru.bundle.load_bundle, or predict --engine torch"
    )

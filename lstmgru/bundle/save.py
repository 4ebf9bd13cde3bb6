"""Write a bundle."""

from __future__ import annotations

import hashlib
import platform
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Literal

from safetensors.torch import save as save_tensors

from lstmgru.bundle.base import Bundle
from lstmgru.bundle.files import (
    CARD,
    DESCRIPTION,
    EXAMPLE,
    FORMAT_VERSION,
    ONNX,
    VOCABULARY,
    WEIGHTS,
    plain,
    plain_table,
    replacing,
    write_json,
)
from lstmgru.errors import BundleError
from lstmgru.specs import Stack
from lstmgru.specs.cells import registered_cells

_PACKAGES = ("lstmgru-search", "torch", "lightning", "numpy", "pandas", "safetensors", "onnx", "onnxruntime")


@dataclass(frozen=True)
class SavedBundle:
    """What was written.

    Attributes:
        directory: The bundle.
        onnx_problem: Why the ONNX export failed, one line; ``None`` if it did not.
    """

    directory: Path
    onnx_problem: str | None


def save_bundle(directory: Path | str, bundle: Bundle, *, onnx: bool | Literal["try"] = True) -> SavedBundle:
    """Write a bundle as a directory, completely or not at all.

    The files: ``weights.safetensors``; ``bundle.json``, everything else that :func:`~lstmgru.bundle.load_bundle` needs,
    except the ``vocabulary.json`` of a text model; ``model.onnx`` for servers without Python; ``example.json``, a table
    to try the model with, if the bundle has one; ``MODEL_CARD.md`` for people.

    Args:
        directory: An existing bundle is replaced.
        bundle: The model. Versions and the time are added to its provenance unless present.
        onnx: Also export to ONNX, which takes a few seconds, and verify that the results are the same. With ``"try"``,
            a failed export, as is possible with a custom cell, does not fail the save: the bundle is written without
            the file, and the return value, ``bundle.json`` and the model card give the reason.

    Raises:
        BundleError: Something other than a bundle exists there, or the ONNX export failed.
    """
    with replacing(Path(directory)) as partial:
        weights = save_tensors({name: tensor.contiguous() for name, tensor in bundle.network.state_dict().items()})
        (partial / WEIGHTS).write_bytes(weights)
        files = {"weights": {"file": WEIGHTS, "sha256": hashlib.sha256(weights).hexdigest()}}
        vocabulary = bundle.vocabulary
        if vocabulary is not None:
            write_json(partial / VOCABULARY, vocabulary, indent=0)
            digest = hashlib.sha256((partial / VOCABULARY).read_bytes()).hexdigest()
            files["vocabulary"] = {"file": VOCABULARY, "sha256": digest}
        exported, problem = None, None
        try:
            exported = _export(bundle, partial / ONNX) if onnx else None
        except BundleError as error:
            if onnx != "try":
                raise
            problem = str(error)
        description = _describe(bundle, files, exported, problem)
        write_json(partial / DESCRIPTION, description, indent=2)
        if bundle.example is not None:
            write_json(partial / EXAMPLE, plain_table(bundle.example))
        (partial / CARD).write_text(bundle.card(description).to_markdown(), encoding="utf-8")
    return SavedBundle(Path(directory), problem)


def _describe(
    bundle: Bundle, files: dict[str, dict[str, str]], onnx: dict[str, Any] | None, onnx_problem: str | None
) -> dict[str, Any]:
    """The content of ``bundle.json``.

    Args:
        bundle: The model.
        files: Name and digest of the weights and, for a text model, the vocabulary.
        onnx: Description of the ONNX file: ``file``, ``inputs``, ``outputs``, ``parity``; ``None`` if there is none.
        onnx_problem: Why there is none, if the export failed.

    Raises:
        BundleError: A value cannot be represented in JSON.
    """
    created = {"created": datetime.now(UTC).isoformat(timespec="seconds"), "versions": _versions()}
    return {
        "format_version": FORMAT_VERSION,
        "task": bundle.task_name,
        "model": bundle.model_spec.to_dict(),
        "training": bundle.train_spec.to_dict(),
        "registered_cells": _registered(bundle.model_spec.branches),
        **bundle.describe(),
        **files,
        "onnx": onnx,
        "onnx_problem": onnx_problem,
        "metrics": plain(bundle.metrics, "metrics"),
        "provenance": plain(created | bundle.provenance, "provenance"),
    }


def _registered(branches: tuple[Stack, ...]) -> dict[str, str]:
    """The custom cells of an architecture: name → class, for whoever has to register them."""
    names = {layer.cell for stack in branches for layer in stack}
    return {
        name: f"{cell.__module__}.{cell.__qualname__}" for name, cell in registered_cells().items() if name in names
    }


def _versions() -> dict[str, str]:
    """Versions of Python and of the installed packages that a model depends on."""
    found = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def _export(bundle: Bundle, path: Path) -> dict[str, Any]:
    from lstmgru.bundle.onnx.export import export_onnx

    servable = bundle.servable
    parity = export_onnx(servable, path)
    inputs, outputs = (
        {name: ["batch", *shape] for name, shape in shapes.items()}
        for shapes in (servable.shapes, servable.output_shapes)
    )
    return {"file": ONNX, "inputs": inputs, "outputs": outputs, "parity": parity.to_list()}

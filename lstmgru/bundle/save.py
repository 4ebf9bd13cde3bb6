"""Write a bundle."""

from __future__ import annotations

import platform
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Literal

import numpy as np
from safetensors.torch import save as save_tensors

from lstmgru.bundle.base import Bundle, Servable
from lstmgru.bundle.files import plain, plain_table, replacing, write_json, write_manifest
from lstmgru.errors import BundleError
from lstmgru.runtime.files import (
    CARD,
    DESCRIPTION,
    EXAMPLE,
    MANIFEST,
    NETWORKS,
    ONNX,
    WEIGHTS,
    BundleFiles,
    array_name,
    digest,
    vocabulary_name,
)
from lstmgru.runtime.versions import FORMAT_VERSION, array_prefix
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
    except the ``vocabulary.json`` of a text model, and ``vocabulary-2.json`` if it reads words and characters;
    ``normal_scores.npy``, the errors of the backtest of a forecasting model, if they are known; ``model.onnx`` for
    servers without Python, or ``networks.onnx`` if other members cannot stand in ONNX; ``example.json``, a table to
    try the model with, if the bundle has one; ``MODEL_CARD.md`` for people; ``manifest.json``, the SHA-256 digest of
    each of them.

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
        files = _write_arrays(bundle, partial)
        exported, problem = None, None
        try:
            exported = _export(bundle.servable, partial / ONNX) if onnx else None
        except BundleError as error:
            if onnx != "try":
                raise
            problem = str(error)
        description = _describe(bundle, files, exported, problem)
        if onnx and exported is None:
            description |= _describe_mixture(bundle, partial, description)
        write_json(partial / DESCRIPTION, description, indent=2)
        if bundle.example is not None:
            write_json(partial / EXAMPLE, plain_table(bundle.example))
        (partial / CARD).write_text(bundle.card(description).to_markdown(), encoding="utf-8")
        write_manifest(partial)
    return SavedBundle(Path(directory), problem)


def _write_arrays(bundle: Bundle, folder: Path) -> dict[str, Any]:
    """Write weights, other arrays and vocabularies; names and digests of the files, as keys of ``bundle.json``."""
    arrays = {
        array_prefix(number) + name: tensor.contiguous().clone()  # safetensors refuses shared memory
        for number, part in enumerate(bundle.arrays())
        for name, tensor in part.items()
    }
    content = save_tensors(arrays)
    (folder / WEIGHTS).write_bytes(content)
    vocabularies = []
    for number, vocabulary in enumerate(bundle.vocabularies):
        path = folder / vocabulary_name(number)
        write_json(path, vocabulary, indent=0)
        vocabularies.append({"file": path.name, "sha256": digest(path.read_bytes())})
    others = {}
    for name, array in bundle.extra_arrays.items():
        path = folder / array_name(name)
        np.save(path, array.astype(np.float32), allow_pickle=False)
        others[name] = {"file": path.name, "sha256": digest(path.read_bytes())}
    weights = {"file": WEIGHTS, "sha256": digest(content)}
    return {"weights": weights, "arrays": others, "vocabularies": vocabularies}


def _describe(
    bundle: Bundle, files: dict[str, Any], onnx: dict[str, Any] | None, onnx_problem: str | None
) -> dict[str, Any]:
    """The content of ``bundle.json``.

    Args:
        bundle: The model.
        files: Names and digests of the weights, of other arrays and, for a text model, of the vocabularies.
        onnx: Description of the ONNX file: ``file``, ``inputs``, ``outputs``, ``parity``; ``None`` if there is none.
        onnx_problem: Why there is none, if the export failed.

    Raises:
        BundleError: A value cannot be represented in JSON.
    """
    created = {"created": datetime.now(UTC).isoformat(timespec="seconds"), "versions": _versions()}
    return {
        "format_version": FORMAT_VERSION,
        "task": bundle.task_name,
        "manifest": MANIFEST,
        "registered_cells": _registered(stack for member in bundle.networks for stack in member.model_spec.branches),
        "members": [plain(member.describe(), f"members.{number}") for number, member in enumerate(bundle.members)],
        **bundle.describe(),
        **files,
        "onnx": onnx,
        "onnx_problem": onnx_problem,
        "mixture": None,
        "metrics": plain(bundle.metrics, "metrics"),
        "provenance": plain(created | bundle.provenance, "provenance"),
    }


def _registered(branches: Iterable[Stack]) -> dict[str, str]:
    """The custom cells of some architectures: name → class, for whoever has to register them."""
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


def _describe_mixture(bundle: Bundle, folder: Path, description: dict[str, Any]) -> dict[str, Any]:
    """Export the networks of a blend that cannot stand in ONNX, and describe how it is computed without PyTorch.

    Args:
        bundle: The model.
        folder: Where the arrays of its members are.
        description: The content of ``bundle.json`` so far.

    Returns:
        Keys of ``bundle.json``: ``mixture``, with the file of the networks and the difference from PyTorch, or
        ``onnx_problem`` with the reason why the networks cannot be exported either.
    """
    from lstmgru.runtime.load import build

    if not bundle.servable.outside:
        return {}
    share = bundle.network_share
    try:
        networks = None if share is None else _export(share, folder / NETWORKS)
        parity = bundle.parity(build(BundleFiles(folder, {}), {**description, "mixture": {"networks": networks}}))
    except BundleError as error:
        return {"onnx_problem": f"{description['onnx_problem']}; its networks cannot stand alone either: {error}"}
    return {"mixture": {"networks": networks, "parity": parity.to_list()}}


def _export(servable: Servable, path: Path) -> dict[str, Any]:
    from lstmgru.bundle.onnx.export import export_onnx

    parity = export_onnx(servable, path)
    inputs, outputs = (
        {name: ["batch", *shape] for name, shape in shapes.items()}
        for shapes in (servable.shapes, servable.output_shapes)
    )
    return {"file": path.name, "inputs": inputs, "outputs": outputs, "parity": parity.to_list()}

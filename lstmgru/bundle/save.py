"""Write a bundle."""

from __future__ import annotations

import hashlib
import json
import platform
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Literal

from safetensors.torch import save as save_tensors

from lstmgru.bundle.bundle import Bundle
from lstmgru.bundle.card import model_card
from lstmgru.bundle.directory import DESCRIPTION, replacing
from lstmgru.bundle.format import CARD, EXAMPLE, ONNX, WEIGHTS, describe, describe_example
from lstmgru.errors import BundleError

_PACKAGES = ("lstmgru-search", "torch", "lightning", "numpy", "pandas", "safetensors", "onnx", "onnxruntime")


@dataclass(frozen=True)
class SavedBundle:
    """What was written.

    Attributes:
        directory: The bundle.
        onnx_problem: Why it has no ONNX file although one was tried, one line; else ``None``.
    """

    directory: Path
    onnx_problem: str | None


def save_bundle(directory: Path | str, bundle: Bundle, *, onnx: bool | Literal["try"] = True) -> SavedBundle:
    """Write a bundle as a directory, whole or not at all.

    The files: ``weights.safetensors``; ``bundle.json``, everything else that :func:`~lstmgru.bundle.load_bundle` needs;
    ``model.onnx`` for servers without Python; ``example.json``, a table to try it with, if the bundle has one;
    ``MODEL_CARD.md`` for people.

    Args:
        directory: An earlier bundle there is replaced.
        bundle: The model. Versions and the time are added to its provenance unless it has them.
        onnx: Export to ONNX as well, which takes a few seconds, and check that it forecasts the same. ``"try"``: should
            that fail, as it may with a cell of one's own, the bundle is written without, and what is returned, its
            description and its card say why.

    Raises:
        BundleError: Something that is no bundle stands there, or the ONNX model cannot be exported or forecasts
            something else.
    """
    provenance = {
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "versions": versions(),
    } | bundle.provenance
    with replacing(Path(directory)) as partial:
        weights = save_tensors({name: tensor.contiguous() for name, tensor in bundle.network.state_dict().items()})
        (partial / WEIGHTS).write_bytes(weights)
        exported, problem = None, None
        try:
            exported = _export(bundle, partial / ONNX) if onnx else None
        except BundleError as error:
            if onnx != "try":
                raise
            problem = str(error)
        description = describe(
            bundle,
            weights_sha256=hashlib.sha256(weights).hexdigest(),
            onnx=exported,
            onnx_problem=problem,
            provenance=provenance,
        )
        (partial / DESCRIPTION).write_text(_json(description, indent=2), encoding="utf-8")
        if bundle.example is not None:
            (partial / EXAMPLE).write_text(_json(describe_example(bundle.example)), encoding="utf-8")
        (partial / CARD).write_text(model_card(bundle, description), encoding="utf-8")
    return SavedBundle(Path(directory), problem)


def versions() -> dict[str, str]:
    """Versions of Python and of the packages that a model depends on, as far as they are installed."""
    found = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def _json(value: dict[str, Any], *, indent: int | None = None) -> str:
    return json.dumps(value, indent=indent, ensure_ascii=False, allow_nan=False) + "\n"


def _export(bundle: Bundle, path: Path) -> dict[str, Any]:
    from lstmgru.bundle.onnx import export_onnx

    parity = export_onnx(bundle.forecaster, path)
    inputs, outputs = (
        {name: ["batch", *shape] for name, shape in shapes.items()}
        for shapes in (bundle.forecaster.shapes, bundle.forecaster.output_shapes)
    )
    return {"file": ONNX, "inputs": inputs, "outputs": outputs, "parity": parity.to_list()}

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

from lstmgru.bundle.card import model_card
from lstmgru.bundle.directory import CARD, DESCRIPTION, EXAMPLE, ONNX, VOCABULARY, WEIGHTS, replacing
from lstmgru.bundle.forecasting.bundle import ForecastBundle
from lstmgru.bundle.format import AnyBundle, describe
from lstmgru.bundle.plain import describe_example, write_json
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


def save_bundle(directory: Path | str, bundle: AnyBundle, *, onnx: bool | Literal["try"] = True) -> SavedBundle:
    """Write a bundle as a directory, whole or not at all.

    The files: ``weights.safetensors``; ``bundle.json``, everything else that :func:`~lstmgru.bundle.load_bundle` needs,
    but for ``vocabulary.json`` of a model that reads texts; ``model.onnx`` for servers without Python;
    ``example.json``, a table to try it with, if the bundle has one; ``MODEL_CARD.md`` for people.

    Args:
        directory: An earlier bundle there is replaced.
        bundle: The model. Versions and the time are added to its provenance unless it has them.
        onnx: Export to ONNX as well, which takes a few seconds, and check that it computes the same. ``"try"``: should
            that fail, as it may with a cell of one's own, the bundle is written without, and what is returned, its
            description and its card say why.

    Raises:
        BundleError: Something that is no bundle stands there, or the ONNX model cannot be exported or computes
            something else.
    """
    provenance = {
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "versions": versions(),
    } | bundle.provenance
    with replacing(Path(directory)) as partial:
        weights = save_tensors({name: tensor.contiguous() for name, tensor in bundle.network.state_dict().items()})
        (partial / WEIGHTS).write_bytes(weights)
        vocabulary = _write_vocabulary(bundle, partial / VOCABULARY)
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
            vocabulary_sha256=vocabulary,
            onnx=exported,
            onnx_problem=problem,
            provenance=provenance,
        )
        write_json(partial / DESCRIPTION, description, indent=2)
        if bundle.example is not None:
            write_json(partial / EXAMPLE, describe_example(bundle.example))
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


def _write_vocabulary(bundle: AnyBundle, path: Path) -> str | None:
    """Write what a model of texts knows of words or characters, and give the digest of the file."""
    if isinstance(bundle, ForecastBundle) or bundle.encoding.vocabulary is None:
        return None
    write_json(path, bundle.encoding.vocabulary.to_dict(), indent=0)
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _export(bundle: AnyBundle, path: Path) -> dict[str, Any]:
    from lstmgru.bundle.onnx.export import export_onnx

    servable = bundle.forecaster if isinstance(bundle, ForecastBundle) else bundle.predictor
    parity = export_onnx(servable, path)
    inputs, outputs = (
        {name: ["batch", *shape] for name, shape in shapes.items()}
        for shapes in (servable.shapes, servable.output_shapes)
    )
    return {"file": ONNX, "inputs": inputs, "outputs": outputs, "parity": parity.to_list()}

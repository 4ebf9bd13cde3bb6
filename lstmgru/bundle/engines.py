"""What computes the predictions of a bundle: ONNX Runtime or PyTorch."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, get_args

from lstmgru.errors import BundleError, one_of
from lstmgru.runtime.files import BundleFiles
from lstmgru.runtime.load import is_proven, load_model
from lstmgru.runtime.predictor import Predictor

Engine = Literal["auto", "onnx", "torch"]
ENGINES: tuple[str, ...] = get_args(Engine)


def open_model(directory: Path | str, engine: str = "auto") -> Predictor:
    """Load a bundle for prediction.

    Args:
        directory: The bundle.
        engine: ``onnx``: ONNX Runtime, which loads faster; ``torch``: PyTorch, which any bundle can be computed with;
            ``auto``: ONNX Runtime for a bundle whose ONNX model gave the same results when it was exported, to 1e-5,
            otherwise PyTorch.

    Raises:
        BundleError: The engine is unknown, or the bundle cannot be loaded with it.
    """
    one_of("engine", engine, ENGINES, BundleError)
    files = BundleFiles.of(directory)
    with files.described():
        onnx = engine == "onnx" or (engine == "auto" and is_proven(files.description()))
    if onnx:
        return load_model(directory)
    from lstmgru.bundle.load import load_bundle

    return load_bundle(directory)

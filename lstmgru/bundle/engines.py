"""What computes the predictions of a bundle: ONNX Runtime or PyTorch."""

from __future__ import annotations

from pathlib import Path

from lstmgru.errors import BundleError, one_of
from lstmgru.runtime.files import BundleFiles
from lstmgru.runtime.load import build, is_proven
from lstmgru.runtime.predictor import Predictor

ENGINES = ("auto", "onnx", "torch")


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
    if engine != "torch":
        files = BundleFiles.of(directory)
        description = files.description()
        with files.described():
            onnx = engine == "onnx" or is_proven(description)
        if onnx:
            return build(files, description)
    from lstmgru.bundle.load import load_bundle

    return load_bundle(directory)

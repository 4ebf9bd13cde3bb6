"""Export to ONNX, and the proof that the exported model forecasts the same."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from lstmgru.bundle.forecaster import UnscaledForecaster
from lstmgru.bundle.onnx_layers import with_onnx_layers
from lstmgru.errors import BundleError

BATCH_SIZES = (1, 7, 64)
TOLERANCE = 1e-5
"""Largest difference in units of a target's standard deviation."""

# Where the mean dwarfs the deviation, single precision cannot tell values apart that are this many roundings away.
_ROUNDINGS = 4
_METADATA = ("metadata_props", "doc_string")


@dataclass(frozen=True)
class BatchParity:
    """How far ONNX Runtime is from torch on one batch.

    Attributes:
        batch_size: Windows.
        absolute: Largest difference in original units.
        relative: Largest difference in standard deviations of the target.
    """

    batch_size: int
    absolute: float
    relative: float


@dataclass(frozen=True)
class Parity:
    """How far ONNX Runtime is from torch, one batch size after the other."""

    batches: tuple[BatchParity, ...]

    def to_list(self) -> list[dict[str, Any]]:
        """Plain values for JSON."""
        return [asdict(batch) for batch in self.batches]


def export_onnx(forecaster: UnscaledForecaster, path: Path) -> Parity:
    """Write a forecaster as one ONNX file and compare the two.

    The graph takes ``past`` (batch, T, F) and, where K is not 0, ``future`` (batch, H, K), gives ``forecast``
    (batch, H, Y), all float32 in original units. The batch is dynamic, the context is not.

    Args:
        forecaster: On the CPU.
        path: File to write.

    Raises:
        BundleError: torch cannot export it, or the exported model forecasts something else.
    """
    import onnx

    inputs = forecaster.random_inputs(2)
    names = ["past", "future"][: len(inputs)]
    batch = torch.export.Dim("batch", min=1)
    with _quiet():
        try:
            program = torch.onnx.export(
                with_onnx_layers(forecaster),
                inputs,
                input_names=names,
                output_names=["forecast"],
                dynamic_shapes={name: {0: batch} for name in names},
                dynamo=True,
                verbose=False,
            )
        except torch.onnx.OnnxExporterError as error:
            cause = error.__cause__ or error  # torch wraps it in a page of advice
            reason = next(iter(str(cause).strip().splitlines()), "")
            raise BundleError(f"the model cannot be exported to ONNX: {type(cause).__name__}: {reason}") from error
    assert program is not None  # it is with dynamo=True
    model = program.model_proto
    _strip(model.graph)
    onnx.checker.check_model(model)
    onnx.save_model(model, path)
    return compare(forecaster, path)


def compare(forecaster: UnscaledForecaster, path: Path) -> Parity:
    """Compare an ONNX file with the forecaster that it should be, on random inputs.

    Raises:
        BundleError: They differ by more than rounding explains.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    n_targets = forecaster.network.n_targets
    mean, scale = forecaster.mean[:n_targets], forecaster.scale[:n_targets]
    allowed = TOLERANCE * scale + _ROUNDINGS * torch.finfo(torch.float32).eps * mean.abs()
    batches = []
    for size in BATCH_SIZES:
        inputs = forecaster.random_inputs(size, seed=size)
        feeds = {node.name: tensor.numpy() for node, tensor in zip(session.get_inputs(), inputs, strict=True)}
        with torch.inference_mode():
            expected = forecaster(*inputs)
        difference = (torch.from_numpy(session.run(["forecast"], feeds)[0]) - expected).abs()
        batches.append(BatchParity(size, float(difference.max()), float((difference / scale).max())))
        if not (difference <= allowed).all():
            raise BundleError(
                f"the ONNX model forecasts something else than torch: a batch of {size} differs by up to "
                f"{batches[-1].relative:.2g} standard deviations of a target, {TOLERANCE:g} would be rounding"
            )
    return Parity(tuple(batches))


def _strip(graph: Any) -> None:
    """Remove what torch notes of its tracing: stack traces with the paths of this machine."""
    for part in (*graph.node, *graph.input, *graph.output, *graph.value_info, *graph.initializer):
        for field in _METADATA:
            part.ClearField(field)


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence what the exporter says of itself: deprecations within torch, operators of packages that are not there."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)

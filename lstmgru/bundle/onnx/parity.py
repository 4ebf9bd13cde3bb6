"""Verify that an exported model computes the same results as PyTorch."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from lstmgru.bundle.base import Outputs, Servable
from lstmgru.errors import BundleError
from lstmgru.nn import kernels
from lstmgru.specs.layers import BUILT_IN_CELLS

BATCH_SIZES = (1, 7, 64)
TOLERANCE = 1e-5
"""Largest relative difference: in standard deviations of a target or label, or of a probability."""

# If a mean is much larger than the scale, or a layer normalizes small differences, torch itself has a larger rounding
# error in single precision. Two implementations then differ by a small multiple of it, up to a limit.
_ROUNDINGS, _MOST_ROUNDING = 4, 1e-3


@dataclass(frozen=True)
class BatchParity:
    """The difference between ONNX Runtime and PyTorch on one batch.

    Attributes:
        batch_size: Number of windows or sequences.
        absolute: As of :class:`~lstmgru.bundle.base.Distance`.
        relative: Likewise.
    """

    batch_size: int
    absolute: float
    relative: float


@dataclass(frozen=True)
class Parity:
    """The difference between ONNX Runtime and PyTorch for each batch size."""

    batches: tuple[BatchParity, ...]

    def to_list(self) -> list[dict[str, Any]]:
        """Plain values for JSON."""
        return [asdict(batch) for batch in self.batches]


def compare(servable: Servable, model: Path | bytes) -> Parity:
    """Compare an ONNX model with the module it was exported from, on random inputs.

    Args:
        servable: On the CPU.
        model: The file, or its content.

    Raises:
        BundleError: They differ by more than rounding errors.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    exact = _exact(servable)
    batches = []
    for size in BATCH_SIZES:
        inputs = servable.random_inputs(size, seed=size)
        # The tolerance depends on the rounding of torch's own operations, so those are compared, not the kernels.
        with torch.inference_mode(), kernels.enabled(False):
            expected, truth = servable(**inputs), exact(inputs)
        arrays = session.run(list(servable.output_shapes), {name: tensor.numpy() for name, tensor in inputs.items()})
        distance = servable.distance(tuple(map(torch.from_numpy, arrays)), expected, inputs)
        rounding = servable.distance(truth, expected, inputs).relative
        allowed = TOLERANCE + _ROUNDINGS * min(rounding, _MOST_ROUNDING)
        if not distance.relative <= allowed:
            raise BundleError(
                f"the ONNX model differs from PyTorch: a batch of {size} by up to {distance.relative:.2g} "
                f"{servable.unit}, where {allowed:.2g} can be rounding"
            )
        batches.append(BatchParity(size, *distance))
    return Parity(tuple(batches))


def _exact(servable: Servable) -> Callable[[dict[str, Tensor]], Outputs]:
    """The module in double precision; unchanged if it has a custom cell, which may not support that."""
    if not all(layer.cell in BUILT_IN_CELLS for stack in servable.branches for layer in stack):
        return lambda inputs: servable(**inputs)
    double = copy.deepcopy(servable).double()

    def run(inputs: dict[str, Tensor]) -> Outputs:
        wide = {name: tensor.double() if tensor.is_floating_point() else tensor for name, tensor in inputs.items()}
        outputs: Outputs = double(**wide)
        return outputs

    return run

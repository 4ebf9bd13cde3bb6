"""The proof that an exported model computes what torch computes."""

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

# Where a mean dwarfs the scale, or a layer normalizes small differences, torch itself is farther off in single
# precision: then two ways of computing the same differ by a few times of that, within reason.
_ROUNDINGS, _MOST_ROUNDING = 4, 1e-3


@dataclass(frozen=True)
class BatchParity:
    """How far ONNX Runtime is from torch on one batch.

    Attributes:
        batch_size: Windows or sequences.
        absolute: As of :class:`~lstmgru.bundle.base.Distance`.
        relative: Likewise.
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


def compare(servable: Servable, model: Path | bytes) -> Parity:
    """Compare an ONNX model with what it was exported from, on random inputs.

    Args:
        servable: On the CPU.
        model: The file, or its content.

    Raises:
        BundleError: They differ by more than rounding explains.
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
        # The allowance is a measure of torch's own rounding, so torch's own operations are what is compared.
        with torch.inference_mode(), kernels.enabled(False):
            expected, truth = servable(**inputs), exact(inputs)
        arrays = session.run(list(servable.output_shapes), {name: tensor.numpy() for name, tensor in inputs.items()})
        distance = servable.distance(tuple(map(torch.from_numpy, arrays)), expected, inputs)
        rounding = servable.distance(truth, expected, inputs).relative
        allowed = TOLERANCE + _ROUNDINGS * min(rounding, _MOST_ROUNDING)
        if not distance.relative <= allowed:
            raise BundleError(
                f"the ONNX model computes something else than torch: a batch of {size} differs by up to "
                f"{distance.relative:.2g} {servable.unit}, {allowed:.2g} would be rounding"
            )
        batches.append(BatchParity(size, *distance))
    return Parity(tuple(batches))


def _exact(servable: Servable) -> Callable[[dict[str, Tensor]], Outputs]:
    """The module in double precision; with a cell of the user's own, which need not know it, as it is."""
    if not all(layer.cell in BUILT_IN_CELLS for stack in servable.branches for layer in stack):
        return lambda inputs: servable(**inputs)
    double = copy.deepcopy(servable).double()

    def run(inputs: dict[str, Tensor]) -> Outputs:
        wide = {name: tensor.double() if tensor.is_floating_point() else tensor for name, tensor in inputs.items()}
        outputs: Outputs = double(**wide)
        return outputs

    return run

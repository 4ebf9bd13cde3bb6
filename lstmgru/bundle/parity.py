"""The proof that an exported model forecasts what torch forecasts."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from lstmgru.bundle.forecaster import UnscaledForecaster
from lstmgru.errors import BundleError
from lstmgru.nn import kernels
from lstmgru.registry import BUILT_IN_CELLS

BATCH_SIZES = (1, 7, 64)
TOLERANCE = 1e-5
"""Largest difference in units of a target's scale, its standard deviation."""

# Where a mean dwarfs the scale, or a layer normalises small differences, torch itself is farther off in single
# precision: then two ways of computing the same differ by a few times of that, within reason.
_ROUNDINGS, _MOST_ROUNDING = 4, 1e-3


@dataclass(frozen=True)
class BatchParity:
    """How far ONNX Runtime is from torch on one batch.

    Attributes:
        batch_size: Windows.
        absolute: Largest difference in original units.
        relative: Largest difference in units of the target's scale; where logarithms are taken, of their scale.
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


def compare(forecaster: UnscaledForecaster, model: Path | bytes) -> Parity:
    """Compare an ONNX model with the forecaster that it should be, on random inputs.

    Args:
        forecaster: On the CPU.
        model: The file, or its content.

    Raises:
        BundleError: They differ by more than rounding explains.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    exact = _exact(forecaster)
    batches = []
    for size in BATCH_SIZES:
        inputs = forecaster.random_inputs(size, seed=size)
        # The allowance is a measure of torch's own rounding, so torch's own operations are what is compared.
        with torch.inference_mode(), kernels.enabled(False):
            outputs, truths = forecaster(**inputs), exact(inputs)
        found = session.run(list(forecaster.output_shapes), {name: tensor.numpy() for name, tensor in inputs.items()})
        absolute, relative, rounding = 0.0, 0.0, 0.0
        for expected, truth, array in zip(outputs, truths, found, strict=True):
            unit = _unit(forecaster, expected, inputs.get("series"))
            difference = _difference(torch.from_numpy(array), expected)
            absolute = max(absolute, float(difference.max()))
            relative = max(relative, float((difference / unit).max()))
            rounding = max(rounding, float((_difference(truth, expected) / unit).max()))
        allowed = TOLERANCE + _ROUNDINGS * min(rounding, _MOST_ROUNDING)
        if not relative <= allowed:
            raise BundleError(
                f"the ONNX model forecasts something else than torch: a batch of {size} differs by up to "
                f"{relative:.2g} standard deviations of a target, {allowed:.2g} would be rounding"
            )
        batches.append(BatchParity(size, absolute, relative))
    return Parity(tuple(batches))


def _exact(forecaster: UnscaledForecaster) -> Callable[[dict[str, Tensor]], tuple[Tensor, ...]]:
    """The forecaster in double precision; with a cell of the user's own, which need not know it, as it is."""
    layers = [layer for stack in forecaster.network.spec.branches for layer in stack]
    if not all(layer.cell in BUILT_IN_CELLS for layer in layers):
        return lambda inputs: forecaster(**inputs)
    double = copy.deepcopy(forecaster).double()

    def run(inputs: dict[str, Tensor]) -> tuple[Tensor, ...]:
        wide = {name: tensor.double() if tensor.is_floating_point() else tensor for name, tensor in inputs.items()}
        outputs: tuple[Tensor, ...] = double(**wide)
        return outputs

    return run


def _difference(found: Tensor, expected: Tensor) -> Tensor:
    """(B, H, Y) largest of the quantiles, if there are any; infinite where one of the two alone is NaN."""
    same = (found == expected) | (found.isnan() & expected.isnan())
    return _largest((found - expected).abs().masked_fill(same, 0.0).nan_to_num(torch.inf))


def _unit(forecaster: UnscaledForecaster, expected: Tensor, series: Tensor | None) -> Tensor:
    """(B, H, Y) the scale of the targets in original units; of logarithms, that of what is forecast."""
    _, scale = forecaster.moments(series)
    scale = scale[..., : forecaster.network.inputs.n_targets]
    size = _largest(expected.abs().nan_to_num())
    return scale * size if forecaster.log else scale.expand_as(size)


def _largest(values: Tensor) -> Tensor:
    """The largest of (B, H, Y, Q) over Q; (B, H, Y) as they are."""
    return values.amax(dim=-1) if values.ndim == 4 else values

"""Export to ONNX: one file that standard runtimes can read, without custom operators."""

from __future__ import annotations

import copy
import logging
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy.typing as npt
import torch
from torch import Tensor, nn

from lstmgru.bundle.base import BatchParity, Outputs, Parity, Servable
from lstmgru.bundle.onnx.graph import BATCH, OPSET, Untranslatable
from lstmgru.bundle.onnx.layers import with_onnx_layers
from lstmgru.bundle.onnx.translation import translated
from lstmgru.errors import BundleError, listed
from lstmgru.nn import kernels
from lstmgru.runtime.graph import OnnxGraph
from lstmgru.specs.cells import CELLS

_METADATA = ("metadata_props", "doc_string")


def export_onnx(servable: Servable, path: Path) -> Parity:
    """Write the servable module of a bundle as one ONNX file and compare the two.

    The graph has the inputs of ``servable.shapes`` and the outputs of ``servable.output_shapes``, in original units,
    each with the batch as its first axis. Only the batch is dynamic; contexts and sequences have their maximum length.

    Args:
        servable: On the CPU.
        path: File to write.

    Raises:
        BundleError: The export failed, or the results of the exported model differ.
    """
    import onnx

    if servable.outside:
        them = "it" if len(servable.outside) == 1 else "them"
        raise BundleError(f"{listed(servable.outside)} cannot stand in ONNX; NumPy computes {them}")
    prepared, loops = with_onnx_layers(servable)
    inputs = servable.random_inputs(2)
    try:
        model = _export(prepared, (), inputs, list(servable.output_shapes))
        loops.fill(model, lambda step, examples: _export(step, examples, {}, None))
        onnx.checker.check_model(model)
        content = model.SerializeToString()
        parity = compare(servable, content)
    except BundleError:
        raise
    except Exception as error:  # a custom cell can fail anywhere in torch, onnx and onnxruntime
        cause = error.__cause__ or error  # torch wraps it in a page of advice
        reason = next(iter(str(cause).strip().splitlines()), "")
        raise BundleError(f"the model cannot be exported to ONNX: {type(cause).__name__}: {reason}") from error
    path.write_bytes(content)
    return parity


def _export(
    module: nn.Module,
    arguments: tuple[Tensor, ...],
    keywords: dict[str, Tensor],
    output_names: list[str] | None,
) -> Any:
    """Export a module as an ``onnx.ModelProto``; the first axis of every tensor is dynamic."""
    axis = {0: torch.export.Dim(BATCH, min=1)}
    shapes: Any = dict.fromkeys(keywords, axis) or ((axis,) * len(arguments),)
    with _quiet():
        program = torch.export.export(module, arguments, keywords, dynamic_shapes=shapes)
        try:
            return translated(program, output_names)
        except Untranslatable:  # an operator of a custom cell
            exported = torch.onnx.export(
                module,
                arguments,
                kwargs=keywords,
                input_names=list(keywords) or None,
                output_names=output_names,
                dynamic_shapes=shapes,
                opset_version=OPSET,
                dynamo=True,
                verbose=False,
            )
    assert exported is not None  # never with dynamo=True
    model = exported.model_proto
    _strip(model.graph)
    return model


def _strip(graph: Any) -> None:
    """Remove the traces of the export: stack traces with local paths."""
    for part in (*graph.node, *graph.input, *graph.output, *graph.value_info, *graph.initializer):
        for field in _METADATA:
            part.ClearField(field)


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence the exporter: deprecations within torch, and operators of packages that are not installed."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)


BATCH_SIZES = (1, 7, 64)
TOLERANCE = 1e-5
"""Largest relative difference: in standard deviations of a target or label, or of a probability."""

# If a mean is much larger than the scale, or a layer normalizes small differences, torch itself has a larger rounding
# error in single precision. Two implementations then differ by a small multiple of it, up to a limit.
_ROUNDINGS, _MOST_ROUNDING = 4, 1e-3


def compare(servable: Servable, model: Path | bytes) -> Parity:
    """Compare an ONNX model with the module it was exported from, on random inputs.

    Args:
        servable: On the CPU.
        model: The file, or its content.

    Raises:
        BundleError: They differ by more than rounding errors.
    """
    graph = OnnxGraph(model, threads=1)
    return compare_results(servable, lambda inputs: graph.run(inputs, list(servable.output_shapes)), "the ONNX model")


def compare_results(
    servable: Servable,
    compute: Callable[[dict[str, npt.NDArray[Any]]], Sequence[npt.NDArray[Any]]],
    what: str = "the model without PyTorch",
) -> Parity:
    """Compare another implementation of a module with it, on random inputs.

    Args:
        servable: On the CPU.
        compute: The other implementation.
        what: It is called so in messages.

    Raises:
        BundleError: They differ by more than rounding errors.
    """
    exact = _exact(servable)
    batches = []
    for size in BATCH_SIZES:
        inputs = servable.random_inputs(size, seed=size)
        # The tolerance depends on the rounding of torch's own operations, so those are compared, not the kernels.
        with torch.inference_mode(), kernels.enabled(False):
            expected, truth = servable(**inputs), exact(inputs)
        arrays = compute({name: tensor.numpy() for name, tensor in inputs.items()})
        distance = servable.distance(tuple(map(torch.from_numpy, arrays)), expected, inputs)
        rounding = servable.distance(truth, expected, inputs).relative
        allowed = TOLERANCE + _ROUNDINGS * min(rounding, _MOST_ROUNDING)
        if not distance.relative <= allowed:
            raise BundleError(
                f"{what} differs from PyTorch: a batch of {size} by up to {distance.relative:.2g} "
                f"{servable.unit}, where {allowed:.2g} can be rounding"
            )
        batches.append(BatchParity(size, *distance))
    return Parity(tuple(batches))


def _exact(servable: Servable) -> Callable[[dict[str, Tensor]], Outputs]:
    """The module in double precision; unchanged if it has a custom cell, which may not support that."""
    if not all(layer.cell in CELLS for stack in servable.branches for layer in stack):
        return lambda inputs: servable(**inputs)
    double = copy.deepcopy(servable).double()

    def run(inputs: dict[str, Tensor]) -> Outputs:
        wide = {name: tensor.double() if tensor.is_floating_point() else tensor for name, tensor in inputs.items()}
        outputs: Outputs = double(**wide)
        return outputs

    return run

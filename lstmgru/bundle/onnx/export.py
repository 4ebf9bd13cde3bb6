"""Export to ONNX: one file that standard runtimes can read, without custom operators."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from lstmgru.bundle.base import Servable
from lstmgru.bundle.onnx.layers import with_onnx_layers
from lstmgru.bundle.onnx.parity import Parity, compare
from lstmgru.errors import BundleError

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

    prepared, loops = with_onnx_layers(servable)
    inputs = servable.random_inputs(2)
    try:
        model = _export(prepared, (), inputs, list(inputs), list(servable.output_shapes))
        loops.fill(model, lambda step, examples: _export(step, examples, {}, None, None))
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
    input_names: list[str] | None,
    output_names: list[str] | None,
) -> Any:
    """Export a module as an ``onnx.ModelProto``; the first axis of every tensor is dynamic."""
    axis = {0: torch.export.Dim("batch", min=1)}
    with _quiet():
        program = torch.onnx.export(
            module,
            arguments,
            kwargs=keywords,
            input_names=input_names,
            output_names=output_names,
            dynamic_shapes=dict.fromkeys(keywords, axis) or ((axis,) * len(arguments),),
            dynamo=True,
            verbose=False,
        )
    assert program is not None  # never with dynamo=True
    model = program.model_proto
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

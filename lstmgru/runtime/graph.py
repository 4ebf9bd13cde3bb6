"""The ONNX graph of a bundle in ONNX Runtime, on the CPU."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy.typing as npt

from lstmgru.errors import SpecError
from lstmgru.runtime.files import one_line

SHARE = "share"
"""The output of a graph that computes the networks of a blend, but not its baselines: their weighted sum."""
_ERRORS_ONLY = 3
_Batch = TypeVar("_Batch")


class OnnxGraph:
    """A graph that is loaded and optimized.

    Args:
        model: The file, or its content.
        threads: Batches that are computed at the same time; ``None``: as many as processors may be used.

    Attributes:
        threads: As above.
        shapes: The inputs with their shapes, without the batch.
        output_shapes: The outputs likewise, in order.

    Raises:
        SpecError: The content is no ONNX model, or of a version that the installed ONNX Runtime does not read.
    """

    def __init__(self, model: Path | bytes, *, threads: int | None = None) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1  # small operators gain nothing from more
        options.log_severity_level = _ERRORS_ONLY
        try:
            self._session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # its errors have no common class
            raise SpecError(f"the ONNX model cannot be loaded: {one_line(error)}") from error
        self.threads = threads or _processors()
        self.shapes = {node.name: tuple(node.shape[1:]) for node in self._session.get_inputs()}
        self.output_shapes = {node.name: tuple(node.shape[1:]) for node in self._session.get_outputs()}

    def run(self, inputs: Mapping[str, npt.NDArray[Any]], outputs: Sequence[str]) -> list[npt.NDArray[Any]]:
        """Compute some outputs, each with the batch as its first axis.

        Args:
            inputs: Arrays by name, with the batch as their first axis.
            outputs: Names.
        """
        results: list[npt.NDArray[Any]] = self._session.run(list(outputs), dict(inputs))
        return results

    def for_each(self, compute: Callable[[_Batch], None], batches: Iterable[_Batch]) -> None:
        """Call a function that runs the graph for each batch, in several threads.

        Args:
            compute: Stores the results for a batch.
            batches: What it is called with; they do not depend on each other.
        """
        waiting = list(batches)
        with ThreadPoolExecutor(max(1, min(self.threads, len(waiting)))) as pool:
            for _ in pool.map(compute, waiting):  # raises what a batch raised
                pass

    def check(self, shapes: Mapping[str, tuple[int, ...]], outputs: Mapping[str, tuple[int, ...]]) -> None:
        """Refuse a graph of another model.

        Args:
            shapes: The inputs that it must have.
            outputs: Likewise the outputs.

        Raises:
            SpecError: It has others.
        """
        for what, found, expected in (("inputs", self.shapes, shapes), ("outputs", self.output_shapes, outputs)):
            if found != dict(expected):
                raise SpecError(f"the {what} of the ONNX model must be {dict(expected)} but are {found}")


@dataclass(frozen=True)
class Stored:
    """What a model reads beside ``bundle.json``.

    Attributes:
        vocabularies: The content of each vocabulary file.
        graph: Of all members or, if ``arrays`` are given, of the networks; ``None`` if there are none.
        arrays: The arrays of each member, by name; ``None`` if all members are in the graph.
    """

    vocabularies: list[dict[str, Any]]
    graph: OnnxGraph | None
    arrays: list[dict[str, npt.NDArray[Any]]] | None = None


def _processors() -> int:
    """Processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1

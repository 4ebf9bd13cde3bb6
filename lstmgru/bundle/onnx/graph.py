"""An ONNX graph that is built operator by operator from the nodes of a traced program."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.fx import Node

from lstmgru.errors import LstmGruError

if TYPE_CHECKING:
    from onnx import GraphProto, ModelProto, NodeProto, ValueInfoProto

OPSET = 18
_IR_VERSION = 10
BATCH = "batch"


Translation = Callable[..., str | list[str]]
"""``(graph, node, *arguments)`` → the names of the results; the arguments are those of the node."""


class Untranslatable(LstmGruError):
    """An operator of a program has no translation."""


class Graph:
    """Collects operators and constants, under names that are unique in the graph."""

    def __init__(self) -> None:
        self._nodes: list[NodeProto] = []
        self._arrays: dict[str, npt.NDArray[Any]] = {}
        self._constants: dict[tuple[Any, ...], str] = {}
        self._names: dict[Node, str | list[str]] = {}
        self._domains: dict[str, int] = {"": OPSET}

    def bind(self, node: Node, names: str | list[str]) -> None:
        """Say under which names the results of a node stand."""
        self._names[node] = names

    def store(self, name: str, tensor: Tensor) -> str:
        """Add weights under their own name."""
        self._arrays[name] = tensor.detach().numpy()
        return name

    def emit(self, operator: str, *inputs: str, **attributes: Any) -> str:
        """Add an operator with one output."""
        return self.emit_many(1, operator, *inputs, **attributes)[0]

    def emit_many(self, count: int, operator: str, *inputs: str, domain: str = "", **attributes: Any) -> list[str]:
        """Add an operator with several outputs, and return their names."""
        from onnx import helper

        name = f"{operator.lower()}_{len(self._nodes)}"
        outputs = [name if count == 1 else f"{name}_{number}" for number in range(count)]
        self._nodes.append(helper.make_node(operator, inputs, outputs, name=name, domain=domain, **attributes))
        if domain:
            self._domains[domain] = 1
        return outputs

    def constant(self, values: Any, dtype: npt.DTypeLike) -> str:
        """Add a constant; equal ones share a name."""
        array = np.asarray(values, dtype)
        key = (array.dtype.str, array.shape, array.tobytes())
        if key not in self._constants:
            self._constants[key] = f"constant_{len(self._constants)}"
            self._arrays[self._constants[key]] = array
        return self._constants[key]

    def integers(self, values: Sequence[int]) -> str:
        """Add a vector of integers, such as axes."""
        return self.constant(values, np.int64)

    def many(self, node: Any) -> list[str]:
        """The names of a node's results."""
        names = self._names[node]
        return names if isinstance(names, list) else [names]

    def read(self, argument: Any, dtype: torch.dtype | None = None) -> str:
        """The name of an argument: the result of a node, or a number as a constant.

        Args:
            argument: A node or a number.
            dtype: What it is converted to; ``None``: it stays as it is.
        """
        if not isinstance(argument, Node):
            return self.constant(argument, numpy_dtype(dtype or torch.get_default_dtype()))
        name = self._names[argument]
        assert isinstance(name, str)  # results of several outputs are read one by one
        if dtype is None or dtype == dtype_of(argument):
            return name
        return self.emit("Cast", name, to=element_type(dtype))

    def sizes(self, sizes: Sequence[Any]) -> str:
        """A vector of sizes, of which some are nodes."""
        if all(isinstance(size, int) for size in sizes):
            return self.integers(sizes)
        parts = [
            self.integers([size]) if isinstance(size, int) else self.reshape(self.read(size), [1]) for size in sizes
        ]
        return self.emit("Concat", *parts, axis=0)

    def reshape(self, name: str, shape: Sequence[Any]) -> str:
        """A tensor in another shape, in which a size that depends on the batch is inferred."""
        return self.emit("Reshape", name, self.integers([size if isinstance(size, int) else -1 for size in shape]))

    def model(self, inputs: Sequence[tuple[str, Node]], outputs: Sequence[tuple[str, Node]]) -> ModelProto:
        """The graph, without operators that nothing reads.

        Args:
            inputs: Names and nodes.
            outputs: Likewise.
        """
        from onnx import helper

        for name, node in outputs:
            self._nodes.append(helper.make_node("Identity", [self.read(node)], [name], name=name))
        self._remove_unread({name for name, _ in outputs})
        graph = self._graph([_value(*each) for each in inputs], [_value(*each) for each in outputs])
        used = {node.domain for node in self._nodes}
        opsets = [helper.make_opsetid(domain, version) for domain, version in self._domains.items() if domain in used]
        return helper.make_model(graph, opset_imports=opsets, ir_version=_IR_VERSION)

    def _graph(self, inputs: list[ValueInfoProto], outputs: list[ValueInfoProto]) -> GraphProto:
        from onnx import helper, numpy_helper

        read = {name for node in self._nodes for name in node.input}
        tensors = [numpy_helper.from_array(array, name) for name, array in self._arrays.items() if name in read]
        return helper.make_graph(self._nodes, "main", inputs, outputs, tensors)

    def _remove_unread(self, read: set[str]) -> None:
        kept = []
        for node in reversed(self._nodes):
            if read.intersection(node.output):
                read.update(node.input)
                kept.append(node)
        self._nodes = kept[::-1]


def shape_of(node: Any) -> list[Any]:
    """The sizes of a node's result: integers, or symbols of the batch."""
    return list(node.meta["val"].shape)


def dtype_of(node: Node) -> torch.dtype:
    """The type of a node's result; sizes are integers."""
    value = node.meta["val"]
    return value.dtype if isinstance(value, Tensor) else torch.int64


def numpy_dtype(dtype: torch.dtype) -> np.dtype[Any]:
    """The same type in numpy."""
    return np.dtype(torch.empty(0, dtype=dtype).numpy().dtype)


def element_type(dtype: torch.dtype) -> int:
    """The same type in ONNX."""
    from onnx import helper

    return int(helper.np_dtype_to_tensor_dtype(numpy_dtype(dtype)))


def _value(name: str, node: Node) -> ValueInfoProto:
    from onnx import helper

    shape = [size if isinstance(size, int) else BATCH for size in shape_of(node)]
    return helper.make_tensor_value_info(name, element_type(dtype_of(node)), shape)

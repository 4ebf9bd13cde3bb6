"""The operators of torch that networks and baselines are made of, in ONNX."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch.fx import Node

from lstmgru.bundle.onnx import shapes
from lstmgru.bundle.onnx.graph import Graph, Translation, dtype_of, element_type, shape_of

UNARY = {
    "aten.abs.default": "Abs",
    "aten.bitwise_not.default": "Not",
    "aten.exp.default": "Exp",
    "aten.floor.default": "Floor",
    "aten.log.default": "Log",
    "aten.logical_not.default": "Not",
    "aten.neg.default": "Neg",
    "aten.reciprocal.default": "Reciprocal",
    "aten.relu.default": "Relu",
    "aten.sigmoid.default": "Sigmoid",
    "aten.sqrt.default": "Sqrt",
    "aten.tanh.default": "Tanh",
}
ARITHMETIC = {
    "aten.add.Tensor": "Add",
    "aten.div.Tensor": "Div",
    "aten.maximum.default": "Max",
    "aten.minimum.default": "Min",
    "aten.mul.Tensor": "Mul",
    "aten.pow.Tensor_Scalar": "Pow",
    "aten.sub.Tensor": "Sub",
    "aten.__and__.Tensor": "And",
    "aten.__or__.Tensor": "Or",
    "aten.logical_and.default": "And",
    "aten.matmul.default": "MatMul",
}
COMPARISONS = {"eq": "Equal", "ge": "GreaterOrEqual", "gt": "Greater", "le": "LessOrEqual", "lt": "Less"}
SIZES = {operator.add: "Add", operator.mul: "Mul", operator.sub: "Sub", operator.floordiv: "Div"}
"""Arithmetic of sizes, which are not negative."""
UNCHANGED = ("alias", "clone", "contiguous", "detach", "detach_", "dropout", "lift_fresh_copy")
RESHAPES = ("flatten.using_ints", "reshape", "squeeze", "squeeze.dim", "squeeze.dims", "unflatten.int", "unsqueeze")
"""Their shape is that of the result, of which at most one size depends on the batch."""
IGNORED = ("aten._assert_tensor_metadata.default", "aten._assert_scalar.default")


def _unary(name: str) -> Translation:
    return lambda graph, node, x: graph.emit(name, graph.read(x))


def _arithmetic(name: str) -> Translation:
    def translate(graph: Graph, node: Node, first: Any, second: Any) -> str:
        dtype = dtype_of(node)
        return graph.emit(name, graph.read(first, dtype), graph.read(second, dtype))

    return translate


def _reversed_difference(graph: Graph, node: Node, x: Node, other: Any) -> str | list[str]:
    return _arithmetic("Sub")(graph, node, other, x)


def _comparison(name: str) -> Translation:
    def translate(graph: Graph, node: Node, first: Any, second: Any) -> str:
        dtype = _promoted(first, second)
        return graph.emit(name, graph.read(first, dtype), graph.read(second, dtype))

    return translate


def _promoted(*arguments: Any) -> torch.dtype:
    """The type in which torch compares arguments."""
    dtype = torch.bool
    for each in arguments:
        if isinstance(each, Node):
            dtype = torch.promote_types(dtype, dtype_of(each))
    if any(isinstance(each, float) for each in arguments) and not dtype.is_floating_point:
        return torch.get_default_dtype()
    return dtype


def _of_sizes(name: str) -> Translation:
    return lambda graph, node, a, b: graph.emit(name, graph.read(a, torch.int64), graph.read(b, torch.int64))


def _unchanged(graph: Graph, node: Node, x: Node, *_: Any, **__: Any) -> str:
    return graph.read(x)


def _reshape(graph: Graph, node: Node, x: Node, *_: Any) -> str:
    return graph.reshape(graph.read(x), shape_of(node))


def _cast(graph: Graph, node: Node, x: Node, *_: Any, **__: Any) -> str:
    return graph.read(x, dtype_of(node))


def _getitem(graph: Graph, node: Node, x: Node, index: int) -> str:
    return graph.many(x)[index]


def _linear(graph: Graph, node: Node, x: Node, weight: Node, bias: Node | None = None) -> str:
    product = graph.emit("MatMul", graph.read(x), graph.emit("Transpose", graph.read(weight), perm=[1, 0]))
    return product if bias is None else graph.emit("Add", product, graph.read(bias))


def _addmm(graph: Graph, node: Node, bias: Node, x: Node, weight: Node) -> str:
    return graph.emit("Gemm", graph.read(x), graph.read(weight), graph.read(bias))


def _convolution(
    graph: Graph,
    node: Node,
    x: Node,
    weight: Node,
    bias: Node | None = None,
    stride: Sequence[int] = (1,),
    padding: Sequence[int] = (0,),
    dilation: Sequence[int] = (1,),
    groups: int = 1,
) -> str:
    settings = {"strides": stride, "pads": [*padding, *padding], "dilations": dilation, "group": groups}
    inputs = [graph.read(each) for each in (x, weight, bias) if each is not None]
    return graph.emit("Conv", *inputs, **settings)


def _batch_norm(graph: Graph, node: Node, x: Node, *arguments: Any) -> str:
    *numbers, _training, _momentum, epsilon, _cudnn = arguments
    return graph.emit("BatchNormalization", *map(graph.read, (x, *numbers)), epsilon=epsilon)


def _layer_norm(
    graph: Graph, node: Node, x: Node, shape: list[int], weight: Node, bias: Node, epsilon: float = 1e-5, *_: Any
) -> str:
    inputs = (graph.read(each) for each in (x, weight, bias))
    return graph.emit("LayerNormalization", *inputs, axis=-len(shape), epsilon=epsilon)


def _softmax(graph: Graph, node: Node, x: Node, dim: int) -> str:
    return graph.emit("Softmax", graph.read(x), axis=dim)


def _softplus(graph: Graph, node: Node, x: Node) -> str:
    return graph.emit("Softplus", graph.read(x))


def _where(graph: Graph, node: Node, condition: Node, yes: Any, no: Any) -> str:
    dtype = dtype_of(node)
    return graph.emit("Where", graph.read(condition), graph.read(yes, dtype), graph.read(no, dtype))


def _masked_fill(graph: Graph, node: Node, x: Node, mask: Node, value: Any) -> str:
    return _where(graph, node, mask, value, x)


def _clamp(graph: Graph, node: Node, x: Node, low: Any = None, high: Any = None) -> str:
    found = graph.read(x)
    for name, bound in (("Max", low), ("Min", high)):
        found = found if bound is None else graph.emit(name, found, graph.read(bound, dtype_of(node)))
    return found


def _floor_divide(graph: Graph, node: Node, x: Node, divisor: Any) -> str:
    """ONNX rounds integers toward zero, torch downward."""
    dtype = dtype_of(node)
    if dtype.is_floating_point:
        return graph.emit("Floor", graph.emit("Div", graph.read(x, dtype), graph.read(divisor, dtype)))
    whole, by = graph.read(x, dtype), graph.read(divisor, dtype)
    return graph.emit("Div", graph.emit("Sub", whole, graph.emit("Mod", whole, by)), by)


def _reduction(name: str) -> Translation:
    def translate(graph: Graph, node: Node, x: Node, dims: list[int], keep: bool = False, **_: Any) -> str:
        return graph.emit(name, graph.read(x, dtype_of(node)), graph.integers(dims), keepdims=int(keep))

    return translate


def _any(graph: Graph, node: Node, x: Node, dim: int, keep: bool = False) -> str:
    largest = graph.emit("ReduceMax", graph.read(x, torch.int32), graph.integers([dim]), keepdims=int(keep))
    return graph.emit("Cast", largest, to=element_type(torch.bool))


def _argmax(graph: Graph, node: Node, x: Node, dim: int, keep: bool = False) -> str:
    return graph.emit("ArgMax", graph.read(x), axis=dim, keepdims=int(keep))


def _sort(graph: Graph, node: Node, x: Node, dim: int = -1, descending: bool = False) -> list[str]:
    size = graph.integers([shape_of(x)[dim]])
    return graph.emit_many(2, "TopK", graph.read(x), size, axis=dim, largest=int(descending), sorted=1)


def _cumsum(graph: Graph, node: Node, x: Node, dim: int) -> str:
    return graph.emit("CumSum", graph.read(x, dtype_of(node)), graph.constant(dim, np.int64))


def _diff(graph: Graph, node: Node, x: Node, n: int = 1, dim: int = -1) -> str:
    later, earlier = shapes.slice(graph, node, x, dim, 1), shapes.slice(graph, node, x, dim, 0, -1)
    return graph.emit("Sub", later, earlier)


def _placeholder(
    graph: Graph,
    node: Node,
    inputs: list[Node | None],
    name: str,
    dtypes: list[int],
    *,
    attr_keys: Sequence[str],
    attr_pos: Sequence[tuple[int, int]],
    attr_ints: Sequence[int],
    domain: str = "",
    **_: Any,
) -> list[str]:
    """An operator of ONNX that stands in the program, see :mod:`lstmgru.bundle.onnx.layers`."""
    numbers = (attr_ints[start] for start, _ in attr_pos)
    attributes = dict(zip(attr_keys, numbers, strict=True))
    read = ["" if each is None else graph.read(each) for each in inputs]
    # The name of a loop's operator stands before that of the operator itself.
    *before, operator_name = name.split("::")
    return graph.emit_many(len(dtypes), operator_name, *read, domain=domain or "".join(before), **attributes)


TRANSLATIONS: dict[Any, Translation] = {
    **{name: _unary(to) for name, to in UNARY.items()},
    **{name: _arithmetic(to) for name, to in ARITHMETIC.items()},
    **{f"aten.{name}.{kind}": _comparison(to) for name, to in COMPARISONS.items() for kind in ("Scalar", "Tensor")},
    **{function: _of_sizes(name) for function, name in SIZES.items()},
    **{f"aten.{name}.default": _unchanged for name in UNCHANGED},
    **{f"aten.{name}" if "." in name else f"aten.{name}.default": _reshape for name in RESHAPES},
    operator.getitem: _getitem,
    "aten.add.Scalar": _arithmetic("Add"),
    "aten.addmm.default": _addmm,
    "aten.amax.default": _reduction("ReduceMax"),
    "aten.any.dim": _any,
    "aten.arange.default": shapes.arange,
    "aten.arange.start": shapes.arange,
    "aten.arange.start_step": shapes.arange,
    "aten.argmax.default": _argmax,
    "aten.batch_norm.default": _batch_norm,
    "aten.cat.default": shapes.cat,
    "aten.chunk.default": shapes.chunk,
    "aten.clamp.default": _clamp,
    "aten.clamp.Tensor": _clamp,
    "aten.clamp_min.default": _clamp,
    "aten.conv1d.default": _convolution,
    "aten.cumsum.default": _cumsum,
    "aten.diff.default": _diff,
    "aten.embedding.default": shapes.embedding,
    "aten.expand.default": shapes.expand,
    "aten.flip.default": shapes.flip,
    "aten.floor_divide.default": _floor_divide,
    "aten.gather.default": shapes.gather,
    "aten.index.Tensor": shapes.index,
    "aten.index_select.default": shapes.index_select,
    "aten.layer_norm.default": _layer_norm,
    "aten.linear.default": _linear,
    "aten.masked_fill.Scalar": _masked_fill,
    "aten.mean.dim": _reduction("ReduceMean"),
    "aten.new_ones.default": shapes.filled(1),
    "aten.new_zeros.default": shapes.filled(0),
    "aten.ones.default": shapes.filled(1),
    "aten.ones_like.default": shapes.filled_like(1),
    "aten.pad.default": shapes.pad,
    "aten.permute.default": shapes.permute,
    "aten.repeat.default": shapes.repeat,
    "aten.repeat_interleave.self_int": shapes.repeat_interleave,
    "aten.rsub.Scalar": _reversed_difference,
    "aten.select.int": shapes.select,
    "aten.slice.Tensor": shapes.slice,
    "aten.softmax.int": _softmax,
    "aten.softplus.default": _softplus,
    "aten.sort.default": _sort,
    "aten.split.Tensor": shapes.chunk,
    "aten.split_with_sizes.default": shapes.chunk,
    "aten.stack.default": shapes.stack,
    "aten.sum.dim_IntList": _reduction("ReduceSum"),
    "aten.sym_size.int": shapes.size,
    "aten.t.default": shapes.transpose,
    "aten.to.device": _cast,
    "aten.to.dtype": _cast,
    "aten.to.dtype_layout": _cast,
    "aten.transpose.int": shapes.transpose,
    "aten.unbind.int": shapes.unbind,
    "aten.where.ScalarOther": _where,
    "aten.where.ScalarSelf": _where,
    "aten.where.self": _where,
    "aten.zeros.default": shapes.filled(0),
    "aten.zeros_like.default": shapes.filled_like(0),
    "onnx_symbolic._symbolic_multi_out.default": _placeholder,
}
"""By operator of torch."""

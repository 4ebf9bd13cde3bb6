"""The operators of torch that networks and baselines are made of, in ONNX."""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch.fx import Node

from lstmgru.bundle.onnx.graph import Graph, Untranslatable, dtype_of, element_type, numpy_dtype, shape_of

Translation = Callable[..., str | list[str]]
"""``(graph, node, *arguments)`` → the names of the results; the arguments are those of the node."""

_LAST = np.iinfo(np.int64).max
_FIRST = np.iinfo(np.int64).min

UNARY = {
    "aten.abs.default": "Abs",
    "aten.bitwise_not.default": "Not",
    "aten.exp.default": "Exp",
    "aten.floor.default": "Floor",
    "aten.log.default": "Log",
    "aten.logical_not.default": "Not",
    "aten.neg.default": "Neg",
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


def _size(graph: Graph, node: Node, x: Node, dim: int) -> str:
    shape = graph.emit("Shape", graph.read(x))
    return graph.emit("Gather", shape, graph.constant(dim, np.int64), axis=0)


def _slice(graph: Graph, node: Node, x: Node, dim: int = 0, start: Any = None, end: Any = None, step: int = 1) -> str:
    if start in (None, 0) and end in (None, _LAST) and step == 1:
        return graph.read(x)
    bounds = [graph.sizes([0 if start is None else start]), graph.sizes([_LAST if end is None else end])]
    return graph.emit("Slice", graph.read(x), *bounds, graph.integers([dim]), graph.integers([step]))


def _flip(graph: Graph, node: Node, x: Node, dims: list[int]) -> str:
    one = [1] * len(dims)
    parts = [[-1 for _ in one], [_FIRST for _ in one], dims, [-1 for _ in one]]
    return graph.emit("Slice", graph.read(x), *map(graph.integers, parts))


def _select(graph: Graph, node: Node, x: Node, dim: int, index: int) -> str:
    return graph.emit("Gather", graph.read(x), graph.constant(index, np.int64), axis=dim)


def _index(graph: Graph, node: Node, x: Node, indices: list[Node | None]) -> str:
    given = [(dim, index) for dim, index in enumerate(indices) if index is not None]
    if len(given) != 1 or dtype_of(given[0][1]) == torch.bool:
        raise Untranslatable("an index by several tensors, or by a mask")
    ((dim, index),) = given
    return graph.emit("Gather", graph.read(x), graph.read(index), axis=dim)


def _index_select(graph: Graph, node: Node, x: Node, dim: int, index: Node) -> str:
    return graph.emit("Gather", graph.read(x), graph.read(index), axis=dim)


def _gather(graph: Graph, node: Node, x: Node, dim: int, index: Node) -> str:
    return graph.emit("GatherElements", graph.read(x), graph.read(index), axis=dim)


def _embedding(graph: Graph, node: Node, weight: Node, codes: Node, *_: Any) -> str:
    return graph.emit("Gather", graph.read(weight), graph.read(codes), axis=0)


def _cat(graph: Graph, node: Node, parts: list[Node], dim: int = 0) -> str:
    whole = [graph.read(part, dtype_of(node)) for part in parts if shape_of(part)[dim] != 0]
    return whole[0] if len(whole) == 1 else graph.emit("Concat", *whole, axis=dim)


def _stack(graph: Graph, node: Node, parts: list[Node], dim: int = 0) -> str:
    rank = len(shape_of(node))
    axes = graph.integers([dim % rank])
    rows = [graph.emit("Unsqueeze", graph.read(part, dtype_of(node)), axes) for part in parts]
    return graph.emit("Concat", *rows, axis=dim % rank)


def _split(graph: Graph, node: Node, x: Node, dim: int) -> list[str]:
    """Pieces as large as the results of the node are."""
    sizes = [part.shape[dim] for part in node.meta["val"]]
    if len(sizes) == 1:
        return [graph.read(x)]
    return graph.emit_many(len(sizes), "Split", graph.read(x), graph.integers(sizes), axis=dim)


def _chunk(graph: Graph, node: Node, x: Node, sizes: Any, dim: int = 0) -> list[str]:
    return _split(graph, node, x, dim)


def _unbind(graph: Graph, node: Node, x: Node, dim: int = 0) -> list[str]:
    return [
        graph.emit("Gather", graph.read(x), graph.constant(number, np.int64), axis=dim)
        for number in range(len(node.meta["val"]))
    ]


def _transpose(graph: Graph, node: Node, x: Node, first: int = 0, second: int = 1) -> str:
    order = list(range(len(shape_of(node))))
    order[first], order[second] = order[second], order[first]
    return graph.emit("Transpose", graph.read(x), perm=order)


def _permute(graph: Graph, node: Node, x: Node, dims: list[int]) -> str:
    return graph.emit("Transpose", graph.read(x), perm=[dim % len(dims) for dim in dims])


def _expand(graph: Graph, node: Node, x: Node, sizes: list[Any]) -> str:
    return graph.emit("Expand", graph.read(x), graph.sizes([1 if size == -1 else size for size in sizes]))


def _repeat(graph: Graph, node: Node, x: Node, counts: list[Any]) -> str:
    return graph.emit("Tile", graph.read(x), graph.sizes(counts))


def _repeat_interleave(graph: Graph, node: Node, x: Node, count: int, dim: int) -> str:
    apart = graph.emit("Unsqueeze", graph.read(x), graph.integers([dim + 1]))
    counts = [1] * (len(shape_of(x)) + 1)
    counts[dim + 1] = count
    return graph.reshape(graph.emit("Expand", apart, graph.integers(counts)), shape_of(node))


def _filled(value: float) -> Translation:
    """A tensor of one value, of the sizes that come last among the arguments."""

    def translate(graph: Graph, node: Node, *arguments: Any, **_: Any) -> str:
        return _constant_of(graph, node, graph.sizes(arguments[-1]), value)

    return translate


def _filled_like(value: float) -> Translation:
    def translate(graph: Graph, node: Node, x: Node, **_: Any) -> str:
        return _constant_of(graph, node, graph.emit("Shape", graph.read(x)), value)

    return translate


def _constant_of(graph: Graph, node: Node, sizes: str, value: float) -> str:
    from onnx import numpy_helper

    array = np.array([value], numpy_dtype(dtype_of(node)))
    return graph.emit("ConstantOfShape", sizes, value=numpy_helper.from_array(array))


def _arange(graph: Graph, node: Node, *bounds: Any, **_: Any) -> str:
    start, end, step = {1: (0, *bounds, 1), 2: (*bounds, 1), 3: bounds}[len(bounds)]
    return graph.emit("Range", *(graph.read(each, dtype_of(node)) for each in (start, end, step)))


def _pad(graph: Graph, node: Node, x: Node, pads: list[int], mode: str = "constant", value: float | None = None) -> str:
    rank, count = len(shape_of(x)), len(pads) // 2
    axes = [rank - 1 - number for number in range(count)]
    ends = graph.integers([*pads[0::2], *pads[1::2]])
    filling = graph.constant(value or 0, numpy_dtype(dtype_of(node)))
    names = {"constant": "constant", "replicate": "edge", "reflect": "reflect"}
    return graph.emit("Pad", graph.read(x), ends, filling, graph.integers(axes), mode=names[mode])


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
    later, earlier = _slice(graph, node, x, dim, 1), _slice(graph, node, x, dim, 0, -1)
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
    "aten.arange.default": _arange,
    "aten.arange.start": _arange,
    "aten.arange.start_step": _arange,
    "aten.argmax.default": _argmax,
    "aten.batch_norm.default": _batch_norm,
    "aten.cat.default": _cat,
    "aten.chunk.default": _chunk,
    "aten.clamp.default": _clamp,
    "aten.clamp.Tensor": _clamp,
    "aten.clamp_min.default": _clamp,
    "aten.conv1d.default": _convolution,
    "aten.cumsum.default": _cumsum,
    "aten.diff.default": _diff,
    "aten.embedding.default": _embedding,
    "aten.expand.default": _expand,
    "aten.flip.default": _flip,
    "aten.floor_divide.default": _floor_divide,
    "aten.gather.default": _gather,
    "aten.index.Tensor": _index,
    "aten.index_select.default": _index_select,
    "aten.layer_norm.default": _layer_norm,
    "aten.linear.default": _linear,
    "aten.masked_fill.Scalar": _masked_fill,
    "aten.mean.dim": _reduction("ReduceMean"),
    "aten.new_ones.default": _filled(1),
    "aten.new_zeros.default": _filled(0),
    "aten.ones.default": _filled(1),
    "aten.ones_like.default": _filled_like(1),
    "aten.pad.default": _pad,
    "aten.permute.default": _permute,
    "aten.repeat.default": _repeat,
    "aten.repeat_interleave.self_int": _repeat_interleave,
    "aten.rsub.Scalar": _reversed_difference,
    "aten.select.int": _select,
    "aten.slice.Tensor": _slice,
    "aten.softmax.int": _softmax,
    "aten.softplus.default": _softplus,
    "aten.sort.default": _sort,
    "aten.split.Tensor": _chunk,
    "aten.split_with_sizes.default": _chunk,
    "aten.stack.default": _stack,
    "aten.sum.dim_IntList": _reduction("ReduceSum"),
    "aten.sym_size.int": _size,
    "aten.t.default": _transpose,
    "aten.to.device": _cast,
    "aten.to.dtype": _cast,
    "aten.to.dtype_layout": _cast,
    "aten.transpose.int": _transpose,
    "aten.unbind.int": _unbind,
    "aten.where.ScalarOther": _where,
    "aten.where.ScalarSelf": _where,
    "aten.where.self": _where,
    "aten.zeros.default": _filled(0),
    "aten.zeros_like.default": _filled_like(0),
    "onnx_symbolic._symbolic_multi_out.default": _placeholder,
}
"""By operator of torch."""
